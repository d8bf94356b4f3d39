"""Taking the money of an authorized intent, or giving it up."""

from dataclasses import dataclass

from sqlalchemy import Connection

from events.crash import crash_point, declare
from events.moments import microseconds
from events.types import PaymentCanceled
from gateway.auth import Caller
from gateway.errors import InvalidRequestError
from gateway.event_recorder import EventRecorder
from gateway.outbox import Relay
from gateway.payments import intents
from gateway.payments.debts import Debts, owe_in
from gateway.payments.intents import Attempt, CaptureOwed, Intent, VoidOwed
from gateway.payments.known_payments import KnownPayments
from gateway.requests import CancelIntent, CaptureIntent
from gateway.store.idempotency_rows import claim_in
from gateway.store.intent_rows import not_before_last_step, save_intent
from gateway.store.review_rows import close_review, is_open

declare(
    {
        "gateway.intent.captured": "a capture is durable as owed, its caller has not heard",
        "gateway.intent.canceled": "a cancellation is durable, its caller has not heard",
    }
)


@dataclass(frozen=True, kw_only=True)
class Taking(KnownPayments):
    """Captures and cancels."""

    recorder: EventRecorder
    relay: Relay
    debts: Debts

    async def capture(self, caller: Caller, payment_id: str, body: CaptureIntent) -> Intent:
        """Take all or part of what was authorized; raises `InvalidRequestError` where that cannot be."""
        intent, attempt = await self.store.write(
            lambda c: self._capture_in(c, caller, payment_id, body.amount_to_capture)
        )
        crash_point("gateway.intent.captured")
        # No nudge: nothing waits in the outbox before the debt is paid.
        self.debts.drive(attempt)
        return intent

    async def cancel(self, caller: Caller, payment_id: str, body: CancelIntent) -> Intent:
        """Give the intent up and void what was authorized; raises `UnexpectedStateError`."""
        intent, attempt = await self.store.write(
            lambda c: self._cancel_in(c, caller, payment_id, body.cancellation_reason)
        )
        crash_point("gateway.intent.canceled")
        self.relay.nudge()
        if attempt is not None:
            self.debts.drive(attempt)
        return intent

    def _capture_in(
        self,
        connection: Connection,
        caller: Caller,
        payment_id: str,
        amount_minor: int | None,
    ) -> tuple[Intent, Attempt]:
        before = self.load_in(connection, caller, payment_id)
        at = not_before_last_step(connection, before, caller.at)
        intent = intents.captured(before, amount_minor)
        if is_open(connection, intent.review_id):
            raise InvalidRequestError(
                "A review holds the capture: approve or reject it first.", code="payment_intent_under_review"
            )
        claim_in(connection, caller.request_key, payment_id)
        debt = CaptureOwed(amount_minor=intent.amount_received_minor, since_us=microseconds(at))
        return owe_in(connection, intent, debt)

    def _cancel_in(
        self, connection: Connection, caller: Caller, payment_id: str, reason: str | None
    ) -> tuple[Intent, Attempt | None]:
        before = self.load_in(connection, caller, payment_id)
        at = not_before_last_step(connection, before, caller.at)
        intent = intents.canceled(before, reason, microseconds(at))
        claim_in(connection, caller.request_key, payment_id)
        close_review(connection, intent.review_id, "canceled", microseconds(at))
        if before.status in ("requires_capture", "requires_action"):
            return owe_in(connection, intent, VoidOwed(since_us=microseconds(at)))
        event = PaymentCanceled(**self.recorder.header(intent, at), reason=reason or "unspecified")
        return save_intent(connection, self.recorder.record_step(connection, intent, event)), None
