"""Crash points: a process dies exactly where the environment says."""

import os
import signal
import subprocess
import sys

import pytest

from events.crash import CRASH_POINTS, crash_point, declare, watched

PROGRAM = """
from events.crash import crash_point, declare
declare({"test.point": "nothing is durable"})
for passing in range(3):
    print(passing, flush=True)
    crash_point("test.point")
"""


def run(plan: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "WEIR_CRASH_AT": plan}
    command = [sys.executable, "-c", PROGRAM]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


@pytest.mark.parametrize(("plan", "printed"), [("test.point", "0"), ("test.point:3", "0 1 2")])
def test_a_process_dies_at_the_named_passing_as_under_kill_9(plan: str, printed: str) -> None:
    result = run(plan)

    assert result.returncode == -signal.SIGKILL
    assert result.stdout.split() == printed.split()


def test_without_a_plan_a_point_does_nothing() -> None:
    assert run("").returncode == 0


def test_an_undeclared_point_is_an_error() -> None:
    with pytest.raises(ValueError, match="not declared"):
        crash_point("nobody.declared.this")


def test_a_name_belongs_to_one_module() -> None:
    declare({"test.owned": "one meaning"})
    try:
        with pytest.raises(ValueError, match="declared twice"):
            declare({"test.owned": "another meaning"})
    finally:
        del CRASH_POINTS["test.owned"]


def test_a_watcher_hears_of_each_point_that_is_passed_and_ends_the_work_by_what_it_raises() -> None:
    passed: list[str] = []

    def watch(name: str) -> None:
        passed.append(name)
        if len(passed) == 2:
            raise InterruptedError

    declare({"test.watched": "nothing is durable"})
    try:
        with watched(watch):
            crash_point("test.watched")
            with pytest.raises(InterruptedError):
                crash_point("test.watched")
        crash_point("test.watched")
    finally:
        del CRASH_POINTS["test.watched"]

    assert passed == ["test.watched"] * 2
