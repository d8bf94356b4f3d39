"""The learner's own program beside the risk flow's: from labels to scorers that know them, across kills."""

import itertools
import random
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from events.codec import encode
from events.crash import CRASH_POINTS
from events.log import open_log
from events.log.port import Log, Outgoing, Position
from events.types import DecisionMade, LabelReported, ModelPublished, PaymentCaptured
from models.engine import Engine
from pipelines import learning_flow, observe
from pipelines.observe import derived_id
from tests.integration.flow_process import FlowProcess, counted, events_of, wait_for
from tests.unit.pipelines.standin import START, asked, assessment, label

LEARNING_POINTS = sorted(name for name in CRASH_POINTS if learning_flow and name.startswith("learning."))


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Log]:
    opened = open_log(f"sqlite:///{tmp_path}/log.sqlite")
    yield opened
    opened.close()


def start(program: str, home: Path, crash_at: str = "") -> FlowProcess:
    arguments = ("--home", str(home), "--log", f"sqlite:///{home}/log.sqlite")
    return FlowProcess(program, *arguments, errors=home / "errors.log", crash_at=crash_at)


def labeled(event: LabelReported) -> Outgoing:
    return Outgoing("labels", event.payment_id.encode(), encode(event))


def captured(number: int, days: float = 0.0) -> Outgoing:
    at = START + timedelta(seconds=number, days=days)
    event = PaymentCaptured(
        id=derived_id("captured", str(number), at), occurred_at=at, payment_id=f"pi_{number}", sequence=3,
        mode="test", merchant_id="m1", amount_minor=1000, currency="EUR", authorization_id="a",
    )  # fmt: skip
    return Outgoing("payments", event.payment_id.encode(), encode(event))


def models_of(log: Log) -> list[ModelPublished]:
    return [event for event in events_of(log, "models") if isinstance(event, ModelPublished)]


def test_a_label_changes_the_scores_of_a_running_scorer(tmp_path: Path, log: Log) -> None:
    dice = random.Random(1)
    with start("pipelines.risk", tmp_path) as risk, start("pipelines.learning", tmp_path) as learning:
        assert risk.wait_until_ready()
        assert learning.wait_until_ready()
        log.append([asked(assessment(number)) for number in range(60)])
        wait_for(lambda: counted(log, "decisions") == 60)
        log.append([labeled(label(number, fraud=dice.random() < 0.5)) for number in range(50)])
        # A label two hours later passes the boundary at which the others are learned.
        log.append([labeled(label(55, occurred_at=START + timedelta(days=1, hours=2)))])
        wait_for(lambda: counted(log, "models") >= 2)

        numbers = itertools.count(60)

        def new_model_decides() -> bool:
            log.append([asked(assessment(next(numbers)))])
            made = [e for e in events_of(log, "decisions") if isinstance(e, DecisionMade)]
            return any(event.versions.online >= 1 for event in made)

        wait_for(new_model_decides)
        assert risk.stop() == 0
        assert learning.stop() == 0

    assert {(event.name, event.version) for event in models_of(log)} >= {("champion", 1)}
    learned_to = [event.learned_to for event in models_of(log)]
    assert all(any(place.startswith("labels/") for place in places) for places in learned_to)


def test_captured_payments_that_nobody_reports_become_genuine_and_blocked_ones_do_not(
    tmp_path: Path, log: Log
) -> None:
    with start("pipelines.risk", tmp_path) as risk, start("pipelines.learning", tmp_path) as learning:
        assert risk.wait_until_ready()
        assert learning.wait_until_ready()
        log.append([asked(assessment(number)) for number in range(10)])
        wait_for(lambda: counted(log, "decisions") == 10)
        log.append([captured(number) for number in range(5)])
        log.append([labeled(label(4))])

        log.append([captured(99, days=31)])

        wait_for(lambda: counted(log, "labels") == 5)
        assert risk.stop() == 0
        assert learning.stop() == 0

    matured = [e for e in events_of(log, "labels") if isinstance(e, LabelReported) and e.kind == "matured"]
    assert {(event.payment_id, event.fraud) for event in matured} == {(f"pi_{n}", False) for n in range(4)}
    assert all(event.occurred_at - START >= timedelta(days=30) for event in matured)


def decided(engine: Engine, number: int) -> Outgoing:
    event = assessment(number)
    (said,) = engine.assess([observe.observation(event)])
    made = observe.decision(event, said, Position("assessments", 0, number), START)
    return Outgoing("decisions", b"one", encode(made))


def hours_of_labels(dice: random.Random, day: int) -> list[Outgoing]:
    """Ten labels an hour for five hours, all in one partition."""
    events = [
        label(
            number,
            fraud=dice.random() < 0.3,
            occurred_at=START + timedelta(days=day, minutes=6 * (number % 50)),
        )
        for number in range(day * 50, day * 50 + 50)
    ]
    return [Outgoing("labels", b"one", encode(event)) for event in events]


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home whose learner knows 200 decisions and no label yet."""
    home = tmp_path_factory.mktemp("scored")
    engine = Engine()
    with closing(open_log(f"sqlite:///{home}/log.sqlite")) as log:
        log.append([decided(engine, number) for number in range(200)])
        with start("pipelines.learning", home) as learning:
            assert learning.wait_until_ready()
            wait_for(lambda: committed(home, "decisions") == 200)
            assert learning.stop() == 0
    return home


def learned(scored: Path, home: Path, point: str = "") -> dict[tuple[str, int], set[bytes]]:
    """What a learner publishes from labels of two days; killed at `point`, if it has one."""
    shutil.copytree(scored, home, dirs_exist_ok=True)
    dice = random.Random(2)
    with closing(open_log(f"sqlite:///{home}/log.sqlite")) as log:
        log.append(hours_of_labels(dice, 1) + hours_of_labels(dice, 2))
        if point:
            with start("pipelines.learning", home, crash_at=point) as learning:
                assert learning.wait() == -9
        with start("pipelines.learning", home) as learning:
            assert learning.wait_until_ready()
            wait_for(lambda: committed(home, "labels") == 100)
            assert learning.stop() == 0
        found: dict[tuple[str, int], set[bytes]] = {}
        for event in models_of(log):
            found.setdefault((event.name, event.version), set()).add(event.state)
    return found


def committed(home: Path, topic: str) -> int:
    """How many records of a topic the learner has safely behind it."""
    with closing(sqlite3.connect(home / "learning" / "learning.sqlite")) as connection:
        rows = connection.execute("SELECT next FROM positions WHERE place LIKE ?", (topic + "/%",))
        return sum(row[0] for row in rows)


@pytest.fixture(scope="module")
def undisturbed(scored: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, int], set[bytes]]:
    return learned(scored, tmp_path_factory.mktemp("undisturbed"))


@pytest.mark.parametrize("point", LEARNING_POINTS)
def test_a_learner_killed_at_each_crash_point_publishes_what_an_undisturbed_one_does(
    tmp_path: Path, scored: Path, undisturbed: dict[tuple[str, int], set[bytes]], point: str
) -> None:
    assert len(undisturbed) >= 16

    assert learned(scored, tmp_path, point) == undisturbed
