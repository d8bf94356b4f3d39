"""Attempts in flight: wait for the decision or fall back, ask the network, and commit what came of it.

A flight survives its request: it goes on when the caller has left, and after a crash a new one is started for
every attempt that the store shows unfinished. Whatever it repeats is idempotent by attempt id.
"""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
import structlog

from events.clock import Clock
from events.crash import crash_point, declare
from events.instruments import AccountFacts
from events.moments import moment
from events.types import DecisionMade
from gateway.errors import ConflictError, UnavailableError
from gateway.journeys import current_journey, reach
from gateway.metrics import IN_FLIGHT, PAYMENTS
from gateway.payments.account_charging import AccountCharging
from gateway.payments.attempt_ends import AttemptEnds
from gateway.payments.effective_decision import EffectiveDecision
from gateway.payments.fallback import fallback
from gateway.payments.intents import Attempt, Intent
from gateway.payments.outcomes import decided_by_engine, decided_by_fallback
from gateway.payments.second_factor import authentication_wish
from gateway.people.merchants import Merchant
from gateway.pressure.lateness import Lateness
from gateway.processor_port import AuthorizationRequest, Processor, ProcessorAnswer, ReversalRequest
from gateway.retrying import Backoff, persistently
from gateway.scheduling import Scheduling

declare(
    {
        "gateway.flight.decided": "a decision or the fallback is known in memory, nothing has left",
        "gateway.flight.answered": "the processor has answered, the intent does not show it yet",
        "gateway.flight.ended": "the final state is durable, the caller has not heard",
    }
)

AUTHORIZATION_SECONDS_MAX = 30.0
"""After this long nobody stands at the till any more: what may still be approved is reversed instead."""
RECOVERY_DEADLINE_SECONDS = 5.0
"""How long a restarted gateway waits for a decision: it may stand in the log, or its flow restart as well."""


class Flight:
    """One attempt on its way.

    `decision` may come at any time; `answer` gives the intent's new state; `ended` says that a decision
    which came late has acted, too, or that the flight `broke_off` of an error that nobody foresaw.
    """

    def __init__(self, intent: Intent, attempt: Attempt, merchant: Merchant, *, recovered: bool) -> None:
        loop = asyncio.get_running_loop()
        self.attempt = attempt
        self.request = authorization_request(intent, attempt, merchant)
        self.recovered = recovered
        self.decision: asyncio.Future[DecisionMade] = loop.create_future()
        self.answer: asyncio.Future[Intent] = loop.create_future()
        self.ended = asyncio.Event()
        self.broke_off = True

    def asking(self, decision: EffectiveDecision) -> AuthorizationRequest:
        """What the processor is asked after a decision."""
        request = self.request
        wish = authentication_wish(
            decision, self.attempt.instrument, request.merchant_country, request.occurred_at
        )
        return msgspec.structs.replace(request, authentication=wish)

    def offer(self, decision: DecisionMade) -> None:
        """The first decision counts; the same again changes nothing."""
        if not self.decision.done():
            self.decision.set_result(decision)


