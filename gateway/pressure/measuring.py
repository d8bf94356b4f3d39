"""Measuring how long this program's own turns take, and the API's regulating what it lets in by that."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import NamedTuple

import structlog

from gateway.errors import UnavailableError
from gateway.pressure.adapting import Delays
from gateway.pressure.admission import Admission
from gateway.scheduling import Scheduling

TICK_SECONDS = 0.2
"""Four or five commits of a busy platform: one slow sync alone moves no mean by much."""

ASK_SECONDS = 0.5
SILENT_SECONDS = 1.0
"""A processor that gives no answer counts as one that takes so long: a payment that is let in waits for it,
up to twenty seconds, and whoever is refused in a moment may choose what to do. As few as are let in anyway
find it back after a restart; reads, by which callers see what became of theirs, are let in as before."""

COUNT_SECONDS = 1.0
TELL_SECONDS = 10.0

_log = structlog.get_logger("gateway")


class Gauge:
    """The delay of one program: how late its event loop wakes, and how long its writes take."""

    def __init__(self, scheduling: Scheduling, writes: Delays) -> None:
        self._scheduling = scheduling
        self._writes = writes
        self.seconds = 0.0
        """As measured over the last tick."""

    async def tick(self) -> None:
        """Measure for `TICK_SECONDS`."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        await self._scheduling.sleep(TICK_SECONDS)
        self.seconds = max(0.0, loop.time() - began - TICK_SECONDS) + self._writes.take()

    async def run(self) -> None:
        """Measure until canceled."""
        while True:
            await self.tick()


class Outside(NamedTuple):
    """What an API asks of others: the processor's own delay in seconds, and how many events wait for the log.

    Both raise `UnavailableError`.
    """

    delay: Callable[[], Awaitable[float]]
    backlog: Callable[[], Awaitable[int]]


class Regulator:
    """Regulates what an API process lets in. `run` goes on until canceled."""

    def __init__(self, admission: Admission, gauge: Gauge, outside: Outside, scheduling: Scheduling) -> None:
        self._admission = admission
        self._gauge = gauge
        self._outside = outside
        self._scheduling = scheduling
        self._processors_seconds = 0.0

    async def run(self) -> None:
        await asyncio.gather(self._adapt(), self._ask(), self._count(), self._tell())

    async def _adapt(self) -> None:
        while True:
            await self._gauge.tick()
            self._admission.measured(self._gauge.seconds, self._processors_seconds)

    async def _ask(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            asked_at = loop.time()
            try:
                own = await self._outside.delay()
                self._processors_seconds = own + loop.time() - asked_at
            except UnavailableError:
                self._processors_seconds = SILENT_SECONDS
            await self._scheduling.sleep(ASK_SECONDS)

    async def _count(self) -> None:
        while True:
            try:
                self._admission.backlog = await self._outside.backlog()
            except UnavailableError:
                _log.debug("the outbox cannot be counted now")
            await self._scheduling.sleep(COUNT_SECONDS)

    async def _tell(self) -> None:
        told = 0
        while True:
            await self._scheduling.sleep(TELL_SECONDS)
            refused = self._admission.refused
            if refused > told:
                _log.warning(
                    "more was asked than could be done in time",
                    refused=refused - told,
                    at_once_max=self._admission.writes.limit,
                    delay_ms=round(max(self._gauge.seconds, self._processors_seconds) * 1000),
                )
            told = refused
