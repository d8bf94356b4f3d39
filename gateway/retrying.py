"""Trying again what is away for now: after pauses that grow, for as long as it takes."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from gateway.errors import ConflictError, UnavailableError
from gateway.scheduling import Scheduling

T = TypeVar("T")

RETRY_SECONDS = 0.1
RETRY_SECONDS_MAX = 5.0
"""First and longest pause between two tries of something that is away: each pause doubles."""


class Backoff:
    """The rests between tries of one thing: each twice as long as the one before, up to a bound."""

    def __init__(self, scheduling: Scheduling) -> None:
        self._scheduling = scheduling
        self._seconds = RETRY_SECONDS

    async def rest(self) -> None:
        """Wait before the next try."""
        await self._scheduling.sleep(self._seconds)
        self._seconds = min(2 * self._seconds, RETRY_SECONDS_MAX)


async def persistently(scheduling: Scheduling, work: Callable[[], Awaitable[T]]) -> T:
    """Repeat `work`, which is idempotent, until what it needs is there again."""
    backoff = Backoff(scheduling)
    while True:
        try:
            return await work()
        except (UnavailableError, ConflictError):
            await backoff.rest()


class Driving:
    """Things that are tried until they are done, one task for each name.

    A sweep may come with the same thing as the request that began it.
    """

    def __init__(self, scheduling: Scheduling) -> None:
        self._scheduling = scheduling
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def drive(self, name: str, is_done: Callable[[], Awaitable[bool]]) -> None:
        """Try it until `is_done` says so, unless somebody is at it."""
        if name not in self._tasks:
            self._tasks[name] = self._scheduling.spawn(self._until_done(name, is_done), name)

    async def ended(self, name: str, seconds_max: float) -> None:
        """Return when nobody is at it, or after so long."""
        if name in self._tasks:
            await asyncio.wait({self._tasks[name]}, timeout=seconds_max)

    async def _until_done(self, name: str, is_done: Callable[[], Awaitable[bool]]) -> None:
        backoff = Backoff(self._scheduling)
        try:
            while not await is_done():
                await backoff.rest()
        finally:
            self._tasks.pop(name, None)
