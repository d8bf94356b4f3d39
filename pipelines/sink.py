"""A Bytewax sink for replies: same partition and order as the requests, each answered once.

A batch's replies are appended in one call, by the worker itself: a thread beside it would have to win the
interpreter's lock back for every single row. After a crash the flow computes some replies again. Each version
of its state says where replies then ended; from there the sink reads, when it is built, which requests were
answered since, and drops the replies to exactly those. To drop all up to the last of them would not do: an
append that failed on Kafka may have left a later reply without an earlier one, which would then never come.
"""

import time
from collections import deque
from collections.abc import Mapping
from contextlib import closing
from types import MappingProxyType
from typing import NamedTuple

from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition

from events.crash import crash_point, declare
from events.errors import LogError
from events.log.appends import record_appends
from events.log.port import Log, Outgoing, Record, TopicPartition
from events.log.reading import readable
from events.tracing import is_tracing
from events.types import DecisionMade
from pipelines.errors import SendError
from pipelines.metrics import REPLY_SECONDS
from pipelines.share import WHOLE, Share
from pipelines.source import ONLY_PART, written_positions

declare(
    {
        "risk.replies.sending": "replies are computed, none of them is in the log",
        "risk.replies.sent": "replies are in the log, the epoch that made them is not yet safe",
    }
)

LOOK_BACK_SECONDS = 60.0
"""Longest wait for the next reply of before: a broker that has just come back may take a while."""

READ_RECORDS, READ_SECONDS = 1024, 0.2
"""One poll while looking back: nobody waits for a reply yet. Round, not tuned."""

Places = Mapping[str, int]
"""Offsets by `topic/partition`, the form in which a flow keeps its positions."""


class Reply(NamedTuple):
    """A record to send, and the request that it answers (`request_offset` None: it answers none)."""

    request_offset: int | None
    outgoing: Outgoing


class ReplySink(FixedPartitionedSink[list[Reply], None]):
    """Takes `(part of the source, replies)`. Its parts are the source's, whatever the number of workers.

    `start`: from where on replies may stand that are made again; without it all that are in the log.
    `share`: its own partitions; nobody else replies there.
    """

    def __init__(
        self,
        log: Log,
        topic: str,
        start: Places = MappingProxyType({}),
        part: str = ONLY_PART,
        share: Share = WHOLE,
    ) -> None:
        self._log = log
        self._topic = topic
        self._start = start
        self._part = part
        self._share = share
        self._made: _Part | None = None

    @property
    def places(self) -> Places:
        """From where on replies stand that would be made again, by a flow that resumes from here."""
        return self._start if self._made is None else self._made.places()

    def list_parts(self) -> list[str]:
        return [self._part]

    def part_fn(self, item_key: str) -> int:
        return int(item_key)

    def build_part(self, step_id: str, for_part: str, resume_state: None) -> "_Part":
        del step_id, for_part, resume_state
        self._made = _Part(self._log, self._topic, self._start, self._share)
        return self._made


class _Part(StatefulSinkPartition[list[Reply], None]):
    def __init__(self, log: Log, topic: str, saved: Places, share: Share) -> None:
        self._log = log
        self._topic = topic
        self._begins = {
            TopicPartition(topic, number): saved.get(f"{topic}/{number}", start)
            for number, start in enumerate(log.starts(topic))
            if share.has(number)
        }
        ends = {TopicPartition(topic, number): end for number, end in enumerate(log.ends(topic))}
        self._ends = {place: ends[place] for place in self._begins}
        self._answered = answered(log, self._begins, self._ends)

    def write_batch(self, values: list[list[Reply]]) -> None:
        fresh = [reply.outgoing for replies in values for reply in replies if not self._is_answered(reply)]
        if not fresh:
            return
        crash_point("risk.replies.sending")
        began, began_ns = time.perf_counter(), time.time_ns()
        try:
            positions = self._log.append(fresh)
        except LogError as error:
            raise SendError(f"replies could not be sent: {error}") from error
        crash_point("risk.replies.sent")
        REPLY_SECONDS.observe(time.perf_counter() - began)
        if is_tracing():
            record_appends(fresh, began_ns)
        self._ends.update(
            (TopicPartition(topic, partition), offset + 1)
            for topic, partition, offset in positions
            if topic == self._topic
        )

    def snapshot(self) -> None:
        """Its places are kept with the rows of the step."""

    def places(self) -> dict[str, int]:
        """Those of before, until they have all come, then where replies end."""
        return written_positions(
            {
                place: self._begins[place] if self._answered[place] else end
                for place, end in self._ends.items()
            }
        )

    def _is_answered(self, reply: Reply) -> bool:
        """Whether its request has a reply in the log. What answers no request is known by its id."""
        if reply.request_offset is None or reply.outgoing.partition is None:
            return False
        waiting = self._answered[TopicPartition(self._topic, reply.outgoing.partition)]
        # The flow has passed over these requests this time; no reply to them will come any more.
        while waiting and waiting[0] < reply.request_offset:
            waiting.popleft()
        if waiting and waiting[0] == reply.request_offset:
            waiting.popleft()
            return True
        return False


def answered(
    log: Log,
    begins: Mapping[TopicPartition, int],
    ends: Mapping[TopicPartition, int],
    seconds_max: float = LOOK_BACK_SECONDS,
) -> dict[TopicPartition, deque[int]]:
    """The requests that have a reply between begin and end of each partition, in their order.

    Raises `SendError` where the log does not give all of it in time: to guess would answer twice, or never.
    """
    found: dict[TopicPartition, set[int]] = {place: set() for place in ends}
    missing = {place for place, end in ends.items() if begins[place] < end}
    deadline = time.monotonic() + seconds_max
    with closing(log.reader({place: begins[place] for place in missing})) as reader:
        while missing:
            records = reader.poll(READ_RECORDS, READ_SECONDS)
            if records:
                deadline = time.monotonic() + seconds_max
            elif time.monotonic() > deadline:
                raise SendError(f"the log has given none of the last replies for {seconds_max:.0f} s")
            for record in records:
                place = TopicPartition(record.topic, record.partition)
                if record.offset < ends[place]:
                    found[place].update(_request_offsets(record))
                if record.offset >= ends[place] - 1:
                    missing.discard(place)
    return {place: deque(sorted(offsets)) for place, offsets in found.items()}


def _request_offsets(record: Record) -> list[int]:
    """The request that a record answers; none where it cannot be read."""
    answer = readable(record)
    return [answer.request_offset] if isinstance(answer, DecisionMade) else []
