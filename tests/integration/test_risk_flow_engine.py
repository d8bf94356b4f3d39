"""The risk flow's own program with the real engine: killed, resumed, and held against a plain loop."""

import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from events.codec import encode
from events.log import open_log
from events.log.port import Log, Outgoing
from events.types import AssessmentRequested, DecisionMade
from models.engine import Engine
from pipelines import observe
from pipelines.state_store import StateStore
from tests.integration.flow_process import FlowProcess, counted, events_of, wait_for
from tests.unit.pipelines.standin import assessment

PAYMENTS = 1200


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    opened = open_log(f"sqlite:///{tmp_path}/log.sqlite")
    yield opened
    opened.close()


def start(home: Path) -> FlowProcess:
    arguments = ("--home", str(home), "--log", f"sqlite:///{home}/log.sqlite")
    return FlowProcess("pipelines.risk", *arguments, errors=home / "errors.log")


def payments_in_one_partition() -> list[AssessmentRequested]:
    """All with one key, so that their order is the log's; cards, devices and merchants mixed."""
    dice = random.Random(11)
    return [
        assessment(number, amount_minor=dice.randint(100, 90_000), merchant_id=f"m{dice.randint(0, 9)}")
        for number in range(PAYMENTS)
    ]


def test_after_kills_scores_and_state_are_those_of_a_run_without_any(tmp_path: Path, log: Log) -> None:
    payments = payments_in_one_partition()
    dice = random.Random(5)
    sent = 0
    for until in (300, 600, 900, 1150):
        with start(tmp_path) as flow:
            assert flow.wait_until_ready()
            while sent < until:
                few = payments[sent : sent + dice.randint(1, 20)]
                log.append([Outgoing("assessments", b"one", encode(event)) for event in few])
                sent += len(few)
            time.sleep(dice.uniform(0.0, 1.5))
            flow.kill()
    log.append([Outgoing("assessments", b"one", encode(event)) for event in payments[sent:]])
    with start(tmp_path) as flow:
        assert flow.wait_until_ready()
        wait_for(lambda: counted(log, "decisions") >= PAYMENTS)
        assert flow.stop() == 0

    decided = [event for event in events_of(log, "decisions") if isinstance(event, DecisionMade)]
    engine = Engine()
    (partition,) = {event.request_partition for event in decided}
    expected = engine.assess([observe.observation(event, partition) for event in payments])
    assert [event.payment_id for event in decided] == [event.payment_id for event in payments]
    for made, said in zip(decided, expected, strict=True):
        assert (made.probability, made.features, made.sequence) == (
            said.probability,
            said.features,
            said.sequence,
        )
        assert (made.outcome, made.rules, made.anomaly) == (said.outcome, said.rules, said.anomaly)
    kept = {
        key.removeprefix("engine/"): value
        for key, value in StateStore(tmp_path / "risk" / "0" / "state" / "state.sqlite").rows()
        if key.startswith("engine/")
    }
    assert kept == engine.changed_rows()


def test_state_of_another_log_is_refused_in_words(tmp_path: Path, log: Log) -> None:
    log.append([Outgoing("assessments", b"one", encode(assessment(1)))])
    with start(tmp_path) as flow:
        wait_for(lambda: counted(log, "decisions") == 1)
        assert flow.stop() == 0
    other = f"sqlite:///{tmp_path}/other.sqlite"

    with FlowProcess(
        "pipelines.risk", "--home", str(tmp_path), "--log", other, errors=tmp_path / "errors.log"
    ) as flow:
        assert flow.wait() == 1

    assert "Is this the log that the flow's state was made from?" in (tmp_path / "errors.log").read_text()
