"""Trying again what is away for now: after pauses that grow, for as long as it takes."""

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
