"""Which replies the sink sends: each request is answered once, whatever a flow computes again."""

from collections.abc import Mapping

import pytest

from events.codec import decode, encode
from events.errors import UnreadableEventError
from events.log.port import Outgoing, Position, TopicPartition
from events.types import DecisionMade
from pipelines import observe
from pipelines.errors import SendError
from pipelines.sink import Reply, ReplySink, _Part
from pipelines.sink import answered as answered_between
from tests.memory_log import MemoryLog, MemoryReader
from tests.unit.pipelines.standin import START, CountingEngine, assessment


def reply(partition: int, request_offset: int) -> Reply:
    request = assessment(request_offset)
    (answer,) = CountingEngine().assess([observe.observation(request)])
    decision = observe.decision(request, answer, Position("assessments", partition, request_offset), START)
    return Reply(request_offset, Outgoing("decisions", b"card", encode(decision), partition))


def built(log: MemoryLog, resumed: dict[str, int] | None = None) -> _Part:
    return ReplySink(log, "decisions", resumed or {}).build_part("decisions", "0", None)


def answered(log: MemoryLog, partition: int = 0) -> list[int]:
    """The requests that have a reply, in the order of the replies."""
    offsets = []
    for record in log.on("decisions", partition):
        try:
            event = decode(record.value)
        except UnreadableEventError:
            continue
        assert isinstance(event, DecisionMade)
        offsets.append(event.request_offset)
    return offsets


def test_a_request_without_a_reply_is_answered_though_a_later_one_has_its_own() -> None:
    log = MemoryLog()
    log.append([reply(0, offset).outgoing for offset in (3, 4, 6)])

    built(log).write_batch([[reply(0, offset) for offset in (3, 4, 5, 6, 7)], [reply(1, 4)]])

    assert answered(log) == [3, 4, 6, 5, 7]
    assert answered(log, partition=1) == [4]


def test_replies_that_stand_in_another_order_are_not_sent_again() -> None:
    log = MemoryLog()
    log.append([reply(0, offset).outgoing for offset in (6, 5, 7)])

    built(log).write_batch([[reply(0, offset) for offset in (5, 6, 7, 8)]])

    assert answered(log) == [6, 5, 7, 8]


def test_a_resumed_sink_drops_what_was_sent_since_its_epoch() -> None:
    log = MemoryLog()
    first = built(log)
    first.write_batch([[reply(0, 1), reply(0, 2)]])
    epoch = first.places()
    first.write_batch([[reply(0, 3)]])

    built(log, epoch).write_batch([[reply(0, 3), reply(0, 4)]])

    assert answered(log) == [1, 2, 3, 4]


def test_a_resumed_sink_reads_no_replies_of_before_its_epoch() -> None:
    log = MemoryLog()
    first = built(log)
    first.write_batch([[reply(0, 1), reply(0, 2)]])

    resumed = built(log, first.places())

    assert resumed.places()["decisions/0"] == 2
    resumed.write_batch([[reply(0, 2)]])
    assert answered(log) == [1, 2, 2]


def test_what_comes_again_over_several_epochs_is_dropped_also_after_another_crash() -> None:
    log = MemoryLog()
    built(log).write_batch([[reply(0, offset) for offset in (1, 2, 3, 4)]])
    second = built(log)
    second.write_batch([[reply(0, 1), reply(0, 2)]])

    third = built(log, second.places())
    third.write_batch([[reply(0, 3), reply(0, 4), reply(0, 5)]])

    assert answered(log) == [1, 2, 3, 4, 5]
    assert third.places()["decisions/0"] == 5


def test_a_flow_that_starts_in_the_middle_of_a_log_is_told_where() -> None:
    log = MemoryLog()
    log.append([reply(0, offset).outgoing for offset in (1, 2)])
    start = {"decisions/0": 2, "assessments/0": 9}

    part = ReplySink(log, "decisions", start).build_part("decisions", "0", None)

    assert part.places() == {f"decisions/{number}": 2 if number == 0 else 0 for number in range(8)}


def test_what_answers_no_request_is_always_sent() -> None:
    log = MemoryLog()
    log.append([reply(0, 9).outgoing])
    refused = Reply(None, Outgoing("dead-letters", b"assessments", b"why"))

    for _ in range(2):
        built(log).write_batch([[refused]])

    assert len(log.on("dead-letters", 0)) == 2
    assert answered(log) == [9]


def test_unreadable_replies_hide_none_of_the_others() -> None:
    log = MemoryLog()
    broken = Outgoing("decisions", b"card", b"{broken", 0)
    log.append([reply(0, 1).outgoing, *[broken] * 40])

    built(log).write_batch([[reply(0, 1), reply(0, 2)]])

    assert answered(log) == [1, 2]


class SilentLog(MemoryLog):
    """Has replies and gives none of them."""

    def reader(self, start: Mapping[TopicPartition, int]) -> MemoryReader:
        return MemoryReader(self, {})


def test_replies_that_cannot_be_read_are_not_guessed() -> None:
    log, place = SilentLog(), TopicPartition("decisions", 0)
    log.append([reply(0, 1).outgoing])

    with pytest.raises(SendError, match="none of the last replies"):
        answered_between(log, {place: 0}, {place: 1}, seconds_max=0.05)
