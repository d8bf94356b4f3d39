"""`python -m simulator.traffic`: a month of traffic; its own record goes to stdout, one JSON object a line.

The merchants' test keys are read from a file, one a line in the order of `population.MERCHANTS`.
"""

import argparse
import asyncio
import json
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from events.programs import announce
from simulator.traffic import pace
from simulator.traffic.client import Client
from simulator.traffic.month import START, plan
from simulator.traffic.population import MERCHANTS
from simulator.traffic.run import IN_FLIGHT_MAX, Run

REPORTS_LAST = timedelta(days=21)
"""A report comes at most this long after its payment."""


def record(line: dict[str, Any]) -> None:
    """One line of the simulator's own record."""
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()


def start_after(newest: datetime | None) -> datetime:
    """A month on a platform that has lived one already begins when that one's last reports have come.

    >>> start_after(datetime(2026, 2, 3, 17, 30, tzinfo=UTC))
    datetime.datetime(2026, 2, 24, 0, 0, tzinfo=datetime.timezone.utc)
    """
    if newest is None:
        return START
    day_after = datetime.combine(newest.date(), datetime.min.time(), UTC) + REPORTS_LAST
    return max(START, day_after)


async def main(arguments: argparse.Namespace) -> None:
    """Live a month that suits the machine; SIGTERM breaks it off cleanly."""
    keys = arguments.api_keys.read_text().split()
    if len(keys) != len(MERCHANTS):
        raise SystemExit(f"{arguments.api_keys} has {len(keys)} keys, not {len(MERCHANTS)}")
    async with Client(arguments.api, arguments.processor, arguments.ca, keys, IN_FLIGHT_MAX) as client:
        start = start_after(await client.newest_payment())
        announce("simulator.traffic")
        living = asyncio.create_task(live(client, arguments, start), name="month")
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, living.cancel)
        await asyncio.wait({living})
        if not living.cancelled():
            living.result()


async def live(client: Client, arguments: argparse.Namespace, start: datetime) -> None:
    """Plan the month at the rate that was asked for, else at what this machine carries, and live it."""
    run = Run(start, client, record, arguments.seed)
    rate, seconds = arguments.rate, arguments.seconds
    if rate is None:
        rate = await pace.measured(run, arguments.seed, start, seconds)
        purchases, seconds = pace.month_of(rate, seconds)
    else:
        purchases = round(seconds * rate)
    month = plan(arguments.seed, purchases, start)
    record({"kind": "plan", "purchases": month.purchases, "rate": round(rate, 1)})
    await run.live(month, seconds)


def parse(words: list[str]) -> argparse.Namespace:
    """The arguments, all of which are explicit."""
    parser = argparse.ArgumentParser(prog="simulator.traffic", description=__doc__)
    parser.add_argument("--api", required=True)
    parser.add_argument("--processor", required=True)
    parser.add_argument("--ca", type=Path, required=True)
    parser.add_argument("--api-keys", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--rate", type=float, help="payments a second; else what the machine carries")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args(words)


if __name__ == "__main__":
    asyncio.run(main(parse(sys.argv[1:])))
