"""Troubles one after the other, under load; then the books are closed: nothing may be lost or doubled."""

import argparse
import asyncio
import json
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from events.log import open_log
from tests.chaos.load import Gap, Load, Trouble, until
from tests.chaos.places import Place, place
from tests.e2e.accounting import faults, table
from tests.e2e.books import Books, gateway_of, has_learned, is_quiet, read_books, restlessness
from tests.e2e.merchant import Merchant

_PAYMENT = re.compile(r"pi_[0-9a-f]{32}")
QUIET_SECONDS_MAX = 180.0
KILLS, OUTAGES = 10, 3
"""How often each program is killed, and each server hurt in each way."""


@dataclass(frozen=True)
class Findings:
    """What was measured, and what was wrong."""

    gaps: list[Gap]
    faults: list[str]


def endure(there: Place, times: Callable[[Trouble], int]) -> Findings:
    """Each trouble so many times, in rounds of each once; progress and counts go to stderr."""
    return asyncio.run(_endure(there, times))


async def _endure(there: Place, times: Callable[[Trouble], int]) -> Findings:
    load = Load(
        Merchant(there.platform.api, there.platform.place("processor"), there.platform.ca, there.platform.key)
    )
    gaps = []
    try:
        async with load.running():
            for turn in range(max(map(times, there.troubles))):
                for trouble in there.troubles:
                    if turn < times(trouble):
                        gaps.append(await load.endure(trouble))
                        sys.stderr.write(f"{gaps[-1]}\n")
        await _come_to_rest(there)
    except* AssertionError as error:
        raise AssertionError(f"{error.exceptions}\n{restlessness(there.home)}\n{there.tails()}") from None
    books = read_books(there.home, there.log_url)
    sys.stderr.write(f"{table(books, load.merchant.notebook, there.title)}\n")
    left = len(gateway_of(there.home)("SELECT id FROM instances")) - len(
        there.platform.processes("gateway.api")
    )
    found = [f"{left} API processes are kept that are gone"] if left else []
    found += faults(books, load.merchant.notebook)
    if found:
        sys.stderr.write(f"{chr(10).join(evidence(books, found))}\n{there.tails()}\n")
    return Findings(gaps, found)


def evidence(books: Books, found: list[str]) -> Iterator[str]:
    """All that is known of the payments of which faults tell."""
    for payment in sorted(set(_PAYMENT.findall(" ".join(found)))):
        yield f"== {payment}"
        attempts = [row for row in books.attempts if row["payment_id"] == payment]
        rows = [books.intents.get(payment), *attempts]
        rows += [books.processor.get(row["id"]) for row in attempts]
        yield from map(str, rows)
        events = (event for several in books.events.values() for event in several)
        yield from (str(event) for event in events if getattr(event, "payment_id", None) == payment)


async def _come_to_rest(there: Place) -> None:
    await until(lambda: is_quiet(there.home), "quiet", QUIET_SECONDS_MAX)
    with closing(open_log(there.log_url)) as log:
        await until(lambda: has_learned(there.home, log), "the learner", QUIET_SECONDS_MAX)


def main() -> None:
    """Entry point of `python -m tests.chaos`."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--store", choices=["sqlite", "postgresql"], required=True)
    parser.add_argument("--log", choices=["sqlite", "kafka"], required=True)
    parser.add_argument("--kills", type=int, default=KILLS, help="of each program")
    parser.add_argument("--outages", type=int, default=OUTAGES, help="of each kind of each server")
    given = parser.parse_args()

    def times(trouble: Trouble) -> int:
        return int(given.kills if trouble.name.startswith("kill -9") else given.outages)

    with (
        TemporaryDirectory(prefix="weir-chaos-") as folder,
        place(Path(folder), given.store, given.log) as there,
    ):
        found = endure(there, times)
    sys.stdout.write(json.dumps(asdict(found)) + "\n")
    raise SystemExit(1 if found.faults else 0)
