"""Who is let in: writes and reads by turnstiles of their own, as many at once as measured delays allow."""

import asyncio
from collections.abc import Callable

from events.ids import Entropy
from gateway.metrics import PRESSURE_SECONDS
from gateway.pressure.adapting import FIRST, adapted
from gateway.pressure.errors import OverloadedError
from gateway.pressure.turnstile import Party, Turnstile

BACKLOG_MAX = 100_000
"""Events that wait in the outbox while the log is away: some fifteen minutes of payments, and 100 MB of disk.
Beyond it nothing is taken that would add to them."""

FLIGHTS_MAX = 2048
"""Attempts on their way, most of which outlived their requests: processor or network have been away for long.
Four times the places there are at the most, and some 20 MB of memory."""

AWAY_AFTER_SECONDS = 5
"""When to come again where one of these is away: little changes within a second."""


class Admission:
    """The turnstiles of one API process."""

    def __init__(self, entropy: Entropy, flights: Callable[[], int] = lambda: 0) -> None:
        """`flights` counts the attempts that are on their way."""
        self._flights = flights
        self.writes = Turnstile(FIRST, lambda: entropy(1)[0])
        self.reads = Turnstile(FIRST, lambda: entropy(1)[0], "read")
        self.backlog = 0
        """How many events wait for the log, as last counted."""

    @property
    def refused(self) -> int:
        """How many were refused so far."""
        return self.writes.refused + self.reads.refused

    def measured(self, own_seconds: float, processors_seconds: float = 0.0) -> None:
        """Adapt both to delays, measured over the time since the last ones; reads ask no processor."""
        longer_seconds = max(own_seconds, processors_seconds)
        PRESSURE_SECONDS.set(longer_seconds)
        for turnstile, seconds in ((self.writes, longer_seconds), (self.reads, own_seconds)):
            turnstile.limit = adapted(
                turnstile.limit, delay_seconds=seconds, in_use_max=turnstile.take_in_use_max()
            )

    def is_closed_to(self, party: Party, *, reads: bool) -> bool:
        """Whether one more of this party would be refused without a wait."""
        if reads:
            return self.reads.is_closed_to(party)
        return self._is_away() or self.writes.is_closed_to(party)

    def refusal(self, *, reads: bool) -> OverloadedError:
        """What to tell one more that is refused without a wait."""
        if reads:
            return self.reads.refusal()
        return self.writes.refusal(AWAY_AFTER_SECONDS if self._is_away() else None)

    def ask_to_write(self, party: Party) -> "asyncio.Future[None] | None":
        """As `Turnstile.ask`; nobody comes in while too much waits for the log, processor or network."""
        if self._is_away():
            raise self.refusal(reads=False)
        return self.writes.ask(party)

    async def enter_to_write(self, party: Party) -> None:
        """As `Turnstile.enter`, and as `ask_to_write`."""
        if self._is_away():
            raise self.refusal(reads=False)
        await self.writes.enter(party)

    def _is_away(self) -> bool:
        return self.backlog > BACKLOG_MAX or self._flights() > FLIGHTS_MAX
