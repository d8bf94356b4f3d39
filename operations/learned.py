"""How many reported labels the learner has learned, as the log says."""

from types import TracebackType

from events.codec import decode
from events.errors import UnreadableEventError
from events.log import open_log
from events.log.port import TopicPartition
from events.types import LabelReported, ModelPublished

POLL_SECONDS = 0.1
TOPICS = ("models", "labels")


class Learned:
    """Follows topics `models` and `labels`: reported labels learned since it was opened.

    A snapshot counts every label in it, also those that matured without a report. As each of these stands
    on the log before a snapshot can hold it, their difference is a lower bound of the reports learned.
    """

    def __init__(self, log_url: str) -> None:
        self._in_snapshots = 0
        self._matured = 0
        self._log = open_log(log_url)
        self._reader = self._log.reader(
            {
                TopicPartition(topic, partition): start
                for topic in TOPICS
                for partition, start in enumerate(self._log.starts(topic))
            }
        )
        while self._read():
            pass
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
        self._read()
        return max(0, self._reports() - self._before)

    def _reports(self) -> int:
        return self._in_snapshots - self._matured

    def _read(self) -> int:
        records = self._reader.poll(limit=1000, wait_seconds=POLL_SECONDS)
        for record in records:
            try:
                event = decode(record.value)
            except UnreadableEventError:
                continue
            if isinstance(event, ModelPublished) and event.kind == "online":
                self._in_snapshots = max(self._in_snapshots, event.labels)
            elif isinstance(event, LabelReported) and event.kind == "matured":
                self._matured += 1
        return len(records)
