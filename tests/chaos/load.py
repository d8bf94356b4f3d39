"""Payments that go on all the time, so that a gap in service is seen, and measured."""

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise

from simulator.traffic.population import with_check_digit
from tests.e2e.merchant import ISSUERS_PAGE, Merchant
from tests.e2e.shopping import Shopping

PAYERS = 4
"""Who pay by card, one payment after the other; beside them shoppers buy in every way there is."""
PAUSE_SECONDS = 0.05
PATIENCE_SECONDS = 240.0
PROOF = 2 * PAYERS
"""So many payments, each assessed in time, show that all is well again."""


@dataclass(frozen=True)
class Trouble:
    """Something that happens to a platform; `come` returns when it is over.

    `breaks_connections`: it ends a program that merchants are connected to. `takes_pages`: it ends the one
    that serves the issuers' pages. Whatever else happens merchants and payers get an answer.
    """

    name: str
    come: Callable[[], Awaitable[None]]
    breaks_connections: bool = False
    takes_pages: bool = False

    def excuses(self, call: str) -> bool:
        """Whether it is why this call got no answer."""
        return self.breaks_connections or (self.takes_pages and call.startswith(ISSUERS_PAGE))


@dataclass(frozen=True)
class Gap:
    """Seconds: how long the trouble itself lasted; the longest without a payment, and without one that the
    engine decided in time; the longest that a call waited for its answer, and which it was."""

    trouble: str
    lasted: float
    payments: float
    decisions: float
    answer: float
    call: str


class Load:
    """A merchant's traffic, and when payments came through."""

    def __init__(self, merchant: Merchant) -> None:
        self.merchant = merchant
        self.stopping = False
        self._paid: list[tuple[float, bool]] = []
        """When, and whether the engine's decision was there in time."""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Traffic, all well at first, until the block ends."""
        shopping = Shopping(self.merchant, seed=7)
        async with self.merchant:
            async with asyncio.TaskGroup() as group:
                group.create_task(shopping.until(lambda: self.stopping))
                for _ in range(PAYERS):
                    group.create_task(self._pay_until_stopped())
                await self._until_well()
                yield
                self.stopping = True
            await shopping.close_the_day()

    async def endure(self, trouble: Trouble) -> Gap:
        """Let it come, and wait until all is well again."""
        notebook = self.merchant.notebook
        notebook.slowest, broken = (0.0, ""), len(notebook.broken)
        first, began = len(self._paid) - 1, time.monotonic()
        await trouble.come()
        lasted = time.monotonic() - began
        await self._until_well()
        without = [call for call in notebook.broken[broken:] if not trouble.excuses(call)]
        notebook.faults.extend(f"{trouble.name}: no answer at all for {call}" for call in without)
        since = self._paid[first:]
        return Gap(
            trouble=trouble.name,
            lasted=lasted,
            payments=longest_between([at for at, _ in since]),
            decisions=longest_between([at for at, in_time in since if in_time]),
            answer=notebook.slowest[0],
            call=notebook.slowest[1],
        )

    async def _until_well(self) -> None:
        before = len(self._paid)
        await until(
            lambda: sum(in_time for _, in_time in self._paid[before:]) >= PROOF, "payments to come through"
        )

    async def _pay_until_stopped(self) -> None:
        while not self.stopping:
            # A card never used before: one used often within minutes is held, rightly.
            number = with_check_digit(f"40000276{secrets.randbelow(10**7):07}")
            token = await self.merchant.token(number)
            payment = await self.merchant.create({"amount": 1999, "currency": "eur"})
            intent = await self.merchant.confirm(payment, token)
            # A decline is no service: a network that cannot be reached answers with one at once. What the
            # fallback holds, as it does with shoppers of whom nothing is known, is authorized.
            if intent["status"] in ("succeeded", "requires_capture"):
                self._paid.append((time.monotonic(), not intent["not_assessed"]))
            await asyncio.sleep(PAUSE_SECONDS)


async def until(condition: Callable[[], bool], what: str, seconds: float = PATIENCE_SECONDS) -> None:
    """Wait for a condition; fails where it takes too long."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited too long for {what}"
        await asyncio.sleep(0.1)


def longest_between(times: Sequence[float]) -> float:
    """The longest time from one to the next.

    >>> longest_between([1.0, 1.5, 4.0, 4.25])
    2.5
    """
    return max((after - before for before, after in pairwise(sorted(times))), default=0.0)
