"""kill -9 of every program at every crash point, on both logs, under traffic: nothing is lost or doubled.

All points die in one platform's run, each in a life of its own; `WEIR_SOAK` gives each a platform of its own
(`make soak`), which takes long and tells faults apart.
"""

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e import crash_plan
from tests.e2e.closing import closed_books
from tests.e2e.merchant import merchant_of
from tests.e2e.shopping import KINDS, Shopping
from tests.e2e.whole_platform import FIVE, PROCESSOR, WholePlatform, whole_platform

pytestmark = pytest.mark.timeout(1200)

ALONE = bool(os.environ.get("WEIR_SOAK"))
WARM_UP = len(KINDS)
REACHED_SECONDS_MAX = 420.0


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """All points of a log in one run (None), or each in a run of its own."""
    if "point" not in metafunc.fixturenames:
        return
    runs = [
        pytest.param(kind, point, marks=pytest.mark.kafka if kind == "kafka" else ())
        for kind in ("sqlite", "kafka")
        for point in (sorted(crash_plan.of_log(kind)) if ALONE else [None])
    ]
    metafunc.parametrize(("kind", "point"), runs)


def test_every_declared_point_has_a_program_that_passes_it() -> None:
    alone = crash_plan.declared() - crash_plan.AT_RESCALING
    assert [point for point in alone if not crash_plan.owners(point)] == []


def test_kill_at_each_crash_point_loses_and_doubles_nothing(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str, point: str | None
) -> None:
    log_url = request.getfixturevalue(f"{kind}_url")
    points = crash_plan.of_log(kind) if point is None else frozenset({point})

    died_at, faults = asyncio.run(_run(tmp_path, log_url, points))

    assert faults == []
    assert died_at >= points


async def _run(folder: Path, log_url: str, points: frozenset[str]) -> tuple[frozenset[str], list[str]]:
    """The points at which a program really died, and what does not fit afterwards."""
    false_starts = crash_plan.plan(points, "first start")
    async with (
        whole_platform(folder, log_url, false_starts=false_starts) as platform,
        merchant_of(platform) as merchant,
    ):
        shopping = Shopping(merchant, seed=1)
        await shopping.buy(WARM_UP)
        for stage in crash_plan.STAGES:
            if plan := crash_plan.plan(points, stage):
                if stage == "rotation":
                    platform.ask(PROCESSOR, crash_plan.ROTATES)
                platform.condemn(plan)
                await shopping.until(_nobody_fated(platform), crash_plan.KINDS.get(stage, KINDS))
        await platform.until_ready(*FIVE)
        await shopping.buy(WARM_UP)
        await shopping.close_the_day()
        title = f"{len(points)} crash points, {log_url.partition(':')[0]}"
        faults = await closed_books(platform, merchant.notebook, title, folder)
    died_at = {name: set(chronicle.died_at) for name, chronicle in platform.chronicles.items()}
    for stage in crash_plan.STAGES:
        for name, fates in crash_plan.plan(points, stage).items():
            faults += [f"{name} never died at {fate}" for fate in fates if fate not in died_at[name]]
    reached = {
        fate.partition(":")[0] for fates in (*died_at.values(), *false_starts.values()) for fate in fates
    }
    return frozenset(reached), faults


def _nobody_fated(platform: WholePlatform) -> Callable[[], bool]:
    """True when no life is told to die any more, or when that takes too long."""
    deadline = time.monotonic() + REACHED_SECONDS_MAX
    chronicles = platform.chronicles.values()
    return lambda: time.monotonic() > deadline or not any(each.fated for each in chronicles)
