"""A Bytewax sink for replies: same partition and order as the requests, each answered once.

A batch's replies are appended in one call, by the worker itself: a thread beside it would have to win the
interpreter's lock back for every single row. After a crash the flow computes some replies again: the sink
looks up the last reply of each partition in the log when it is built, and drops what stands up to it.
"""

import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import NamedTuple

from bytewax.outputs import FixedPartitionedSink, StatefulSinkPartition

from events.crash import crash_point, declare
from events.errors import LogError
from events.log.port import Log, Outgoing, TopicPartition
from events.log.reading import readable
from events.types import DecisionMade
from pipelines.errors import SendError
from pipelines.source import ONLY_PART

declare(
    {
        "risk.replies.sending": "replies are computed, none of them is in the log",
        "risk.replies.sent": "replies are in the log, the epoch that made them is not yet safe",
    }
)

LOOK_BACK_SECONDS = 60.0
"""A broker that has just come back may take a while to give what it has."""

LOOK_BACK_RECORDS, LOOK_BACK_GROWTH = 16, 4
"""Records from the end that are read first, and by how much each further look is longer.

Nearly always the last record is a reply; growth keeps looks few where many are unreadable. Round, not tuned.
"""

READ_RECORDS, READ_SECONDS = 1024, 0.2
"""One poll while looking back: nobody waits for a reply yet. Round, not tuned."""


class Reply(NamedTuple):
    """A record to send, and the request that it answers (`request_offset` None: it answers none)."""

    request_offset: int | None
    outgoing: Outgoing


class ReplySink(FixedPartitionedSink[list[Reply], None]):
    """Takes `(part of the source, replies)`. Its parts are the source's, whatever the number of workers."""

    def __init__(self, log: Log, topic: str, part: str = ONLY_PART) -> None:
        self._log = log
        self._topic = topic
        self._part = part

    def list_parts(self) -> list[str]:
        return [self._part]

    def part_fn(self, item_key: str) -> int:
        return int(item_key)

    def build_part(self, step_id: str, for_part: str, resume_state: None) -> "_Part":
        del step_id, for_part, resume_state
        return _Part(self._log, answered_to(self._log, self._topic))


class _Part(StatefulSinkPartition[list[Reply], None]):
    def __init__(self, log: Log, answered: Mapping[int, int]) -> None:
        self._log = log
        self._answered = answered

    def write_batch(self, values: list[list[Reply]]) -> None:
        fresh = [reply.outgoing for replies in values for reply in unanswered(replies, self._answered)]
        if not fresh:
            return
        crash_point("risk.replies.sending")
        try:
            self._log.append(fresh)
        except LogError as error:
            raise SendError(f"replies could not be sent: {error}") from error
        crash_point("risk.replies.sent")

    def snapshot(self) -> None:
        """What was written is durable already."""


def unanswered(replies: Sequence[Reply], answered: Mapping[int, int]) -> list[Reply]:
    """The replies whose request has none in the log; `answered`: the last answered offset by partition.

    What answers no request is sent again: its consumers know it by its id.
    """
    return [
        reply
        for reply in replies
        if reply.request_offset is None
        or reply.outgoing.partition is None
        or reply.request_offset > answered[reply.outgoing.partition]
    ]


def answered_to(log: Log, topic: str) -> dict[int, int]:
    """Per partition the offset of the last request that has a reply; -1 where none has.

    Looks backwards from the ends, further and further, for records may be unreadable. Raises `SendError`
    where the ends cannot be read in time: to guess would answer twice.
    """
    ends = dict(enumerate(log.ends(topic)))
    starts = dict(enumerate(log.starts(topic)))
    answered = dict.fromkeys(ends, -1)
    step = LOOK_BACK_RECORDS
    while open_ends := {number: end for number, end in ends.items() if end > starts[number]}:
        begins = {number: max(starts[number], end - step) for number, end in open_ends.items()}
        found = _request_offsets(log, topic, begins, open_ends)
        answered.update(found)
        ends = {number: begins[number] for number in open_ends if number not in found}
        step *= LOOK_BACK_GROWTH
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
            for record in reader.poll(READ_RECORDS, READ_SECONDS):
                if record.offset < ends[record.partition] and isinstance(
                    answer := readable(record), DecisionMade
                ):
                    found[record.partition] = max(found.get(record.partition, -1), answer.request_offset)
                if record.offset >= ends[record.partition] - 1:
                    missing.discard(record.partition)
    return found
