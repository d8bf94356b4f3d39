"""A Bytewax sink for replies: same partition and order as the requests, each answered once.

The sink's partitions are those of the topic, whatever the number of workers. One thread appends what all of
them were given, so that scoring goes on while the log makes replies durable; an epoch ends only when all of
its replies are. After a crash the flow computes some replies again: each partition looks up its last reply in
the log when it is built and drops what stands up to it.
"""

import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
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

LOOK_BACK_SECONDS = 60.0
"""A broker that has just come back may take a while to give what it has."""

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
        self._answered: dict[int, int] = {}

    def list_parts(self) -> list[str]:
        return [partition_key(number) for number in range(topic_named(self._topic).partitions)] + [SIDE_PART]

    def part_fn(self, item_key: str) -> int:
        return topic_named(self._topic).partitions if item_key == SIDE_PART else int(item_key)

    def build_part(self, step_id: str, for_part: str, resume_state: None) -> "_Part":
        del step_id, resume_state
        if self._sender is None:
            self._answered = answered_to(self._log, self._topic)
            self._sender = Sender(self._log)
        return _Part(self._sender, -1 if for_part == SIDE_PART else self._answered[int(for_part)])

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


def answered_to(log: Log, topic: str) -> dict[int, int]:
    """Per partition the offset of the last request that has a reply; -1 where none has.

    Looks backwards from the ends, further and further, for records may be unreadable. Raises `SendError`
    where the ends cannot be read in time: to guess would answer twice.
    """
    ends = dict(enumerate(log.ends(topic)))
    starts = dict(enumerate(log.starts(topic)))
    answered = dict.fromkeys(ends, -1)
    step = 16
    while open_ends := {number: end for number, end in ends.items() if end > starts[number]}:
        begins = {number: max(starts[number], end - step) for number, end in open_ends.items()}
        found = _request_offsets(log, topic, begins, open_ends)
        answered.update(found)
        ends = {number: begins[number] for number in open_ends if number not in found}
        step *= 4
    return answered


def _request_offsets(
    log: Log, topic: str, begins: Mapping[int, int], ends: Mapping[int, int]
) -> dict[int, int]:
    """The highest request offset between begin and end of each partition, where there is a reply at all."""
    found: dict[int, int] = {}
    missing = {number for number in ends if begins[number] < ends[number]}
    deadline = time.monotonic() + LOOK_BACK_SECONDS
    with closing(log.reader({TopicPartition(topic, number): begins[number] for number in missing})) as reader:
        while missing:
            if time.monotonic() > deadline:
                raise SendError(f"the last replies in {topic} could not be read in {LOOK_BACK_SECONDS:.0f} s")
            for record in reader.poll(1024, 0.2):
                if record.offset < ends[record.partition] and (answer := _decision(record.value)) is not None:
                    found[record.partition] = max(found.get(record.partition, -1), answer.request_offset)
                if record.offset >= ends[record.partition] - 1:
                    missing.discard(record.partition)
    return found


def _decision(value: bytes | None) -> DecisionMade | None:
    try:
        event: Any = decode(value)
    except UnreadableEventError:
        return None
    return event if isinstance(event, DecisionMade) else None
