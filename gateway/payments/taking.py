"""Taking the money of an authorized intent, or giving it up."""

from dataclasses import dataclass

from sqlalchemy import Connection

from events.crash import crash_point, declare
from events.moments import microseconds
from events.types import PaymentCanceled
from gateway.auth import Caller
from gateway.errors import InvalidRequestError, RequestInProgressError
from gateway.event_recorder import EventRecorder
from gateway.outbox import Relay
from gateway.payments import intents
from gateway.payments.admission import admit_more_in
from gateway.payments.debts import Debts, owe_in
from gateway.payments.increments import incremented, require_increment
from gateway.payments.intents import Attempt, CaptureOwed, IncrementOwed, Intent, VoidOwed, owing
from gateway.payments.known_payments import KnownPayments
from gateway.payments.lifetimes import has_expired
from gateway.payments.second_confirms import latest_waiting_in
from gateway.payments.second_factor import law_for
from gateway.people.merchants import load_merchant
from gateway.requests import CancelIntent, CaptureIntent, IncrementIntent
from gateway.store.idempotency_rows import Claim, claim_in
from gateway.store.increment_rows import refusal_of
from gateway.store.intent_rows import load_attempt, not_before_last_step, save_attempt, save_intent
from gateway.store.review_rows import close_review, is_open

declare(
    {
        "gateway.intent.captured": "a capture is durable as owed, its caller has not heard",
        "gateway.intent.incremented": "an increment is durable as owed, the issuer was not asked",
        "gateway.intent.canceled": "a cancellation is durable, its caller has not heard",
    }
)

INCREMENT_SECONDS_MAX = 20.0
"""How long a caller waits for the issuer's answer."""


class IncrementDeclinedError(Exception):
    """The issuer promised no more; what it had promised before stays."""

    def __init__(self, intent: Intent, decline_code: str) -> None:
        super().__init__(decline_code)
        self.intent = intent
        self.decline_code = decline_code


@dataclass(frozen=True, kw_only=True)
class Taking(KnownPayments):
    """Captures and cancels."""

    recorder: EventRecorder
    relay: Relay
    debts: Debts

    async def capture(self, caller: Caller, payment_id: str, body: CaptureIntent) -> Intent:
        """Take all or part of what was authorized; raises `InvalidRequestError` where that cannot be."""
        intent, attempt = await self.store.write(lambda c: self._capture_in(c, caller, payment_id, body))
        crash_point("gateway.intent.captured")
        # No nudge: nothing waits in the outbox before the debt is paid.
        self.debts.drive(attempt)
        return intent

    async def increment(self, caller: Caller, payment_id: str, body: IncrementIntent) -> Intent:
        """Have the issuer promise more; raises `IncrementDeclinedError` where it does not.

        It goes on by itself where the issuer does not answer in time. Then the caller sees the intent as it
        was, or, with an idempotency key to ask again under, hears it by `RequestInProgressError`.
        """
        attempt = await self.store.write(lambda c: self._increment_in(c, caller, payment_id, body))
        crash_point("gateway.intent.incremented")
        await self.debts.paid(attempt, INCREMENT_SECONDS_MAX)
        return await self._increment_answer(
            caller,
            payment_id,
            (attempt.number, attempt.operations),
            has_key=caller.request_key is not None,
        )

    async def increment_answer(self, caller: Caller, claim: Claim) -> Intent:
        """The intent after the increment that claimed a key: raises what `increment` does of it."""
        # Keys claimed before they named their increment are of the latest operation, if of any.
        number, operation = claim.attempt, claim.operation
        asked = None if number is None or operation is None else (number, operation)
        return await self._increment_answer(caller, claim.resource, asked, has_key=True)

    async def _increment_answer(
        self, caller: Caller, payment_id: str, asked: tuple[int, int] | None, *, has_key: bool
    ) -> Intent:
        def look(connection: Connection) -> tuple[Intent, bool, str | None]:
            intent = self.load_in(connection, caller, payment_id)
            attempt = load_attempt(connection, intent.id, asked[0] if asked else intent.attempts)
            if attempt is None:
                return intent, False, None
            operation = asked[1] if asked else attempt.operations
            is_under_way = (attempt.phase, attempt.operations) == ("incrementing", operation)
            return intent, is_under_way, refusal_of(connection, attempt.id, operation)

        intent, is_under_way, decline_code = await self.store.read(look)
        if decline_code is not None:
            raise IncrementDeclinedError(intent, decline_code)
        if has_key and is_under_way:
            raise RequestInProgressError()
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
        body: CaptureIntent,
    ) -> tuple[Intent, Attempt]:
        before = self.load_in(connection, caller, payment_id)
        at = not_before_last_step(connection, before, caller.at)
        intent = intents.captured(before, body.amount_to_capture, final=body.final_capture)
        if is_open(connection, intent.review_id):
            raise InvalidRequestError(
                "A review holds the capture: approve or reject it first.", code="payment_intent_under_review"
            )
        claim_in(connection, caller.request_key, payment_id)
        debt = CaptureOwed(
            amount_minor=intent.amount_received_minor - before.amount_received_minor,
            since_us=microseconds(at),
            final=not intent.amount_capturable_minor,
        )
        return owe_in(connection, intent, debt)

    def _increment_in(
        self, connection: Connection, caller: Caller, payment_id: str, body: IncrementIntent
    ) -> Attempt:
        intent, attempt = self._latest_in(connection, caller, payment_id)
        at = not_before_last_step(connection, intent, caller.at)
        more_minor = body.amount - intent.amount_minor
        after = incremented(intent, more_minor)
        merchant = load_merchant(connection, caller.merchant_id)
        if attempt is None or has_expired(attempt.expires_us, microseconds(at)):
            raise InvalidRequestError("The authorization has expired.", code="charge_expired_for_capture")
        require_increment(
            intent,
            attempt,
            more_minor,
            under_review=is_open(connection, intent.review_id),
            by_law=law_for(attempt.instrument, merchant.country, at) is not None,
        )
        admit_more_in(connection, merchant, after, attempt, more_minor)
        attempt = owing(attempt, IncrementOwed(amount_minor=more_minor, since_us=microseconds(at)))
        claim_in(
            connection,
            caller.request_key,
            payment_id,
            attempt=attempt.number,
            operation=attempt.operations,
        )
        save_attempt(connection, attempt)
        save_intent(connection, intent)
        return attempt

    def _latest_in(
        self, connection: Connection, caller: Caller, payment_id: str
    ) -> tuple[Intent, Attempt | None]:
        intent = self.load_in(connection, caller, payment_id)
        return intent, load_attempt(connection, intent.id, intent.attempts)

    def _cancel_in(
        self, connection: Connection, caller: Caller, payment_id: str, reason: str | None
    ) -> tuple[Intent, Attempt | None]:
        before = self.load_in(connection, caller, payment_id)
        at = not_before_last_step(connection, before, caller.at)
        intent = intents.canceled(before, reason, microseconds(at))
        claim_in(connection, caller.request_key, payment_id)
        close_review(connection, intent.review_id, "canceled", microseconds(at))
        waiting = latest_waiting_in(connection, before)
        if before.status == "requires_capture" or waiting is not None:
            return owe_in(connection, intent, VoidOwed(since_us=microseconds(at)))
        event = PaymentCanceled(**self.recorder.header(intent, at), reason=reason or "unspecified")
        return save_intent(connection, self.recorder.record_step(connection, intent, event)), None
