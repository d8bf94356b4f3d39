"""Nothing stays in the middle: every unfinished attempt is driven on, at start and for as long as it runs."""

from dataclasses import dataclass
from functools import partial

import structlog
from sqlalchemy import Connection

from events.types import DecisionMade
from gateway.errors import GatewayError, UnavailableError
from gateway.payments.attempt_ends import AttemptEnds
from gateway.payments.debts import Debts
from gateway.payments.flights import Flight, Flights
from gateway.payments.intents import Attempt, Intent
from gateway.people.merchants import Merchant, load_merchant
from gateway.scheduling import Scheduling
from gateway.store.instance_rows import is_there
from gateway.store.intent_rows import load_attempt, load_intent, unfinished_attempts
from gateway.store.writer import Store

SWEEP_SECONDS = 5.0
"""How often unfinished attempts are looked for that nobody drives: none should be found after the first."""

_log = structlog.get_logger("gateway")


@dataclass(frozen=True, kw_only=True)
class Recovery:
    """Drives on what a crash, or an error nobody foresaw, left behind."""

    store: Store
    flights: Flights
    ends: AttemptEnds
    debts: Debts
    scheduling: Scheduling
    instance: str

    async def run(self) -> None:
        """Sweep until canceled."""
        while True:
            try:
                await self.sweep()
            except GatewayError as error:
                _log.warning("the sweep is put off", error=type(error).__name__)
            await self.scheduling.sleep(SWEEP_SECONDS)

    async def sweep(self) -> None:
        """Start what unfinished attempts still need, where it is not under way.

        Those of another instance that is there are its own to sweep. Who is gone may still own what it had
        authorized and somebody captured since, in a commit that nobody heard of.
        """
        for attempt in await self.store.read(partial(unfinished_attempts, owner=self.instance)):
            if attempt.phase == "assessing":
                await self._resume(attempt)
            else:
                self.debts.drive(attempt)
        await self.ends.refunds.sweep()

    async def deal(self, decision: DecisionMade) -> None:
        """Hand a decision to what waits for it, and return when it has had its effect.

        One for another instance's attempt is that one's to deal with: it reads the same topic. Raises
        `UnavailableError` where the flight that had it broke off: the next one needs it, too.
        """
        flight = self.flights.find(decision.payment_id, decision.attempt)
        if flight is None:
            attempt, is_anothers = await self.store.read(lambda c: self._found(c, decision))
            if is_anothers:
                return
            if attempt is None:
                _log.warning("a decision names an unknown attempt", payment=decision.payment_id)
                return
            flight = await self._resume(attempt) if attempt.phase == "assessing" else None
        if flight is None:
            await self.ends.act_late(decision)
        else:
            flight.offer(decision)
            await flight.ended.wait()
            if flight.broke_off:
                raise UnavailableError("The attempt's flight broke off.")

    def _found(self, connection: Connection, decision: DecisionMade) -> tuple[Attempt | None, bool]:
        """The attempt that a decision is about, and whether another instance has it, which is there."""
        attempt = load_attempt(connection, decision.payment_id, decision.attempt)
        if attempt is None or attempt.owner == self.instance:
            return attempt, False
        return attempt, is_there(connection, attempt.owner)

    async def _resume(self, attempt: Attempt) -> Flight | None:
        """The attempt's flight, started where it has none; None where it has ended.

        `attempt` may be out of date: it is started only where it was read again while no flight could have
        ended it. Else a payment that was blocked meanwhile would be authorized.
        """
        while True:
            flight = self.flights.find(attempt.payment_id, attempt.number)
            if flight is not None:
                return flight
            started = self.flights.started
            intent, merchant, stored = await self.store.read(lambda c: _parties(c, attempt))
            if stored is None or stored.phase != "assessing" or stored.owner != self.instance:
                return None
            if self.flights.started == started:
                return self.flights.start(intent, stored, merchant, recovered=True)


def _parties(connection: Connection, attempt: Attempt) -> tuple[Intent, Merchant, Attempt | None]:
    intent = load_intent(connection, attempt.payment_id)
    stored = load_attempt(connection, attempt.payment_id, attempt.number)
    return intent, load_merchant(connection, intent.merchant_id), stored
