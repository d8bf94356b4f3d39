"""Reviews: a person approves, which lifts the hold, or rejects, which takes back. Both are audited."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import msgspec
from sqlalchemy import Connection

from events.crash import crash_point, declare
from events.ids import Entropy, resource_id
from events.moments import microseconds
from events.types import PaymentReviewed
from gateway.auth import Caller
from gateway.errors import InvalidRequestError
from gateway.event_recorder import EventRecorder
from gateway.outbox import Relay
from gateway.payments import intents
from gateway.payments.debts import Debts, owe_in
from gateway.payments.intents import Attempt, CaptureOwed, Intent, VoidOwed
from gateway.payments.lifetimes import has_expired, review_expires_us
from gateway.payments.refunds import Refunds, owe_refund_in
from gateway.requests import ListReviews
from gateway.store.idempotency_rows import claim_in
from gateway.store.intent_rows import load_intent, not_before_last_step, save_intent
from gateway.store.method_rows import make_consent_effective
from gateway.store.review_rows import Review, close_review, list_reviews, load_review, open_review
from gateway.store.writer import Store

declare({"gateway.review.closed": "a review's end is durable, its caller has not heard"})


@dataclass(frozen=True, kw_only=True)
class Reviews:
    """What an analyst may do with a held payment."""

    store: Store
    recorder: EventRecorder
    relay: Relay
    debts: Debts
    refunds: Refunds
    entropy: Entropy

    async def retrieve(self, caller: Caller, review_id: str) -> Review:
        """The caller's review; raises `NotFoundError`."""
        return await self.store.read(lambda c: self._load(c, caller, review_id))

    async def list(self, caller: Caller, query: ListReviews) -> tuple[list[Review], bool]:
        """A page, newest first, and whether there is more."""
        return await self.store.read(
            lambda c: list_reviews(c, merchant_id=caller.merchant_id, mode=caller.mode, query=query)
        )

    async def approve(self, caller: Caller, review_id: str) -> Review:
        """Lift the hold: automatic capture captures now, manual capture waits for the merchant.

        A second approval gets the same answer.
        """
        return await self._close(caller, review_id, approved=True)

    async def reject(self, caller: Caller, review_id: str) -> Review:
        """Void the authorization and cancel the intent; a second rejection gets the same answer.

        What was captured in part before its capture was held is given back, too.
        """
        return await self._close(caller, review_id, approved=False)

    async def _close(self, caller: Caller, review_id: str, *, approved: bool) -> Review:
        review, attempt = await self.store.write(
            lambda c: self._close_in(c, caller, review_id, approved=approved)
        )
        crash_point("gateway.review.closed")
        self.relay.nudge()
        if attempt is not None:
            self.debts.drive(attempt)
            await self.refunds.drive_for(attempt.payment_id)
        return review

    def _close_in(
        self, connection: Connection, caller: Caller, review_id: str, *, approved: bool
    ) -> tuple[Review, Attempt | None]:
        review = self._load(connection, caller, review_id)
        claim_in(connection, caller.request_key, review_id)
        reason: Literal["approved", "rejected"] = "approved" if approved else "rejected"
        if review.closed_reason is not None:
            if review.closed_reason != reason:
                raise InvalidRequestError(
                    f"This review was closed before: {review.closed_reason}.", code="review_closed"
                )
            return review, None
        before = load_intent(connection, review.payment_id)
        if (before.review_id, before.status) != (review_id, "requires_capture"):
            raise InvalidRequestError("This review holds nothing any more.", code="review_closed")
        at = not_before_last_step(connection, before, caller.at)
        if has_expired(review.expires_us, microseconds(at)):
            # The sweep that ends it is under way.
            raise InvalidRequestError("This review has expired.", code="review_closed")
        close_review(connection, review_id, reason, microseconds(at))
        self.recorder.audit(
            connection, at, actor=caller.key_id, action=f"review.{reason}", resource=review_id
        )
        event = PaymentReviewed(**self.recorder.header(before, at), verdict=reason, actor=caller.key_id)
        intent = self.recorder.record_step(connection, before, event)
        attempt = self._follow_up_in(connection, intent, at, approved=approved)
        closed = msgspec.structs.replace(review, closed_us=microseconds(at), closed_reason=reason)
        return closed, attempt

    def _follow_up_in(
        self, connection: Connection, intent: Intent, at: datetime, *, approved: bool
    ) -> Attempt | None:
        if not approved:
            if intent.amount_received_minor:
                intent = owe_refund_in(connection, self.entropy, intent, "rejected_review", microseconds(at))
            intent = intents.canceled(intent, "fraudulent", microseconds(at))
            return owe_in(connection, intent, VoidOwed(since_us=microseconds(at)))[1]
        make_consent_effective(connection, intent, microseconds(at))
        waits = intent.capture_due_us is not None and intent.capture_due_us > microseconds(at)
        if intent.capture_method == "automatic" and not waits:
            debt = CaptureOwed(amount_minor=intent.amount_capturable_minor, since_us=microseconds(at))
            return owe_in(connection, intents.captured(intent, None), debt)[1]
        save_intent(connection, intent)
        return None

    def _load(self, connection: Connection, caller: Caller, review_id: str) -> Review:
        return load_review(connection, review_id, merchant_id=caller.merchant_id, mode=caller.mode)


def open_review_in(
    connection: Connection, entropy: Entropy, intent: Intent, attempt: Attempt, reason: str | None
) -> str:
    """A new review of an authorized attempt; it ends before the authorization does."""
    review_id = resource_id("prv", entropy)
    expires_us = attempt.expires_us and review_expires_us(attempt.moment_us, attempt.expires_us)
    open_review(
        connection,
        review_id,
        intent,
        reason=reason or "rule",
        opened_us=attempt.moment_us,
        expires_us=expires_us,
    )
    return review_id
