"""The simulation itself: seeds are clean and replay, planted bugs are found (`make simulate` plays more)."""

import asyncio
import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import Connection

from gateway.errors import StoreUnavailableError
from gateway.scheduling import InlineScheduling
from tests.simulation.disks import SimulatedStore, disk_from, engines
from tests.simulation.planted import BUGS, rewritten

FOUND_AT = {
    "a reversal is lost": 0,
    "a payment under review is captured without the check": 0,
    "an outbox row is marked as sent before it is": 0,
    "the processor answers before its outcome is durable": 138,
    "a debt is forgotten at a restart": 105,
    "an authorization in doubt is sent again": 500,
    "a late decision acts each time it comes": 165,
    "a sequence number is skipped": 0,
    "a review can be approved twice": 435,
    "a tombstone is not kept": 75,
    "an increment goes beyond what was decided": 20,
    "an increment goes round the law": 170,
    "a part is taken for the whole": 0,
    "decisions are passed before they have acted": 0,
}
"""Seeds from which on each planted bug is soon found; `make simulate PLANTED=1` finds them from 0 on."""


def simulated(*arguments: str, hash_seed: str = "0") -> subprocess.CompletedProcess[str]:
    """In a process of its own, whose imports are the same wherever it is started from."""
    return subprocess.run(
        [sys.executable, "-m", "tests.simulation", *arguments],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def test_a_hundred_seeds_of_the_life_cycle_keep_every_promise() -> None:
    played = simulated("--seeds", "100", "--workers", "1")

    assert played.returncode == 0, played.stdout + played.stderr


def test_a_seed_tells_the_same_story_every_time_whatever_the_order_of_sets() -> None:
    first, again = simulated("7", hash_seed="1"), simulated("7", hash_seed="2")

    assert "the log's digest is" in first.stdout, first.stderr
    assert first.stdout == again.stdout
    assert first.stdout != simulated("8").stdout


@pytest.mark.parametrize("bug", BUGS)
def test_a_planted_bug_is_found(bug: str) -> None:
    found = simulated("--bug", bug, "--first", str(FOUND_AT[bug]), "--seeds", str(1000 - FOUND_AT[bug]))

    assert found.stdout.startswith("seed "), found.stdout + found.stderr


def test_a_seed_that_finds_something_replays() -> None:
    bug = "a sequence number is skipped"
    found = simulated("--bug", bug, "--seeds", "1000")
    seed, what = found.stdout.split(",")[0].removeprefix("seed "), found.stdout.split(": ", 1)[1].strip()

    again = simulated(seed, "--bug", bug)

    assert again.returncode == 1
    assert what in again.stderr
    assert "no more faults" in again.stdout or "VIOLATION" in again.stdout


@pytest.mark.parametrize("bug", BUGS)
def test_what_a_planted_bug_would_change_stands_once_in_its_module(bug: str) -> None:
    found = importlib.util.find_spec(BUGS[bug].module)
    assert found is not None
    assert found.origin is not None

    source = Path(found.origin).read_text()

    assert rewritten(source, BUGS[bug]) != source


def test_at_least_ten_bugs_are_planted() -> None:
    assert len(BUGS) >= 10


def test_what_the_stores_disk_does_not_give_fails_a_read_of_the_gateway() -> None:
    fails = iter([False, True, False])

    def found(connection: Connection) -> int:
        one: int = connection.exec_driver_sql("SELECT 1").scalar_one()
        return one

    async def story() -> None:
        disk = disk_from(b"")
        engines().put(disk)
        store = SimulatedStore(disk, InlineScheduling(), lambda: next(fails))

        assert await store.read(found) == 1
        with pytest.raises(StoreUnavailableError):
            await store.read(found)
        assert await store.read(found) == 1

    asyncio.run(story())
