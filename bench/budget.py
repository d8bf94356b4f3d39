"""Where the time of a confirm goes: each hop beside its budget, from the figures that the programs show.

An open loop as in `bench.confirm`, everything running, durability FULL. Hops are read from `/metrics` before
and after, as any Prometheus would; together they are the whole. `WEIR_BUDGET_SECONDS` (60),
`WEIR_BUDGET_RATE` (100 a second) and `WEIR_BUDGET_RUNS` (3) make it shorter or longer.
"""

import asyncio
import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.confirm import AHEAD_SECONDS, WARM_UP_SECONDS, Shop, opened, with_plan
from bench.open_loop import paced
from bench.record import Figure, figure, record
from gateway.backoffice import Backoffice
from operations.figures import Passed, read
from operations.frame import HOPS, Frame, frame_of
from operations.merchants import FIRST
from operations.platform import Platform, running
from operations.settings import from_options
from operations.watched import targets

SECONDS, RATE_PER_SECOND, RUNS = 60.0, 100.0, 3
DEADLINE_MS = 250

BUDGET_MS = {"api": 2.0, "commit": 6.0, "log": 3.0, "flow": 1.0, "reply": 1.5, "acquirer": 6.5}
"""In the mean at 100 payments a second: together the 20 ms that half of all confirms may take. Commit and
acquirer have two syncs each, log and reply a poll and a hand-over."""


def main() -> None:
    """Several runs, each on a platform of its own."""
    seconds = float(os.environ.get("WEIR_BUDGET_SECONDS", SECONDS))
    rate = float(os.environ.get("WEIR_BUDGET_RATE", RATE_PER_SECOND))
    runs = [
        asyncio.run(_measured(rate, seconds)) for _ in range(int(os.environ.get("WEIR_BUDGET_RUNS", RUNS)))
    ]
    record("budget", figures(rate, runs))


def figures(rate: float, runs: list[Frame]) -> list[Figure]:
    """Mean and p99 of each hop, the whole, and whether the hops together are the whole."""
    whole = [run.whole.mean_ms or 0.0 for run in runs]
    rows = [
        figure(
            f"{hop}, mean at {rate:g}/s",
            [run.hops[hop].mean_ms or 0.0 for run in runs],
            "ms",
            goal=BUDGET_MS[hop],
            at_most=True,
            baseline=sum(whole) / len(whole),
            note="baseline: the whole of confirms that the engine decided, mean",
        )
        for hop in HOPS
    ]
    for hop in HOPS:
        tails = [tail for run in runs if (tail := run.hops[hop].p99_ms) is not None]
        if tails:
            rows.append(figure(f"{hop}, p99 at {rate:g}/s", tails, "ms"))
    rows.append(figure(f"whole, mean at {rate:g}/s", whole, "ms", goal=sum(BUDGET_MS.values()), at_most=True))
    together = [sum(run.hops[hop].mean_ms or 0.0 for hop in HOPS) for run in runs]
    shares = [hops / mean for hops, mean in zip(together, whole, strict=True) if mean]
    rows.append(figure("hops together over the whole", shares, "share", note="1 but for rounding"))
    return rows


async def _measured(rate: float, seconds: float) -> Frame:
    with TemporaryDirectory(prefix="weir-bench-") as folder:
        wanted = from_options(Path(folder) / "home", None, "127.0.0.1", 0, "sqlite", DEADLINE_MS)
        async with running(wanted, print) as platform:
            Backoffice(wanted.home, wanted.keys).change_merchant(FIRST[0].id, with_plan)
            return await _looked_at(platform, wanted.home, rate, seconds)


async def _looked_at(platform: Platform, home: Path, rate: float, seconds: float) -> Frame:
    async with opened(platform) as client:
        shop = Shop(client, platform)
        warm, count = int(rate * WARM_UP_SECONDS), int(rate * seconds)
        start = time.perf_counter()
        preparing = asyncio.create_task(paced(shop.prepare, warm + count, rate, start))
        confirming = asyncio.create_task(paced(shop.confirm, warm + count, rate, start + AHEAD_SECONDS))
        await asyncio.sleep(AHEAD_SECONDS + WARM_UP_SECONDS)
        before = await asyncio.to_thread(read, targets(home), time.monotonic())
        await confirming
        await preparing
        now = await asyncio.to_thread(read, targets(home), time.monotonic())
        return frame_of(Passed(before, now))


if __name__ == "__main__":
    main()
