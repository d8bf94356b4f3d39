"""The number of risk flows changes: nothing is lost, nothing answered twice, every count goes on."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from events.clock import SystemClock
from events.log import open_log
from events.log.port import Log
from pipelines.errors import StateMismatchError
from pipelines.flow_homes import is_ready_for, settled_replies
from pipelines.rescale import rescale
from tests.e2e.crash_plan import AT_RESCALING
from tests.integration.flow_process import ROOT, counted
from tests.integration.rescaling import check_answered_once, new_step, run_flows
from tests.unit.pipelines.standin import asked, assessment


@pytest.fixture
def log_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/log.sqlite?synchronous=OFF"


@pytest.fixture
def log(log_url: str) -> Iterator[Log]:
    opened = open_log(log_url)
    yield opened
    opened.close()


def ask(log: Log, count: int) -> None:
    """So many more payments, of cards that come again."""
    first = counted(log, "assessments")
    log.append([asked(assessment(n, card=f"card{n % 37}")) for n in range(first, first + count)])


def test_one_two_three_flows_and_one_again_answer_everything_once_and_count_on(
    tmp_path: Path, log: Log
) -> None:
    for flows in (1, 2, 3, 1):
        ask(log, 50)  # what nobody has answered yet when the number changes
        rescale(tmp_path, log, SystemClock(), flows, new_step)
        assert is_ready_for(tmp_path, flows)
        run_flows(tmp_path, log, flows, lambda: ask(log, 150))

    assert counted(log, "assessments") == 800
    check_answered_once(log)


def test_a_flow_does_not_start_on_a_state_for_another_number(tmp_path: Path, log: Log) -> None:
    rescale(tmp_path, log, SystemClock(), 2, new_step)

    with pytest.raises(StateMismatchError, match="not for 3 flows"):
        settled_replies(tmp_path, 3)


def rescaled(home: Path, log_url: str, flows: int, crash_at: str) -> int:
    command = [sys.executable, "-m", "pipelines.rescale", "--home", str(home), "--log", log_url]
    environment = {"PATH": "/usr/bin:/bin", "WEIR_CRASH_AT": crash_at}
    return subprocess.run(
        [*command, "--flows", str(flows)], cwd=ROOT, env=environment, check=False
    ).returncode


@pytest.mark.timeout(300)
def test_a_kill_at_any_moment_of_a_change_is_gone_on_from(tmp_path: Path, log: Log, log_url: str) -> None:
    rescale(tmp_path, log, SystemClock(), 3, new_step)
    run_flows(tmp_path, log, 3, lambda: ask(log, 100))
    flows = 3
    later = [("rescale.home.freed", 2), ("rescale.home.taken", 2), ("rescale.plan.written", 3)]
    for point, passing in [*((point, 1) for point in sorted(AT_RESCALING)), *later]:
        ask(log, 20)
        flows = 5 - flows  # from three to two and back
        died = rescaled(tmp_path, log_url, flows, f"{point}:{passing}")
        assert died == -9, f"{point} was not passed {passing} times"

        rescale(tmp_path, log, SystemClock(), flows, new_step)
        assert is_ready_for(tmp_path, flows)
        run_flows(tmp_path, log, flows, lambda: ask(log, 20))

    check_answered_once(log)
