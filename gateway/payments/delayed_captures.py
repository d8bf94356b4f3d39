"""Captures that wait for their hour: an automatic capture that its merchant had put off, by its mode's clock.

When it is due stands in the intent's row, so that neither a restart nor a test clock that jumps loses it; the
commit that makes it a debt takes it out of sight. While a review is open it waits for that.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass

from sqlalchemy import Connection

from events.crash import crash_point, declare
from events.moments import microseconds, moment
from events.vocabulary import Mode
from gateway.errors import ConflictError, InvalidRequestError
from gateway.payments import intents
from gateway.payments.debts import Debts, owe_in
from gateway.payments.intents import Attempt, CaptureOwed
from gateway.store.capture_rows import due_captures
from gateway.store.intent_rows import load_intent, not_before_last_step
from gateway.store.review_rows import is_open
from gateway.store.writer import Store

declare({"gateway.intent.capture_due": "a capture that was put off is durable as owed, nobody was told"})

DUE_MAX = 256
HOUR_US = 3600 * 1_000_000


@dataclass(frozen=True, kw_only=True)
class DelayedCaptures:
    """Captures what is due."""

    store: Store
    debts: Debts

    async def sweep(self, mode: Mode, now_us: int) -> bool:
        """Capture what is due by `now_us`; whether there may be more."""
        due = await self.store.read(lambda c: due_captures(c, mode, now_us, DUE_MAX))
        await asyncio.gather(*(self._capture(payment_id) for payment_id in due))
        return len(due) >= DUE_MAX

    async def _capture(self, payment_id: str) -> None:
        # A request changed the intent first; or the authorization has expired, which is expiry's to end.
        with suppress(ConflictError, InvalidRequestError):
            attempt = await self.store.write(lambda c: self._capture_in(c, payment_id))
            if attempt is not None:
                crash_point("gateway.intent.capture_due")
                self.debts.drive(attempt)

    def _capture_in(self, connection: Connection, payment_id: str) -> Attempt | None:
        before = load_intent(connection, payment_id)
        if before.capture_due_us is None or is_open(connection, before.review_id):
            return None
        at = not_before_last_step(connection, before, moment(before.capture_due_us))
        intent = intents.captured(before, None)
        debt = CaptureOwed(amount_minor=before.amount_capturable_minor, since_us=microseconds(at))
        return owe_in(connection, intent, debt)[1]


def capture_due_us(authorized_us: int, delay_hours: int, expires_us: int | None) -> int:
    """When an authorization is to be captured: an hour before its end at the latest.

    >>> capture_due_us(0, 2, None) == 2 * HOUR_US, capture_due_us(0, 48, 24 * HOUR_US) == 23 * HOUR_US
    (True, True)
    """
    due_us = authorized_us + delay_hours * HOUR_US
    return due_us if expires_us is None else min(due_us, expires_us - HOUR_US)
