"""The embedded log: one SQLite file in WAL mode, for any number of processes and threads.

Group commit: threads that append while another's commit is being synced wait for their turn, and the first of
them to get it commits for all. So a commit's sync is shared, and a lone append pays no hand-over to another
thread.
"""

import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from events.crash import crash_point, declare
from events.errors import LogError, LogUnavailableError
from events.log.admission import admitted, declared
from events.log.port import Durability, Outgoing, Position, TopicPartition
from events.log.sqlite_file import LANE_SIZE, connect, create, explained, patiently
from events.log.sqlite_reader import SqliteReader, end_of
from events.topics import TOPICS, topic_named

declare(
    {
        "log.sqlite.writing": "the records are written in an open transaction; nothing is durable",
        "log.sqlite.committed": "the records are durable; whoever appended them does not know it yet",
    }
)

COMPACTION_LAG_RECORDS = 64
"""The newest records of a compacted partition are left alone: a reader close behind sees each of them."""

DURABILITY = {
    "FULL": Durability("an acknowledged record survives a power loss (SQLite, WAL, synchronous=FULL)"),
    "NORMAL": Durability(
        "WEAK: the last acknowledged records may be lost in a power loss (SQLite, synchronous=NORMAL)",
        is_weak=True,
    ),
    "OFF": Durability(
        "WEAK: a power loss may lose acknowledged records and damage the file (SQLite, synchronous=OFF)",
        is_weak=True,
    ),
}


class SqliteLog:
    """See `events.log.port.Log`. `append` is atomic: all records of a call, or none."""

    def __init__(self, path: Path, *, synchronous: str = "FULL", append_seconds_max: float = 5.0) -> None:
        self._path = path
        self._synchronous = synchronous
        self._append_seconds_max = append_seconds_max
        self._connection, self._lanes = create(path, synchronous=synchronous, busy_seconds=append_seconds_max)
        self._changed = threading.Condition()
        self._waiting: list[_Call] = []
        self._committing = False
        self._closed = False

    def append(self, records: Sequence[Outgoing]) -> list[Position]:
        if not records:
            return []
        call = _Call(records)
        deadline = time.monotonic() + self._append_seconds_max
        calls = self._finished_or_calls_to_commit(call, deadline)
        if calls:
            try:
                self._commit(calls, deadline)
            finally:
                with self._changed:
                    self._committing = False
                    self._changed.notify_all()
        return call.outcome()

    def reader(self, start: Mapping[TopicPartition, int]) -> SqliteReader:
        for partition in start:
            declared(partition)
        return SqliteReader(
            self._path,
            start,
            self._lanes,
            synchronous=self._synchronous,
            busy_seconds=self._append_seconds_max,
        )

    def starts(self, topic: str) -> list[int]:
        # Nothing is ever cut off at the front: compaction leaves gaps, and a reader steps over them.
        return [0] * topic_named(topic).partitions

    def ends(self, topic: str) -> list[int]:
        partitions = range(topic_named(topic).partitions)
        with explained(self._path), self._opened() as connection:
            return [
                end_of(connection, self._lanes[TopicPartition(topic, partition)]) for partition in partitions
            ]

    @property
    def durability(self) -> Durability:
        return DURABILITY[self._synchronous]

    def close(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: not self._committing, self._append_seconds_max)
            self._closed = True
            with explained(self._path):
                self._connection.close()

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        connection = connect(self._path, synchronous=self._synchronous, busy_seconds=self._append_seconds_max)
        with closing(connection):
            yield connection

    def _finished_or_calls_to_commit(self, call: "_Call", deadline: float) -> "list[_Call]":
        """Wait until another thread has committed this call, or it is this one's turn to commit for all."""
        with self._changed:
            self._waiting.append(call)
            while not call.finished:
                if not self._committing:
                    self._committing = True
                    calls, self._waiting = self._waiting, []
                    return calls
                if not self._changed.wait(max(0.0, deadline - time.monotonic())):
                    if call in self._waiting:
                        self._waiting.remove(call)
                    raise LogUnavailableError(f"the disk of the log {self._path} is too slow to take records")
        return []

    def _commit(self, calls: "list[_Call]", deadline: float) -> None:
        try:
            with explained(self._path):
                positions = self._committed(calls, deadline)
        except BaseException as error:
            for call in calls:
                call.fail(error)
            if not isinstance(error, Exception):
                raise
        else:
            for call, placed in zip(calls, positions, strict=True):
                call.finish(placed)

    def _committed(self, calls: "list[_Call]", deadline: float) -> list[list[Position]]:
        connection = self._connection
        if self._closed:
            raise LogUnavailableError(f"the log {self._path} is closed")
        patiently(lambda: connection.execute("BEGIN IMMEDIATE"), deadline)
        try:
            writing = _Writing(connection, self._lanes)
            positions = [writing.insert(call.records) for call in calls]
            writing.compact()
            crash_point("log.sqlite.writing")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise
        crash_point("log.sqlite.committed")
        return positions


