"""The log port in memory, for the tests of what stands on it: one process, no durability."""

from collections.abc import Mapping, Sequence
from zlib import crc32

from events.errors import LogUnavailableError, PositionLostError
from events.log.port import Outgoing, Position, Record, TopicPartition
from events.topics import TOPICS, topic_named


class MemoryLog:
    def __init__(self) -> None:
        self.kept: dict[TopicPartition, list[Record]] = {
            TopicPartition(topic.name, number): []
            for topic in TOPICS.values()
            for number in range(topic.partitions)
        }
        self.refusing = False

    def append(self, records: Sequence[Outgoing]) -> list[Position]:
        if self.refusing:
            raise LogUnavailableError("the broker is away")
        positions = []
        for record in records:
            partition = record.partition
            if partition is None:
                partition = crc32(record.key) % topic_named(record.topic).partitions
            kept = self.kept[TopicPartition(record.topic, partition)]
            kept.append(Record(record.topic, partition, len(kept), record.key, record.value))
            positions.append(kept[-1].position)
        return positions

    def reader(self, start: Mapping[TopicPartition, int]) -> "MemoryReader":
        return MemoryReader(self, dict(start))

    def starts(self, topic: str) -> list[int]:
        return [0] * topic_named(topic).partitions

    def ends(self, topic: str) -> list[int]:
        return [
            len(self.kept[TopicPartition(topic, number)]) for number in range(topic_named(topic).partitions)
        ]

    @property
    def durability(self) -> str:
        return "none: memory"

    def close(self) -> None:
        pass


class MemoryReader:
    def __init__(self, log: MemoryLog, positions: dict[TopicPartition, int]) -> None:
        self._log = log
        self._positions = positions

    def poll(self, limit: int, wait_seconds: float) -> list[Record]:
        found: list[Record] = []
        for place, position in self._positions.items():
            kept = self._log.kept[place]
            if position > len(kept):
                raise PositionLostError(f"{place} has no position {position}")
            taken = kept[position : position + limit - len(found)]
            self._positions[place] = position + len(taken)
            found.extend(taken)
        return found

    def close(self) -> None:
        pass
