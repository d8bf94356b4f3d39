"""How many labels the learner has learned, as its published snapshots say."""

from types import TracebackType

from events.codec import decode
from events.errors import UnreadableEventError
from events.log import open_log
from events.log.port import TopicPartition
from events.types import ModelPublished

POLL_SECONDS = 0.1


class Learned:
    """Follows topic `models`: labels learned since it was opened, by the newest online snapshot."""

    def __init__(self, log_url: str) -> None:
        self._labels = 0
        self._log = open_log(log_url)
        starts = self._log.starts("models")
        self._reader = self._log.reader(
            {TopicPartition("models", partition): start for partition, start in enumerate(starts)}
        )
        while self._read():
            pass
        self._before = self._labels

    def __enter__(self) -> "Learned":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._reader.close()
        self._log.close()

    def look(self) -> int:
        """Read what is new; the labels learned so far."""
        self._read()
        return self._labels - self._before

    def _read(self) -> int:
        records = self._reader.poll(limit=100, wait_seconds=POLL_SECONDS)
        for record in records:
            try:
                event = decode(record.value)
            except UnreadableEventError:
                continue
            if isinstance(event, ModelPublished) and event.kind == "online":
                self._labels = max(self._labels, event.labels)
        return len(records)
