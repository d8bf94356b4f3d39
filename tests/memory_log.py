"""The log port in memory, for tests of what stands on it: one process, and nothing outlives it.

It passes the contract suite of the real adapters, as far as one process can.
"""

import threading
from collections import deque
from collections.abc import Mapping, Sequence

from events.codec import decode
from events.errors import LogUnavailableError, PositionLostError
from events.log.admission import admitted, declared
from events.log.port import Durability, Outgoing, Position, Record, TopicPartition
from events.topics import topic_named
from events.types import Event


class MemoryLog:
    durability = Durability("nothing survives: memory", is_weak=True)

    def __init__(self) -> None:
        self.records: dict[TopicPartition, list[Record]] = {}
        self.written: list[Record] = []
        self.refusing = False
        self.changed = threading.Condition()

    def append(self, records: Sequence[Outgoing]) -> list[Position]:
        if self.refusing:
            raise LogUnavailableError("the broker is away")
        with self.changed:
            placed = [self._placed(record, place) for record, place in [(r, admitted(r)) for r in records]]
            self.written += placed
            self.changed.notify_all()
        return [record.position for record in placed]

    def _placed(self, record: Outgoing, place: TopicPartition) -> Record:
        kept = self.records.setdefault(place, [])
        kept.append(Record(place.topic, place.partition, len(kept), record.key, record.value))
        return kept[-1]

    def reader(self, start: Mapping[TopicPartition, int]) -> "MemoryReader":
        return MemoryReader(self, {declared(place): offset for place, offset in start.items()})

    def starts(self, topic: str) -> list[int]:
        return [0] * topic_named(topic).partitions

    def ends(self, topic: str) -> list[int]:
        return [len(self.on(topic, number)) for number in range(topic_named(topic).partitions)]

    def close(self) -> None:
        return

    def on(self, topic: str, partition: int) -> list[Record]:
        """The records of one partition."""
        return self.records.get(TopicPartition(topic, partition), [])

    def events(self, topic: str) -> list[Event]:
        """Everything on a topic, by time and then by place."""
        found = [decode(r.value) for place, rs in self.records.items() if place.topic == topic for r in rs]
        return sorted(found, key=lambda event: event.id)


class MemoryReader:
    def __init__(self, log: MemoryLog, start: dict[TopicPartition, int]) -> None:
        self._log = log
        self._next = start
        self._turns = deque(start)

    def poll(self, limit: int, wait_seconds: float) -> list[Record]:
        with self._log.changed:
            found = self._taken(limit)
            if not found and wait_seconds:
                self._log.changed.wait(wait_seconds)
                found = self._taken(limit)
        return found

    def _taken(self, limit: int) -> list[Record]:
        found: list[Record] = []
        for place in list(self._turns):
            offset, kept = self._next[place], self._log.on(*place)
            if not 0 <= offset <= len(kept):
                raise PositionLostError(f"{place.topic}/{place.partition} has no position {offset}")
            taken = kept[offset : offset + limit - len(found)]
            self._next[place] += len(taken)
            found += taken
        self._turns.rotate(-1)  # who came first comes last at the next poll
        return found

    def close(self) -> None:
        return
