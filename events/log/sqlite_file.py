"""The file of the embedded log: its tables, how a connection is opened, and what SQLite's errors mean.

Each partition of a topic is a *lane* with a number; a record's place is `lane · 2^40 + offset`, so that one
B-tree holds every lane in order and a read is one range scan. The view `log` shows the records to a person.
"""

import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from events.crash import crash_point, declare
from events.durable_files import make_folder_durably, sync_folder
from events.errors import LogUnavailableError, LogUnusableError
from events.log.port import TopicPartition
from events.topics import TOPICS

declare(
    {
        "log.sqlite.lanes_writing": "the lanes that a log lacked are written, not durable",
        "log.sqlite.lanes_committed": "the log has all its lanes, nobody has used them",
    }
)

LANE_SIZE = 2**40
"""Offsets of one partition: 10^12, which at 10,000 records a second lasts three years and a half."""

_SCHEMA = (
    "CREATE TABLE IF NOT EXISTS lanes (lane INTEGER PRIMARY KEY, topic TEXT NOT NULL,"
    " partition INTEGER NOT NULL, UNIQUE (topic, partition))",
    "CREATE TABLE IF NOT EXISTS records (place INTEGER PRIMARY KEY, key BLOB NOT NULL, value BLOB)",
    f"CREATE VIEW IF NOT EXISTS log AS SELECT topic, partition, place % {LANE_SIZE} AS offset,"  # noqa: S608  # no value from outside
    " CAST(key AS TEXT) AS key, CAST(value AS TEXT) AS value"
    f" FROM records JOIN lanes ON lane = place / {LANE_SIZE}",
)
_BUSY_CODES = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_UNUSABLE_CODES = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_RETRY_SECONDS = 0.0005

T = TypeVar("T")


def connect(path: Path, *, synchronous: str, busy_seconds: float) -> sqlite3.Connection:
    """A connection in autocommit mode (transactions are begun by hand), for one thread at a time."""
    connection = sqlite3.connect(path, timeout=busy_seconds, isolation_level=None, check_same_thread=False)
    try:
        # Reads the schema: refused, like any statement, while another process turns a new file to WAL.
        connection.execute(f"PRAGMA synchronous={synchronous}")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def create(
    path: Path, *, synchronous: str, busy_seconds: float
) -> tuple[sqlite3.Connection, dict[TopicPartition, int]]:
    """Open the file, making it (and its folders, durably) where missing; gives the lanes too.

    Many processes may do so at once. Raises `LogUnusableError` where the file holds other partitions than
    `events.topics` declares: keys would change partition.
    """
    with explained(path):
        make_folder_durably(path.parent)
        deadline = time.monotonic() + busy_seconds
        connection = patiently(lambda: connect(path, synchronous=synchronous, busy_seconds=0), deadline)
        patiently(lambda: connection.execute("PRAGMA journal_mode=WAL"), deadline)
        patiently(lambda: connection.execute("BEGIN IMMEDIATE"), deadline)
        try:
            lanes = _declared(connection, path)
            crash_point("log.sqlite.lanes_writing")
            connection.execute("COMMIT")
        except BaseException:
            connection.rollback()
            connection.close()
            raise
        sync_folder(path.parent)
        crash_point("log.sqlite.lanes_committed")
    return connection, lanes


def _declared(connection: sqlite3.Connection, path: Path) -> dict[TopicPartition, int]:
    for statement in _SCHEMA:
        connection.execute(statement)
    counts = dict(connection.execute("SELECT topic, count(*) FROM lanes GROUP BY topic"))
    for topic in TOPICS.values():
        if counts.get(topic.name, topic.partitions) != topic.partitions:
            raise LogUnusableError(
                f"{path} has {counts[topic.name]} partitions of {topic.name}, declared are {topic.partitions}"
            )
        if topic.name not in counts:
            rows = [(topic.name, partition) for partition in range(topic.partitions)]
            connection.executemany("INSERT INTO lanes (topic, partition) VALUES (?, ?)", rows)
    placed = connection.execute("SELECT topic, partition, lane FROM lanes").fetchall()
    return {TopicPartition(topic, partition): lane for topic, partition, lane in placed}


def patiently(attempt: Callable[[], T], deadline: float) -> T:
    """Try until no other process holds the lock, or raise SQLite's own error after `deadline` (monotonic).

    SQLite's busy handler sleeps up to 100 ms at a time; a commit takes one to ten, so that is far too long.
    """
    while True:
        try:
            return attempt()
        except sqlite3.OperationalError as error:
            if not _is_busy(error) or time.monotonic() >= deadline:
                raise
        time.sleep(_RETRY_SECONDS)


def _primary_code(error: sqlite3.Error) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _is_busy(error: sqlite3.Error) -> bool:
    return _primary_code(error) in _BUSY_CODES


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Turn SQLite's errors, and the file system's, into the port's."""
    try:
        yield
    except sqlite3.Error as error:
        if _primary_code(error) in _UNUSABLE_CODES:
            raise LogUnusableError(f"{path} is damaged or no log: {error}") from error
        raise LogUnavailableError(_in_words(path, error)) from error
    except OSError as error:
        raise LogUnavailableError(f"the log {path} cannot be reached: {error.strerror}") from error


def _in_words(path: Path, error: sqlite3.Error) -> str:
    if _is_busy(error):
        return f"another process held the log {path} for too long"
    if _primary_code(error) == sqlite3.SQLITE_FULL:
        return f"the disk of the log {path} is full: nothing was written; free some space and try again"
    return f"the log {path} cannot be reached: {error}"
