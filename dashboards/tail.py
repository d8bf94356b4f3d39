"""Follows the log in a thread of its own and keeps a live view up to date.

An error that nobody foresaw is told and tried again. To end the program, as the gateway's do, would in time
end the platform: a page that cannot show one record is no reason to take no payments.
"""

import logging
import threading
import time
from collections.abc import Callable, Mapping

from dashboards.live_view import LiveView
from events.errors import LogError
from events.log import open_log
from events.log.port import Log, Reader, Record, TopicPartition
from events.log.reading import readable

_log = logging.getLogger(__name__)

TOPICS = ("models", "assessments", "decisions", "payments", "labels")
HISTORY_RECORDS = 200
"""How far back a page that starts looks, in each partition: enough to fill the table."""
POLL_RECORDS_MAX = 500
POLL_WAIT_SECONDS = 0.25
RETRY_SECONDS = 1.0


class Tail:
    """The thread. `lock` guards the view; `reachable` says whether the log answers."""

    def __init__(self, log_url: str, view: LiveView) -> None:
        self.lock = threading.Lock()
        self.reachable = False
        self._url = log_url
        self._view = view
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="tail", daemon=True)

    def start(self) -> None:
        """Begin to follow."""
        self._thread.start()

    def stop(self) -> None:
        """Stop following; waits a few seconds for the thread."""
        self._stop.set()
        self._thread.join(timeout=3.0)

    def _follow(self) -> None:
        next_offsets: dict[TopicPartition, int] = {}
        while not self._stop.is_set():
            try:
                self._follow_until_it_breaks(next_offsets)
            except LogError:
                self._rest(next_offsets)
            except Exception:
                _log.exception("following the log failed, and is tried again")
                self._rest(next_offsets)

    def _rest(self, next_offsets: dict[TopicPartition, int]) -> None:
        self.reachable = False
        # Positions lost to retention or to a new log: begin again where the log now is.
        next_offsets.clear()
        self._stop.wait(RETRY_SECONDS)

    def _follow_until_it_breaks(self, next_offsets: dict[TopicPartition, int]) -> None:
        log = open_log(self._url)
        try:
            ends = _ends(log)
            reader = log.reader(next_offsets or _recent(log, ends))
            try:
                self._read(reader, next_offsets, ends)
            finally:
                reader.close()
        finally:
            log.close()

    def _read(
        self, reader: Reader, next_offsets: dict[TopicPartition, int], ends: Mapping[TopicPartition, int]
    ) -> None:
        while not self._stop.is_set():
            records = reader.poll(POLL_RECORDS_MAX, POLL_WAIT_SECONDS)
            self.reachable = True
            with self.lock:
                take_all(self._view, records, time.monotonic, ends)
            for record in records:
                next_offsets[TopicPartition(record.topic, record.partition)] = record.offset + 1


def take_all(
    view: LiveView,
    records: list[Record],
    monotonic: Callable[[], float],
    ends: Mapping[TopicPartition, int],
) -> None:
    """Take records in; those before `ends` as history. One that can't be read is for the dead letters."""
    for record in records:
        if (event := readable(record)) is not None:
            end = ends.get(TopicPartition(record.topic, record.partition), 0)
            view.take(event, monotonic(), live=record.offset >= end)


def _ends(log: Log) -> dict[TopicPartition, int]:
    """The next offsets now: what stands before them was not seen coming."""
    return {
        TopicPartition(topic, partition): end
        for topic in TOPICS
        for partition, end in enumerate(log.ends(topic))
    }


def _recent(log: Log, ends: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
    starts = {topic: log.starts(topic) for topic in TOPICS}
    return {
        place: max(starts[place.topic][place.partition], end - HISTORY_RECORDS) for place, end in ends.items()
    }
