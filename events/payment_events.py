"""The facts of a payment's life (topic `payments`); what holds for every event stands in `events.types`."""

from typing import Literal

from events.event import Count, Event, Whole
from events.instruments import AccountFacts, CardFacts
from events.vocabulary import LateEffect, Mode, RefundReason, Ruling


class PaymentEvent(Event, frozen=True, kw_only=True):
    """Life-cycle facts (topic `payments`, keyed by payment): `sequence` counts 1, 2, 3 … per payment."""

    payment_id: str
    sequence: Count
    mode: Mode
    merchant_id: str
    amount_minor: Whole
    currency: str


class PaymentCreated(PaymentEvent, frozen=True, kw_only=True, tag="payment.created"):
    """A merchant created a payment intent."""


class PaymentUpdated(PaymentEvent, frozen=True, kw_only=True, tag="payment.updated"):
    """The merchant changed members of an intent; `changed` are their names, sorted."""

    changed: list[str]


class PaymentConfirmed(PaymentEvent, frozen=True, kw_only=True, tag="payment.confirmed"):
    """The shopper confirmed with a `card` or another `account`; `attempt` counts 1, 2, 3 … per payment."""

    attempt: Count
    card: CardFacts | None = None
    account: AccountFacts | None = None


class PaymentActionRequired(PaymentEvent, frozen=True, kw_only=True, tag="payment.action_required"):
    """The payer has to do something before the attempt can end; `kind` is what.

    `ruling` is what was decided before they were sent off, and holds until the end tells another.
    """

    attempt: Count
    kind: str
    ruling: Ruling | None = None


class PaymentConfirmationRequired(
    PaymentEvent, frozen=True, kw_only=True, tag="payment.confirmation_required"
):
    """The payer has done what was asked and the issuer has approved; the merchant is to confirm once more."""

    attempt: Count


class PaymentAuthenticated(PaymentEvent, frozen=True, kw_only=True, tag="payment.authenticated"):
    """A card's issuer was asked whether it is the cardholder who pays (3-D Secure); `result` is what it said.

    `eci` is the indicator that the networks carry; with `liability_shifted` a fraud is the issuer's loss.
    """

    attempt: Count
    result: str
    flow: Literal["frictionless", "challenge"]
    eci: str | None = None
    liability_shifted: bool = False
    card_surrogate: str | None = None


class PaymentAuthorized(PaymentEvent, frozen=True, kw_only=True, tag="payment.authorized"):
    """The issuer authorized; `held`: capture waits for a review; `assessed` False: a fallback decided.

    `ruling` is None, here and below, where the event was written before there were any. Where a part was
    welcome, `asked_minor` is what `amount_minor` may be a part of.
    """

    attempt: Count
    authorization_id: str
    approval_code: str | None = None
    network_reference: str | None = None
    asked_minor: Whole | None = None
    held: bool = False
    assessed: bool = True
    ruling: Ruling | None = None


class PaymentDeclined(PaymentEvent, frozen=True, kw_only=True, tag="payment.declined"):
    """The issuer declined, the network failed, or the attempt was reversed; `reason` is a decline code.

    `lapsed`: nobody declined, the payer or the merchant let the time pass.
    """

    attempt: Count
    reason: str
    lapsed: bool = False
    card_surrogate: str | None = None
    account_surrogate: str | None = None
    ruling: Ruling | None = None


class PaymentBlocked(PaymentEvent, frozen=True, kw_only=True, tag="payment.blocked"):
    """Weir's decision blocked the attempt before it left for the network."""

    attempt: Count
    reason: str
    ruling: Ruling | None = None


class PaymentDecidedLate(PaymentEvent, frozen=True, kw_only=True, tag="payment.decided_late"):
    """The engine's late decision `held` the capture, `voided`, or has what was captured `refunded`.

    `marked`: written before there were refunds; a person was to give the money back.
    """

    attempt: Count
    ruling: Ruling
    effect: LateEffect


class PaymentReviewed(PaymentEvent, frozen=True, kw_only=True, tag="payment.reviewed"):
    """A review was closed: `approved` lifts the hold, `rejected` voids, and has captured parts refunded."""

    verdict: Literal["approved", "rejected"]
    actor: str


class PaymentReviewExpired(PaymentEvent, frozen=True, kw_only=True, tag="payment.review_expired"):
    """Nobody closed a review in its time: the authorization is voided, and that says nothing about fraud."""

    review_id: str


class PaymentIncremented(PaymentEvent, frozen=True, kw_only=True, tag="payment.incremented"):
    """The issuer promised `more_minor` more; `amount_minor` is the whole from now on."""

    attempt: Count
    authorization_id: str
    more_minor: Whole


class PaymentIncrementDeclined(PaymentEvent, frozen=True, kw_only=True, tag="payment.increment_declined"):
    """The issuer did not promise `more_minor` more; what was authorized stands. `reason`: a decline code."""

    attempt: Count
    authorization_id: str
    more_minor: Whole
    reason: str


class PaymentCaptured(PaymentEvent, frozen=True, kw_only=True, tag="payment.captured"):
    """`amount_minor` is what was captured."""

    authorization_id: str


class PaymentCaptureFailed(PaymentEvent, frozen=True, kw_only=True, tag="payment.capture_failed"):
    """The network refused to have `amount_minor` captured, and what was not captured was given back.

    What was captured before of the same authorization, if anything, stays.
    """

    attempt: Count
    authorization_id: str


class PaymentReleased(PaymentEvent, frozen=True, kw_only=True, tag="payment.released"):
    """`amount_minor` that was authorized was given back; what was captured before is all that is taken.

    `reason`: the merchant's of a cancellation, `fraudulent` of a rejection, `automatic` or `expired`.
    """

    attempt: Count
    authorization_id: str
    reason: str


class PaymentCanceled(PaymentEvent, frozen=True, kw_only=True, tag="payment.canceled"):
    """The intent was canceled; an authorization, if any, was voided."""

    reason: str
    authorization_id: str | None = None


class PaymentRefunded(PaymentEvent, frozen=True, kw_only=True, tag="payment.refunded"):
    """`amount_minor` of captured money was given back."""

    attempt: Count
    authorization_id: str
    refund_id: str
    reason: RefundReason


class PaymentRefundFailed(PaymentEvent, frozen=True, kw_only=True, tag="payment.refund_failed"):
    """The network refused to have `amount_minor` given back: a person has to."""

    attempt: Count
    authorization_id: str
    refund_id: str
    reason: RefundReason
