"""Events to what the engine is told, and the engine's answer to an event.

Cards, devices, addresses and people are surrogates already; sealed fields stay behind here.
"""

import hashlib
from datetime import datetime

from events.errors import MoneyError
from events.ids import uuid7
from events.instruments import AccountFacts
from events.log.port import Position
from events.moments import microseconds
from events.money import AMOUNT_MINOR_MAX, exponent
from events.types import (
    AssessmentRequested,
    ControlChanged,
    DecisionMade,
    LabelReported,
    ModelPublished,
    PaymentAuthenticated,
    PaymentDeclined,
    PaymentIncremented,
    SignInAttempted,
    Versions,
)
from models.controls import Control
from models.observations import (
    Assessment,
    Challenge,
    ChallengeResult,
    Decline,
    Increment,
    Label,
    ModelSnapshot,
    Observation,
    SignIn,
)
from pipelines.errors import UnusableEventError

_CHALLENGE_RESULTS: dict[str, ChallengeResult] = {
    "authenticated": "passed",
    "failed": "failed",
    "abandoned": "abandoned",
}
"""An authentication's result → what came of its challenge."""


def derived_id(what: str, of: str, at: datetime) -> str:
    """The identifier of what follows from another event: the same whenever it is made again."""
    return uuid7(at, hashlib.sha256(f"{what}\0{of}".encode()).digest())


def observation(event: AssessmentRequested, partition: int = 0, *, is_followed: bool = False) -> Observation:
    """`partition` of the request; `is_followed`: another flow answers it.

    Raises `UnusableEventError` where the amount or currency cannot be.

    An empty text, and a funding that is unknown, are missing.
    """
    _require_amount(event.amount_minor, event.currency)
    paying, context = event.instrument, event.context
    if paying is None:
        raise UnusableEventError("nothing is said of what pays")
    card = event.card
    return Observation(
        payment_id=event.payment_id,
        occurred_at_us=microseconds(event.occurred_at),
        amount_minor=event.amount_minor,
        currency=event.currency,
        merchant=event.merchant_id or None,
        merchant_category=event.merchant_category,
        merchant_country=event.merchant_country,
        payment_method=paying.method if isinstance(paying, AccountFacts) else "card",
        card=paying.surrogate or None,
        card_country=card.issuer_country if card else None,
        card_funding=None if card is None or card.funding == "unknown" else card.funding,
        card_brand=(card.brand or None) if card else None,
        device=context.device,
        ip=context.ip,
        email=context.email,
        customer=context.customer,
        ip_country=context.ip_country,
        billing_country=context.billing_country,
        shipping_country=context.shipping_country,
        item_count=context.item_count,
        partition=partition,
        is_followed=is_followed,
    )


def _require_amount(amount_minor: int, currency: str) -> None:
    try:
        exponent(currency)
    except MoneyError:
        raise UnusableEventError("the currency is unknown") from None
    if not 0 <= amount_minor <= AMOUNT_MINOR_MAX:
        raise UnusableEventError("the amount is not between 0 and the largest payment")


def sign_in(event: SignInAttempted) -> SignIn:
    """A sign-in, or one that failed."""
    return SignIn(
        occurred_at_us=microseconds(event.occurred_at),
        succeeded=event.succeeded,
        merchant=event.merchant_id,
        customer=event.customer,
        device=event.device,
        ip=event.ip,
    )


def decline(event: PaymentDeclined) -> Decline:
    """An issuer's no, or that an attempt lapsed."""
    return Decline(
        payment_id=event.payment_id,
        attempt=event.attempt,
        occurred_at_us=microseconds(event.occurred_at),
        reason=event.reason,
        lapsed=event.lapsed,
        card=event.card_surrogate or event.account_surrogate,
    )


def increment(event: PaymentIncremented) -> Increment:
    """An issuer's promise of more; raises `UnusableEventError` where an amount or the currency cannot be."""
    _require_amount(event.amount_minor, event.currency)
    if event.more_minor > event.amount_minor:
        raise UnusableEventError("more was promised on top than the whole is")
    return Increment(
        payment_id=event.payment_id,
        attempt=event.attempt,
        amount_minor=event.amount_minor,
        more_minor=event.more_minor,
        currency=event.currency,
    )


def challenge(event: PaymentAuthenticated) -> Challenge | None:
    """What came of a challenge; None where there was none, or it ended by nobody's doing."""
    result = _CHALLENGE_RESULTS.get(event.result)
    if event.flow != "challenge" or result is None:
        return None
    return Challenge(
        payment_id=event.payment_id,
        attempt=event.attempt,
        occurred_at_us=microseconds(event.occurred_at),
        result=result,
        card=event.card_surrogate,
    )


def label(event: LabelReported) -> Label:
    """A label, reported or matured, with the time at which it arrived."""
    return Label(
        payment_id=event.payment_id,
        arrived_at_us=microseconds(event.occurred_at),
        kind=event.kind,
        source=event.source,
        fraud=event.fraud,
        mode=event.mode,
    )


def snapshot(event: ModelPublished) -> ModelSnapshot:
    """A published model; it is in force from the event's own time."""
    return ModelSnapshot(
        name=event.name,
        kind=event.kind,
        version=event.version,
        in_force_from_us=microseconds(event.occurred_at),
        labels=event.labels,
        state=event.state,
    )


def control(event: ControlChanged) -> Control:
    """A control as published; whether its body can be read is the engine's to say."""
    return Control(name=event.name, kind=event.kind, version=event.version, body=event.body)


def decision(
    event: AssessmentRequested, assessment: Assessment, position: Position, assessed_at: datetime
) -> DecisionMade:
    """The answer to a request. Its time is the request's own; `assessed_at` is the scorer's clock."""
    return DecisionMade(
        id=derived_id("decision", event.id, event.occurred_at),
        occurred_at=event.occurred_at,
        payment_id=event.payment_id,
        attempt=event.attempt,
        mode=event.mode,
        assessment_id=event.id,
        request_partition=position.partition,
        request_offset=position.offset,
        assessed_at=assessed_at,
        outcome=assessment.outcome,
        probability=assessment.probability,
        risk_score=assessment.risk_score,
        reasons=assessment.reasons,
        rules=assessment.rules,
        challenged_by=assessment.challenged_by,
        challenged_by_model=assessment.challenged_by_model,
        costs_minor=assessment.costs_minor,
        features=assessment.features,
        challengers=assessment.challengers,
        anomaly=assessment.anomaly,
        versions=Versions(
            features=assessment.features_version,
            online=assessment.online_version,
            batch=assessment.batch_version,
            controls=assessment.controls_versions,
        ),
        sequence=assessment.sequence,
        shard=assessment.shard,
        trace=event.trace,
    )


def assessment(event: DecisionMade) -> Assessment:
    """The engine's answer as it was, out of its event."""
    return Assessment(
        payment_id=event.payment_id,
        occurred_at_us=microseconds(event.occurred_at),
        probability=event.probability,
        risk_score=event.risk_score,
        outcome=event.outcome,
        reasons=event.reasons,
        rules=event.rules,
        challenged_by=event.challenged_by,
        challenged_by_model=event.challenged_by_model,
        costs_minor=event.costs_minor,
        features=event.features,
        challengers=event.challengers,
        anomaly=event.anomaly,
        features_version=event.versions.features,
        online_version=event.versions.online,
        batch_version=event.versions.batch,
        controls_versions=event.versions.controls,
        sequence=event.sequence,
        shard=event.shard,
    )
