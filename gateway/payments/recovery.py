"""Nothing stays in the middle: every unfinished attempt is driven on, at start and for as long as it runs."""

from dataclasses import dataclass

import structlog
from sqlalchemy import Connection

from events.types import DecisionMade
from gateway.auth import Merchant, load_merchant
from gateway.errors import GatewayError
from gateway.payments.attempt_ends import AttemptEnds
from gateway.payments.debts import Debts
from gateway.payments.flights import Flight, Flights
from gateway.payments.intents import Attempt, Intent
from gateway.scheduling import Scheduling
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

    async def run(self) -> None:
        """Sweep until canceled."""
        while True:
            try:
                await self.sweep()
            except GatewayError as error:
                _log.warning("the sweep is put off", error=type(error).__name__)
            await self.scheduling.sleep(SWEEP_SECONDS)

    async def sweep(self) -> None:
        """Start what every unfinished attempt still needs; what is under way is left alone."""
        for attempt in await self.store.read(unfinished_attempts):
            if attempt.phase == "assessing":
                await self._resume(attempt)
            else:
                self.debts.drive(attempt)

    async def deal(self, decision: DecisionMade) -> None:
        """Hand a decision to what waits for it, and return when it has had its effect."""
        flight = self.flights.find(decision.payment_id, decision.attempt)
        if flight is None:
            attempt = await self.store.read(lambda c: load_attempt(c, decision.payment_id, decision.attempt))
            if attempt is None:
                _log.warning("a decision names an unknown attempt", payment=decision.payment_id)
                return
            if attempt.phase != "assessing":
                await self.ends.act_late(decision)
                return
            flight = await self._resume(attempt)
        flight.offer(decision)
        await flight.ended.wait()

    async def _resume(self, attempt: Attempt) -> Flight:
        flight = self.flights.find(attempt.payment_id, attempt.number)
        if flight is None:
            intent, merchant = await self.store.read(lambda c: _parties(c, attempt))
            flight = self.flights.start(intent, attempt, merchant, recovered=True)
        return flight


def _parties(connection: Connection, attempt: Attempt) -> tuple[Intent, Merchant]:
    intent = load_intent(connection, attempt.payment_id)
    return intent, load_merchant(connection, intent.merchant_id)
