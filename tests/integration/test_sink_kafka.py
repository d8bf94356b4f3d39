"""The sink on what a Kafka producer leaves in the log when it gives up on some records of a call."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from events.codec import encode
from events.errors import LogError
from events.log import open_log
from events.log.kafka_confluent import ConfluentSender
from events.log.kafka_names import TopicNames
from events.log.port import Log, Outgoing, Position
from events.types import DecisionMade
from pipelines import observe
from pipelines.sink import Reply, ReplySink
from simulator.kafka.broker import Broker
from tests.conftest import require_a_local_broker
from tests.integration.flow_process import events_of
from tests.unit.pipelines.standin import START, CountingEngine, assessment

pytestmark = pytest.mark.kafka
SECONDS_MAX = 120
PATIENT_SECONDS = 60.0
BRIEF_SECONDS = 1.0


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    """A broker of the test's own, to be killed."""
    require_a_local_broker()
    own = Broker(tmp_path / "broker")
    own.start()
    yield own
    own.stop()


class Paused(list[Outgoing]):
    """Records of one call, with something that happens after the first was handed over."""

    def __init__(self, records: list[Outgoing], after_the_first: Callable[[], None]) -> None:
        super().__init__(records)
        self._after_the_first = after_the_first

    def __iter__(self) -> Iterator[Outgoing]:
        first, *others = super().__iter__()
        yield first
        self._after_the_first()
        yield from others


def reply(request_offset: int) -> Reply:
    request = assessment(request_offset)
    (answer,) = CountingEngine().assess([observe.observation(request)])
    decision = observe.decision(request, answer, Position("assessments", 0, request_offset), START)
    return Reply(request_offset, Outgoing("decisions", b"card", encode(decision), 0))


def answered(log: Log) -> list[int]:
    return [event.request_offset for event in events_of(log, "decisions") if isinstance(event, DecisionMade)]


def wait_until_nothing_waits(sender: ConfluentSender) -> None:
    deadline = time.monotonic() + SECONDS_MAX
    while len(sender._producer):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_reply_that_timed_out_before_one_that_was_appended_is_sent_after_a_restart(broker: Broker) -> None:
    with closing(open_log(f"kafka://{broker.bootstrap}", append_seconds_max=PATIENT_SECONDS)) as log:
        log.append([reply(0).outgoing])
        sender = ConfluentSender(broker.bootstrap, TopicNames(""), BRIEF_SECONDS)
        broker.kill()

        def the_first_times_out() -> None:
            wait_until_nothing_waits(sender)
            broker.start()

        records = Paused([reply(offset).outgoing for offset in (1, 2, 3)], the_first_times_out)
        with closing(sender), pytest.raises(LogError):
            sender.send(records, time.monotonic() + SECONDS_MAX)
        left = answered(log)

        part = ReplySink(log, "decisions").build_part("decisions", "0", None)
        part.write_batch([[reply(offset) for offset in range(5)]])

        assert 1 not in left, "the producer is expected to give up on single records"
        assert sorted(answered(log)) == [0, 1, 2, 3, 4]
