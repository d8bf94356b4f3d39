"""A Bytewax sink for replies: same partition and order as the requests, each answered once.

The sink's partitions are those of the topic, whatever the number of workers. One thread appends what all of
them were given, so that scoring goes on while the log makes replies durable; an epoch ends only when all of
its replies are. After a crash the flow computes some replies again: each partition looks up its last reply in
the log when it is built and drops what stands up to it.
"""

import threading
from collections.abc import Sequence
from typing import Any, NamedTuple

from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition

from events.codec import decode
from events.crash import crash_point, declare
from events.errors import LogError, UnreadableEventError
from events.log.port import Log, Outgoing, TopicPartition
from events.topics import topic_named
from events.types import DecisionMade
from pipelines.errors import SendError

declare(
    {
        "risk.replies.sending": "replies are computed, none of them is in the log",
        "risk.replies.sent": "replies are in the log, the epoch that made them is not yet safe",
    }
)

WAITING_REPLIES = 4096
"""Replies that may wait for the log before scoring waits too."""

SIDE_PART = "side"
"""The sink partition for what is no reply: dead letters. Sorts after the numbered ones."""


class Reply(NamedTuple):
    """A record to send, and the offset of the request that it answers (None: it answers none)."""

    request_offset: int | None
    outgoing: Outgoing


class Sender:
    """Appends in the order given, in a thread of its own, as many at a time as wait."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._waiting: list[Outgoing] = []
        self._sending = 0
        self._failure: Exception | None = None
        self._closing = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="replies", daemon=True)
        self._thread.start()

    def send(self, records: Sequence[Outgoing]) -> None:
        """Hand over; waits while too much is under way. Raises `SendError` if an earlier send failed."""
        with self._changed:
            self._changed.wait_for(lambda: self._failure or len(self._waiting) < WAITING_REPLIES)
            self._raise_failure()
            self._waiting.extend(records)
            self._changed.notify_all()

    def flush(self) -> None:
        """Return when all that was handed over is durable; raises `SendError`."""
        with self._changed:
            self._changed.wait_for(lambda: self._failure or not (self._waiting or self._sending))
            self._raise_failure()

    def close(self) -> None:
        """End the thread after what still waits. Never raises: `flush` has told of failures."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closing)
                records, self._waiting = self._waiting, []
                self._sending = len(records)
                self._changed.notify_all()
            if not records:
                return
            try:
                crash_point("risk.replies.sending")
                self._log.append(records)
                crash_point("risk.replies.sent")
            except LogError as error:
                self._fail(error)
                return
            with self._changed:
                self._sending = 0
                self._changed.notify_all()

    def _fail(self, error: Exception) -> None:
        with self._changed:
            self._failure = error
            self._changed.notify_all()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise SendError(f"replies could not be sent: {self._failure}") from self._failure


class ReplySink(FixedPartitionedSink[list[Reply], None]):
    """Takes `(partition key, replies)`; keys are those of `partition_key`, or `SIDE_PART`."""

    def __init__(self, log: Log, topic: str) -> None:
        self._log = log
        self._topic = topic
        self._sender: Sender | None = None

    def list_parts(self) -> list[str]:
        return [partition_key(number) for number in range(topic_named(self._topic).partitions)] + [SIDE_PART]

    def part_fn(self, item_key: str) -> int:
        return topic_named(self._topic).partitions if item_key == SIDE_PART else int(item_key)

    def build_part(self, step_id: str, for_part: str, resume_state: None) -> "_Part":
        del step_id, resume_state
        if self._sender is None:
            self._sender = Sender(self._log)
        answered = -1 if for_part == SIDE_PART else answered_to(self._log, self._topic, int(for_part))
        return _Part(self._sender, answered)

    def close(self) -> None:
        """End the sending thread; call when the flow has ended."""
        if self._sender is not None:
            self._sender.close()


class _Part(StatefulSinkPartition[list[Reply], None]):
    def __init__(self, sender: Sender, answered: int) -> None:
        self._sender = sender
        self._answered = answered

    def write_batch(self, values: list[list[Reply]]) -> None:
        fresh = [
            reply.outgoing
            for replies in values
            for reply in replies
            if reply.request_offset is None or reply.request_offset > self._answered
        ]
        if fresh:
            self._sender.send(fresh)

    def snapshot(self) -> None:
        self._sender.flush()


def partition_key(partition: int) -> str:
    """The sink's key for a partition; sorts like the number."""
    return f"{partition:04}"


def answered_to(log: Log, topic: str, partition: int) -> int:
    """Offset of the last request that has a reply in a partition; -1 when none has.

    Looks backwards from the end, further and further: offsets may have gaps, and records may be unreadable.
    """
    start, end = log.starts(topic)[partition], log.ends(topic)[partition]
    step = 16
    while end > start:
        begin = max(start, end - step)
        offsets = _request_offsets(log, TopicPartition(topic, partition), begin, end)
        if offsets:
            return max(offsets)
        end, step = begin, step * 4
    return -1


def _request_offsets(log: Log, place: TopicPartition, begin: int, end: int) -> list[int]:
    reader = log.reader({place: begin})
    found: list[int] = []
    try:
        while True:
            records = reader.poll(1024, 0.2)
            answers = (_decision(record.value) for record in records if record.offset < end)
            found.extend(answer.request_offset for answer in answers if answer is not None)
            if not records or records[-1].offset >= end - 1:
                return found
    finally:
        reader.close()


def _decision(value: bytes | None) -> DecisionMade | None:
    try:
        event: Any = decode(value)
    except UnreadableEventError:
        return None
    return event if isinstance(event, DecisionMade) else None