class Flights:
    """All attempts in flight, by payment and number."""

    def __init__(
        self,
        *,
        ends: AttemptEnds,
        processor: Processor,
        accounts: AccountCharging,
        scheduling: Scheduling,
        clock: Clock,
        deadline_seconds: float,
        lateness: Lateness,
    ) -> None:
        self._ends = ends
        self._processor = processor
        self._accounts = accounts
        self._scheduling = scheduling
        self._clock = clock
        self._deadline_seconds = deadline_seconds
        self._lateness = lateness
        self._flying: dict[tuple[str, int], Flight] = {}
        self.started = 0
        """How many flights were ever started: whether one was while something else was waited for."""
        self._log = structlog.get_logger("gateway.flights")

    @property
    def under_way(self) -> int:
        """How many attempts are on their way, those whose callers have been answered or have left too."""
        return len(self._flying)

    def find(self, payment_id: str, number: int) -> Flight | None:
        """The attempt's flight, None where it is not under way."""
        return self._flying.get((payment_id, number))

    def start(
        self, intent: Intent, attempt: Attempt, merchant: Merchant, *, recovered: bool = False
    ) -> Flight:
        """The attempt's flight, started unless it is under way."""
        key = (attempt.payment_id, attempt.number)
        flight = self._flying.get(key)
        if flight is None:
            self.started += 1
            reach("committed")
            flight = self._flying[key] = Flight(intent, attempt, merchant, recovered=recovered)
            IN_FLIGHT.inc()
            self._scheduling.spawn(self._fly(flight), f"flight {attempt.id}")
        return flight

    async def _fly(self, flight: Flight) -> None:
        try:
            decision = await self._drive_to_end(flight)
            # It came after the fallback and before the end; now that the end is durable, it may act on it.
            if not decision.assessed and flight.decision.done():
                late = flight.decision.result()
                await persistently(self._scheduling, lambda: self._ends.act_late(late))
            flight.broke_off = False
        finally:
            IN_FLIGHT.dec()
            flight.ended.set()

    async def _drive_to_end(self, flight: Flight) -> EffectiveDecision:
        attempt = flight.attempt
        try:
            decision = await self._await_decision(flight)
            _note_decision(flight, decision)
            crash_point("gateway.flight.decided")
            if decision.outcome == "block":
                answer = await self._make_sure_unauthorized(flight)
            else:
                answer = await self._authorize(flight, decision)
            reach("answered")
            crash_point("gateway.flight.answered")
            intent = await persistently(self._scheduling, lambda: self._ends.end(attempt, decision, answer))
            reach("ended")
            crash_point("gateway.flight.ended")
            PAYMENTS.labels(decision.outcome, decision.by, _method(attempt), intent.status).inc()
            flight.answer.set_result(intent)
        finally:
            # Also where it broke off: else no sweep could ever start the attempt's next flight.
            self._flying.pop((attempt.payment_id, attempt.number), None)
            if not flight.answer.done():
                flight.answer.cancel()
        return decision

    async def _await_decision(self, flight: Flight) -> EffectiveDecision:
        attempt = flight.attempt
        seconds = RECOVERY_DEADLINE_SECONDS if flight.recovered else self._deadline_seconds
        # The future outlives its time-out: a decision that comes later must still find it.
        await asyncio.wait({flight.decision}, timeout=seconds)
        if not flight.recovered:
            self._lateness.note(in_time=flight.decision.done())
        if not flight.decision.done():
            return decided_by_fallback(fallback(attempt.instrument, attempt.context), attempt.test_risk)
        return decided_by_engine(flight.decision.result(), attempt.test_risk)

    async def _make_sure_unauthorized(self, flight: Flight) -> ProcessorAnswer | None:
        """A flight before a crash may have asked already, on a fallback: what it left is reversed."""
        if not flight.recovered:
            return None
        return await self._ask_until_final(lambda: self._reverse(flight.attempt))

    async def _authorize(self, flight: Flight, decision: EffectiveDecision) -> ProcessorAnswer:
        request = flight.asking(decision)
        give_up_at = self._clock.monotonic() + AUTHORIZATION_SECONDS_MAX

        async def ask() -> ProcessorAnswer:
            # One that was being given up before a crash, or by an instance that is gone, is taken back still.
            if flight.attempt.debt is not None or self._clock.monotonic() >= give_up_at:
                return await self._reverse(flight.attempt)
            return await self._processor.authorize(await self._accounts.opened(request))

        return await self._ask_until_final(ask)

    async def _reverse(self, attempt: Attempt) -> ProcessorAnswer:
        await self._ends.give_up(attempt)
        request = ReversalRequest(occurred_at=moment(attempt.moment_us))
        return await self._processor.reverse(attempt.id, request)

    async def _ask_until_final(self, ask: Callable[[], Awaitable[ProcessorAnswer]]) -> ProcessorAnswer:
        """Ask until the answer is final."""
        backoff = Backoff(self._scheduling)
        while True:
            try:
                answer = await ask()
            except (UnavailableError, ConflictError) as error:
                self._log.warning("an attempt is asked for again", error=type(error).__name__)
            else:
                if answer.status != "unknown":
                    return answer
            await backoff.rest()


def _note_decision(flight: Flight, decision: EffectiveDecision) -> None:
    journey = current_journey()
    if journey is not None:
        reach("decided")
        journey.decided_by = decision.by
        if decision.assessed and flight.decision.done():
            journey.assessed_at = flight.decision.result().assessed_at


def _method(attempt: Attempt) -> str:
    paying = attempt.instrument
    return paying.method if isinstance(paying, AccountFacts) else "card"


def authorization_request(intent: Intent, attempt: Attempt, merchant: Merchant) -> AuthorizationRequest:
    """What the processor is asked for an attempt, whatever is decided."""
    return AuthorizationRequest(
        attempt_id=attempt.id,
        token=attempt.instrument.token,
        amount_minor=intent.amount_minor,
        currency=intent.currency,
        merchant_id=intent.merchant_id,
        merchant_name=merchant.name,
        merchant_category=merchant.category,
        merchant_country=merchant.country,
        mode=intent.mode,
        occurred_at=moment(attempt.moment_us),
        return_url=intent.return_url,
        off_session=attempt.off_session,
        partial_authorization=attempt.asked_minor is not None,
    )
