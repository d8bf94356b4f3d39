"""Authorizations and reviews that nobody ended in their time: canceled and voided, once each.

When one is due is kept with it, in business time; a sweep finds what is, by the clock of its mode: at once
where a test request made the clock jump, else every few seconds. What it commits takes the payment out of the
sweep's sight, so that neither a restart nor a second sweep ends it again, and owes the void like any other
cancellation.

An intent that was never confirmed holds no money and does not expire.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import get_args

import structlog
from sqlalchemy import Connection

from events.moments import microseconds, moment
from events.types import PaymentReviewExpired
from events.vocabulary import Mode
from gateway.business_time import BusinessTime
from gateway.errors import ConflictError, GatewayError
from gateway.event_recorder import EventRecorder
from gateway.outbox import Relay
from gateway.payments import intents
from gateway.payments.debts import Debts, owe_in
from gateway.payments.delayed_captures import DelayedCaptures
from gateway.payments.intents import Attempt, Intent, VoidOwed
from gateway.payments.lifetimes import has_expired
from gateway.scheduling import Scheduling
from gateway.store.expiry_rows import due_payments, keep_clock, load_clock
from gateway.store.intent_rows import load_attempt, load_intent, not_before_last_step
from gateway.store.review_rows import close_review, is_open
from gateway.store.writer import Store

EXPIRY_SWEEP_SECONDS = 5.0
"""How often what is due is looked for while no clock jumps."""
EXPIRY_REST_SECONDS = 0.5
"""At least so long between two looks: under traffic with times of its own the clock jumps all the time."""
DUE_MAX = 256

_log = structlog.get_logger("gateway.expiry")


@dataclass(frozen=True, kw_only=True)
class Expiry:
    """Ends what is due."""

    store: Store
    recorder: EventRecorder
    relay: Relay
    debts: Debts
    delayed: DelayedCaptures
    time: BusinessTime
    scheduling: Scheduling
    jumped: asyncio.Event = field(default_factory=asyncio.Event)

    async def restore(self) -> None:
        """Take test mode's clock up where it was: the machine's own would end whatever is held there."""
        await self._follow_kept()
        self.time.when_moved(self.jumped.set)

    async def run(self) -> None:
        """Sweep until canceled."""
        while True:
            # Before the look, so that a jump while it goes on is not lost.
            self.jumped.clear()
            try:
                await self.sweep()
            except GatewayError as error:
                _log.warning("the sweep is put off", error=type(error).__name__)
            await self.scheduling.sleep(EXPIRY_REST_SECONDS)
            await self.scheduling.wait(self.jumped, EXPIRY_SWEEP_SECONDS)

    async def sweep(self) -> None:
        """End all that is due now, in each mode by its own clock."""
        # A test request may have carried another process further, or an operator reset the clock.
        await self._follow_kept()
        followed = self.time.followed()
        if followed is not None:
            await self.store.write(lambda c: keep_clock(c, "test", microseconds(followed), self.time.resets))
        for mode in get_args(Mode):
            now_us = microseconds(self.time.now(mode))
            # First what is to be captured, which then expires no more.
            if await self.delayed.sweep(mode, now_us):
                self.jumped.set()
            await self._sweep(mode, now_us)

    async def _follow_kept(self) -> None:
        kept = await self.store.read(lambda c: load_clock(c, "test"))
        self.time.keep_to(None if kept.at_us is None else moment(kept.at_us), kept.resets)

    async def _sweep(self, mode: Mode, now_us: int) -> None:
        due = await self.store.read(lambda c: due_payments(c, mode, now_us, DUE_MAX))
        await asyncio.gather(*(self._expire(payment_id, due_us) for payment_id, due_us in due))
        if len(due) >= DUE_MAX:
            # There may be more, which the next look finds right after a rest.
            self.jumped.set()

    async def _expire(self, payment_id: str, due_us: int) -> None:
        # A conflict: a request changed the intent first; the next look sees what is left to do.
        with suppress(ConflictError):
            attempt = await self.store.write(lambda c: self._expire_in(c, payment_id, due_us))
            if attempt is not None:
                self.relay.nudge()
                self.debts.drive(attempt)

    def _expire_in(self, connection: Connection, payment_id: str, due_us: int) -> Attempt | None:
        intent = load_intent(connection, payment_id)
        attempt = load_attempt(connection, payment_id, intent.attempts)
        if attempt is None or attempt.phase != "authorized":
            return None
        at = not_before_last_step(connection, intent, moment(due_us))
        if is_open(connection, intent.review_id):
            close_review(connection, intent.review_id, "expired", microseconds(at))
            intent = self._record_review_in(connection, intent, at)
        elif not has_expired(attempt.expires_us, due_us):
            # Its review was due, and has been approved since the look.
            return None
        intent = intents.canceled(intent, "expired", microseconds(at))
        return owe_in(connection, intent, VoidOwed(since_us=microseconds(at)))[1]

    def _record_review_in(self, connection: Connection, intent: Intent, at: datetime) -> Intent:
        event = PaymentReviewExpired(**self.recorder.header(intent, at), review_id=intent.review_id or "")
        return self.recorder.record_step(connection, intent, event)
