"""How many reported labels the learner has learned, as the log says."""

from collections.abc import Iterable
from types import TracebackType

from events.log import open_log
from events.log.port import Record, TopicPartition
from events.log.reading import readable, records_between
from events.types import LabelReported, ModelPublished

READ_RECORDS = 1_000
POLL_SECONDS = 0.1
TOPICS = ("models", "labels")


class Learned:
    """Follows topics `models` and `labels`: reported labels learned since it was opened.

    A snapshot counts every label in it, also those that matured without a report. As each of these stands
    on the log before a snapshot can hold it, their difference is a lower bound of the reports learned. It
    sinks while matured labels wait for the next snapshot; the highest so far stays true.
    """

    def __init__(self, log_url: str) -> None:
        self._in_snapshots = 0
        self._matured = 0
        self._most = 0
        self._log = open_log(log_url)
        ends = {
            TopicPartition(topic, partition): end
            for topic in TOPICS
            for partition, end in enumerate(self._log.ends(topic))
        }
        for place, end in ends.items():
            start = self._log.starts(place.topic)[place.partition]
            self._take(records_between(self._log, place, start, end))
        self._reader = self._log.reader(ends)
        self._before = self._reports()

    def __enter__(self) -> "Learned":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reader.close()
        self._log.close()

    def look(self) -> int:
        """Read what is new; the reported labels learned so far."""
        self._take(self._reader.poll(READ_RECORDS, POLL_SECONDS))
        self._most = max(self._most, self._reports() - self._before)
        return self._most

    def _reports(self) -> int:
        return self._in_snapshots - self._matured

    def _take(self, records: Iterable[Record]) -> None:
        for record in records:
            event = readable(record)
            if isinstance(event, ModelPublished) and event.kind == "online":
                self._in_snapshots = max(self._in_snapshots, event.labels)
            elif isinstance(event, LabelReported) and event.kind == "matured":
                self._matured += 1
