"""The log port: what every adapter promises. One contract suite holds them to it (tests/contract)."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import msgspec


class TopicPartition(NamedTuple):
    """One partition of one topic."""

    topic: str
    partition: int


class Position(NamedTuple):
    """Where a record stands. Offsets of a partition only grow, with gaps (compaction, transactions)."""

    topic: str
    partition: int
    offset: int


class Outgoing(NamedTuple):
    """A record to append. `partition` None: the key chooses; `value` None: deletes the key when compacted."""

    topic: str
    key: bytes
    value: bytes | None
    partition: int | None = None


class Durability(NamedTuple):
    """What an acknowledgement survives, in words; `is_weak`: a power loss may lose what was acknowledged."""

    words: str
    is_weak: bool = False


class Record(msgspec.Struct, frozen=True):
    """A record as read."""

    topic: str
    partition: int
    offset: int
    key: bytes
    value: bytes | None

    @property
    def position(self) -> Position:
        """Where the record stands."""
        return Position(self.topic, self.partition, self.offset)


class Reader(Protocol):
    """Reads partitions forward. Not shared between threads."""

    def poll(self, limit: int, wait_seconds: float) -> list[Record]:
        """Up to `limit` records, those of one partition in order; waits at most `wait_seconds` for the first.

        Raises `PositionLostError` where a position is not in the log, `LogUnavailableError` where it can't be
        reached for longer than the adapter's own time-out, `LogUnusableError` where it is damaged or its
        client failed for good. No record is skipped or given twice.
        """
        ...

    def close(self) -> None:
        """Give back what the reader holds; it reads no more."""
        ...


class Log(Protocol):
    """An ordered, durable, partitioned log. Safe to share between threads; many processes may open one."""

    def append(self, records: Sequence[Outgoing]) -> list[Position]:
        """Append all, in order, and return when they survive a power loss (see `durability`).

        Raises `LogUnavailableError` within `append_seconds_max` of its opening arguments; then nothing of
        this call may be relied on to be there, and nothing is half-written. In the embedded adapter the
        call is atomic; on Kafka a failed call may still have appended some of its records, in order, yet
        later ones without earlier ones: that a record is there says nothing of those before it.
        Raises `RecordTooLargeError` and `UnknownTopicError` before anything is written, `LogUnusableError`
        where the log is damaged or its client failed for good.
        """
        ...

    def reader(self, start: Mapping[TopicPartition, int]) -> Reader:
        """A reader from the given next offsets (inclusive); whether they are in the log its first poll tells.

        Raises `UnknownTopicError`, `LogUnavailableError` and `LogUnusableError`.
        """
        ...

    def starts(self, topic: str) -> list[int]:
        """First readable offset of each partition, by partition number. Raises what `ends` does."""
        ...

    def ends(self, topic: str) -> list[int]:
        """Next offset of each partition: what will be given to the record appended next.

        Raises `UnknownTopicError`, `LogUnavailableError` and `LogUnusableError`.
        """
        ...

    @property
    def durability(self) -> Durability:
        """What an acknowledgement of `append` survives."""
        ...

    def close(self) -> None:
        """Give back what the log holds, after the appends under way; its readers are closed apart."""
        ...
