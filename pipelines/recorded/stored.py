"""The decisions of the log, asked for request by request in the order in which they were answered."""

from collections.abc import Callable
from contextlib import ExitStack, closing

from events.log.port import Log, Reader, TopicPartition
from events.log.reading import WAIT_SECONDS, readable
from events.types import DecisionMade
from pipelines.errors import NotInLogError

TOPIC = "decisions"

LATE_REPLIES = 10_000
"""So far behind its place, in replies of its partition, a reply is still found: on Kafka one whose sending
timed out stands after later ones."""

_POLL_RECORDS = 1_000


class StoredDecisions:
    """What stood on the log when this was made. Requests of a partition are asked for in their order, until
    `begin_again`.
    """

    def __init__(self, log: Log) -> None:
        self._log = log
        self._starts, self._ends = log.starts(TOPIC), log.ends(TOPIC)
        self._partitions: dict[int, _Partition] = {}
        self._readers = ExitStack()

    @property
    def count(self) -> int:
        """How many there are."""
        return sum(self._ends) - sum(self._starts)

    def answer_to(self, partition: int, request_offset: int) -> DecisionMade | None:
        """The answer to a request; None: it has none yet, or never had."""
        of = self._partitions.get(partition)
        if of is None:
            of = self._partitions[partition] = self._opened(partition)
        return of.answer_to(request_offset)

    def has_passed(self, partition: int, request_offset: int) -> bool:
        """Whether a later request of the partition has an answer."""
        of = self._partitions.get(partition)
        return of is not None and of.latest > request_offset

    def begin_again(self) -> None:
        """From the first decision of each partition."""
        self._readers.close()
        self._partitions = {}

    def close(self) -> None:
        """Nothing is asked any more."""
        self._readers.close()

    def _opened(self, partition: int) -> "_Partition":
        start = self._starts[partition]
        reader = self._log.reader({TopicPartition(TOPIC, partition): start})
        self._readers.enter_context(closing(reader))
        return _Partition(reader, start, self._ends[partition])


class _Partition:
    def __init__(self, reader: Reader, start: int, end: int) -> None:
        self._reader = reader
        self._next, self._end = start, end
        self._ahead: dict[int, DecisionMade] = {}
        self.latest = -1

    def answer_to(self, request_offset: int) -> DecisionMade | None:
        while request_offset not in self._ahead and self._next < self._end:
            if self.latest > request_offset and len(self._ahead) > LATE_REPLIES:
                break
            self._read(lambda offset: offset >= request_offset)
        return self._ahead.pop(request_offset, None)

    def _read(self, is_wanted: Callable[[int], bool]) -> None:
        records = self._reader.poll(_POLL_RECORDS, WAIT_SECONDS)
        if not records:
            raise NotInLogError(f"the log has given none of its decisions for {WAIT_SECONDS:.0f} s")
        for record in records:
            self._next = record.offset + 1
            answer = readable(record)
            if record.offset < self._end and isinstance(answer, DecisionMade):
                self.latest = max(self.latest, answer.request_offset)
                if is_wanted(answer.request_offset):
                    self._ahead[answer.request_offset] = answer
