"""kill -9 of the five programs at moments of chance, under load, on both logs: nothing is lost or doubled."""

import asyncio
import os
import random
from functools import partial
from pathlib import Path

import pytest

from tests.e2e.closing import closed_books
from tests.e2e.merchant import merchant_of
from tests.e2e.shopping import KINDS, Shopping
from tests.e2e.whole_platform import FIVE, WholePlatform, whole_platform

pytestmark = pytest.mark.timeout(900)

ROUNDS = 20 if os.environ.get("WEIR_SOAK") else 2
"""In each round every program dies once, in an order of chance."""

PAUSE_SECONDS_MAX = 1.5


def test_kills_at_random_moments_under_load_lose_and_double_nothing(tmp_path: Path, log_url: str) -> None:
    faults, kills = asyncio.run(_run(tmp_path, log_url))

    assert faults == []
    assert kills == dict.fromkeys(FIVE, ROUNDS)


async def _run(folder: Path, log_url: str) -> tuple[list[str], dict[str, int]]:
    async with whole_platform(folder, log_url) as platform, merchant_of(platform) as merchant:
        shopping = Shopping(merchant, seed=2)
        await shopping.buy(len(KINDS))
        killing = asyncio.create_task(_kill(platform, random.Random(2)))
        await shopping.until(killing.done)
        await killing
        await platform.until_ready(*FIVE)
        await shopping.buy(len(KINDS))
        await shopping.close_the_day()
        title = f"kills at random, {log_url.partition(':')[0]}"
        faults = await closed_books(platform, merchant.notebook, title, folder)
        return faults, {name: len(platform.chronicles[name].outside) for name in FIVE}


async def _kill(platform: WholePlatform, dice: random.Random) -> None:
    for _ in range(ROUNDS):
        for name in dice.sample(FIVE, len(FIVE)):
            await asyncio.sleep(dice.uniform(0, PAUSE_SECONDS_MAX))
            await platform.until(partial(platform.kill, name), f"{name} to be killed")
