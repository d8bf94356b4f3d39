"""The risk flow killed under load: each assessment ends with exactly one decision, from the right state."""

import random
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from events.log import open_log
from events.log.port import Log
from events.types import AssessmentRequested, DecisionMade
from pipelines import observe
from tests.e2e import crash_plan
from tests.integration.flow_process import FlowProcess, counted, events_of, wait_for
from tests.unit.pipelines.standin import CountingEngine, asked, assessment

RISK_POINTS = [name for name in sorted(crash_plan.declared()) if name.startswith("risk.")]


class Load:
    """Appends assessments a few at a time in a thread, until told to stop."""

    def __init__(self, log: Log) -> None:
        self.count = 0
        self._log = log
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._append)
        self._thread.start()

    def stop(self) -> int:
        """How many there were."""
        self._stop.set()
        self._thread.join()
        return self.count

    def _append(self) -> None:
        dice = random.Random(7)
        while not self._stop.wait(0.005):
            few = dice.randint(1, 12)
            self._log.append([asked(assessment(self.count + i)) for i in range(few)])
            self.count += few


@pytest.fixture
def log(log_url: str) -> Iterator[Log]:
    opened = open_log(log_url, append_seconds_max=60)
    yield opened
    opened.close()


@pytest.fixture
def load(log: Log) -> Iterator[Load]:
    loading = Load(log)
    yield loading
    loading.stop()


def start(home: Path, log_url: str, crash_at: str = "") -> FlowProcess:
    arguments = (str(home / "risk"), log_url, "0.1")
    return FlowProcess(
        "tests.integration.standin_risk", *arguments, errors=home / "errors.log", crash_at=crash_at
    )


def decisions_of(log: Log) -> list[DecisionMade]:
    return [event for event in events_of(log, "decisions") if isinstance(event, DecisionMade)]


def check_exactly_once(log: Log, count: int) -> None:
    """One decision per assessment, and all of them what one engine says in the order of `sequence`."""
    asked_for = {e.id: e for e in events_of(log, "assessments") if isinstance(e, AssessmentRequested)}
    made = sorted(decisions_of(log), key=lambda decision: decision.sequence)
    sys.stdout.write(f"assessments in: {len(asked_for)}, decisions out: {len(made)}\n")
    assert len(asked_for) == count
    assert sorted(decision.assessment_id for decision in made) == sorted(asked_for)
    assert [decision.sequence for decision in made] == list(range(1, count + 1))
    engine = CountingEngine()
    for decision in made:
        (again,) = engine.assess([observe.observation(asked_for[decision.assessment_id])])
        assert decision.features == again.features
        assert decision.probability == again.probability


def finish(home: Path, log_url: str, log: Log, count: int) -> None:
    with start(home, log_url) as flow:
        assert flow.wait_until_ready()
        wait_for(lambda: counted(log, "decisions") >= count)
        assert flow.stop() == 0


def test_kills_at_random_moments_under_load_neither_lose_nor_double_a_decision(
    tmp_path: Path, log_url: str, log: Log, load: Load
) -> None:
    dice = random.Random(3)
    for _ in range(6):
        with start(tmp_path, log_url) as flow:
            assert flow.wait_until_ready()
            time.sleep(dice.uniform(0.0, 0.6))
            flow.kill()
    count = load.stop()

    finish(tmp_path, log_url, log, count)

    check_exactly_once(log, count)


@pytest.mark.parametrize("log_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("point", RISK_POINTS)
def test_a_kill_at_each_crash_point_neither_loses_nor_doubles_a_decision(
    tmp_path: Path, log_url: str, log: Log, load: Load, point: str
) -> None:
    for passing in (1, 3):
        with start(tmp_path, log_url, crash_at=f"{point}:{passing}") as flow:
            assert flow.wait() == -9, f"{point} was not passed {passing} times"
    count = load.stop()

    finish(tmp_path, log_url, log, count)

    check_exactly_once(log, count)