class _Call:
    """One `append` on its way: its records with their partitions, then its positions or why it failed."""

    def __init__(self, records: Sequence[Outgoing]) -> None:
        self.records = [(admitted(record), record.key, record.value) for record in records]
        self._positions: list[Position] | None = None
        self._error: BaseException | None = None

    @property
    def finished(self) -> bool:
        return self._positions is not None or self._error is not None

    def finish(self, positions: list[Position]) -> None:
        self._positions = positions

    def fail(self, error: BaseException) -> None:
        self._error = error

    def outcome(self) -> list[Position]:
        if self._positions is not None:
            return self._positions
        if isinstance(self._error, LogError):
            # Each thread raises its own: one exception raised in several would mix up their tracebacks.
            raise type(self._error)(*self._error.args) from self._error
        raise LogUnavailableError("the append that this one joined was interrupted") from self._error


class _Writing:
    """The inside of one transaction: hands out offsets, and compacts what is due."""

    def __init__(self, connection: sqlite3.Connection, lanes: Mapping[TopicPartition, int]) -> None:
        self._connection = connection
        self._lanes = lanes
        self._ends: dict[TopicPartition, int] = {}
        self._starts: dict[TopicPartition, int] = {}

    def insert(self, records: Sequence[tuple[TopicPartition, bytes, bytes | None]]) -> list[Position]:
        positions = []
        rows = []
        for partition, key, value in records:
            offset = self._next_offset(partition)
            positions.append(Position(*partition, offset))
            rows.append((self._lanes[partition] * LANE_SIZE + offset, key, value))
        self._connection.executemany("INSERT INTO records (place, key, value) VALUES (?, ?, ?)", rows)
        return positions

    def compact(self) -> None:
        """In compacted partitions, drop what a later record of the same key replaces; now and then."""
        for partition, end in self._ends.items():
            period_before = self._starts[partition] // COMPACTION_LAG_RECORDS
            if TOPICS[partition.topic].compacted and end // COMPACTION_LAG_RECORDS > period_before:
                self._drop_replaced(self._lanes[partition] * LANE_SIZE, end)

    def _drop_replaced(self, floor: int, end: int) -> None:
        self._connection.execute(
            "DELETE FROM records WHERE place >= :floor AND place < :horizon AND place NOT IN"
            " (SELECT max(place) FROM records WHERE place >= :floor AND place < :ceiling GROUP BY key)",
            {"floor": floor, "horizon": floor + end - COMPACTION_LAG_RECORDS, "ceiling": floor + LANE_SIZE},
        )

    def _next_offset(self, partition: TopicPartition) -> int:
        offset = self._ends.get(partition)
        if offset is None:
            offset = end_of(self._connection, self._lanes[partition])
            self._starts[partition] = offset
        self._ends[partition] = offset + 1
        return offset
