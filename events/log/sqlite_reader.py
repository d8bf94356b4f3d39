"""Reading the embedded log: range scans on a connection of its own, and a cheap look for changes."""

import sqlite3
import time
from collections.abc import Mapping
from pathlib import Path

from events.errors import PositionLostError
from events.log.port import Record, TopicPartition
from events.log.sqlite_file import LANE_SIZE, connect, explained

_SLEEP_SECONDS = 0.001
"""Between two looks of an idle reader: below a commit's sync, for about a twentieth of one core's time."""


class SqliteReader:
    """See `events.log.port.Reader`. Never holds a read transaction open, so that checkpoints go through."""

    def __init__(
        self,
        path: Path,
        start: Mapping[TopicPartition, int],
        lanes: Mapping[TopicPartition, int],
        *,
        synchronous: str,
        busy_seconds: float,
    ) -> None:
        self._path = path
        self._next = dict(start)
        self._lanes = lanes
        self._turn = list(start)
        self._partitions = {lanes[partition]: partition for partition in start}
        self._looking = _looking(len(start))
        self._drained_version: int | None = None
        self._checked = False
        with explained(path):
            self._connection = connect(path, synchronous=synchronous, busy_seconds=busy_seconds)
            self._connection.execute("PRAGMA query_only=ON")

    def poll(self, limit: int, wait_seconds: float) -> list[Record]:
        deadline = time.monotonic() + wait_seconds
        with explained(self._path):
            self._check_positions()
            while True:
                records = self._read_if_changed(limit)
                remaining_seconds = deadline - time.monotonic()
                if records or remaining_seconds <= 0:
                    return records
                time.sleep(min(_SLEEP_SECONDS, remaining_seconds))

    def close(self) -> None:
        self._connection.close()

    def _read_if_changed(self, limit: int) -> list[Record]:
        # Taken before the read: a commit between the two is seen by the next look.
        (version,) = self._connection.execute("PRAGMA data_version").fetchone()
        if version == self._drained_version:
            return []
        records = self._read(limit)
        if len(records) < limit:
            self._drained_version = version
        elif records:
            # The partition that filled the poll goes to the end of the line: none starves.
            last = TopicPartition(records[-1].topic, records[-1].partition)
            self._turn.remove(last)
            self._turn.append(last)
        return records

    def _read(self, limit: int) -> list[Record]:
        if not self._turn:
            return []
        ranges: list[int] = []
        for partition in self._turn:
            floor = self._lanes[partition] * LANE_SIZE
            ranges += (floor + self._next[partition], floor + LANE_SIZE)
        records = []
        for place, key, value in self._connection.execute(self._looking, [*ranges, limit]).fetchall():
            lane, offset = divmod(place, LANE_SIZE)
            partition = self._partitions[lane]
            self._next[partition] = offset + 1
            records.append(Record(*partition, offset, key, value))
        return records

    def _check_positions(self) -> None:
        if self._checked:
            return
        for partition, offset in self._next.items():
            end = end_of(self._connection, self._lanes[partition])
            if not 0 <= offset <= end:
                raise PositionLostError(
                    f"{partition.topic}/{partition.partition} has no offset {offset}, only 0 to {end}"
                )
        self._checked = True


def _looking(ranges: int) -> str:
    """What reads so many ranges of places, one after the other, each along the table.

    A statement for each partition took several times as long, which most looks spent on finding nothing.
    """
    places = ", ".join(["(?, ?)"] * ranges)
    return (
        "SELECT place, key, value"  # noqa: S608  # question marks alone
        f" FROM (VALUES {places}) AS r CROSS JOIN records ON place >= r.column1 AND place < r.column2 LIMIT ?"
    )


def end_of(connection: sqlite3.Connection, lane: int) -> int:
    """The next offset of a lane. Its last record is never removed, not even by compaction."""
    floor = lane * LANE_SIZE
    row = connection.execute(
        "SELECT place FROM records WHERE place >= ? AND place < ? ORDER BY place DESC LIMIT 1",
        (floor, floor + LANE_SIZE),
    ).fetchone()
    return 0 if row is None else int(row[0]) - floor + 1
