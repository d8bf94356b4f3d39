"""Events as a platform writes them, for tests of what the page shows of them."""

from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from events.ids import uuid7
from events.instruments import CardFacts
from events.types import (
    AssessmentRequested,
    DecisionMade,
    LabelKind,
    LabelReported,
    ModelPublished,
    Outcome,
    PaymentAuthorized,
    PaymentDecidedLate,
    PaymentRefunded,
    PaymentRefundFailed,
    RiskContext,
    Versions,
)
from events.vocabulary import Reason, Ruling

START = datetime(2026, 1, 5, 10, tzinfo=UTC)
DEVICE, ADDRESS, EMAIL = "surrogate-device", "surrogate-address", "surrogate-email"
SEALED = b"sealed personal fields"


def event_id(number: int) -> str:
    return uuid7(START, number.to_bytes(10, "big"))


def question(number: int, *, amount_minor: int = 4_999, currency: str = "EUR") -> AssessmentRequested:
    """A payment that waits for its decision."""
    return AssessmentRequested(
        id=event_id(number),
        occurred_at=START + timedelta(minutes=number),
        payment_id=f"pi_{number:06}",
        attempt=1,
        mode="test",
        merchant_id="mer_1",
        merchant_category="5942",
        amount_minor=amount_minor,
        currency=currency,
        card=CardFacts(
            token=f"tok_{number}",
            surrogate="surrogate-card",
            bin="400002",
            last4="4242",
            brand="visa",
            issuer_country="DE",
        ),
        context=RiskContext(
            device=DEVICE, ip=ADDRESS, email=EMAIL, customer="surrogate-customer", subject="s", sealed=SEALED
        ),
    )


def answer(
    number: int,
    outcome: Outcome = "allow",
    *,
    probability: float = 0.01,
    reason: str = "nothing stands out",
) -> DecisionMade:
    """The decision about that payment."""
    return DecisionMade(
        id=event_id(number + 500_000),
        occurred_at=START + timedelta(minutes=number),
        payment_id=f"pi_{number:06}",
        attempt=1,
        mode="test",
        assessment_id=event_id(number),
        request_partition=0,
        request_offset=number,
        assessed_at=START,
        outcome=outcome,
        probability=probability,
        risk_score=round(probability * 100),
        reasons=[Reason(feature="amount_minor", text=reason)],
        rules=[],
        costs_minor={},
        features=[],
        challengers={},
        anomaly=None,
        versions=Versions(features=1, online=1, batch=0),
        sequence=number,
        shard=0,
    )


def authorized(number: int, *, assessed: bool = True) -> PaymentAuthorized:
    """The issuer agreed."""
    return PaymentAuthorized(
        id=event_id(number + 600_000),
        occurred_at=START,
        payment_id=f"pi_{number:06}",
        sequence=3,
        mode="test",
        merchant_id="mer_1",
        amount_minor=4_999,
        currency="EUR",
        attempt=1,
        authorization_id="auth_1",
        assessed=assessed,
    )


def marked(number: int) -> PaymentDecidedLate:
    """The engine's block, after the capture."""
    return PaymentDecidedLate(
        id=event_id(number + 650_000),
        occurred_at=START,
        payment_id=f"pi_{number:06}",
        sequence=5,
        mode="test",
        merchant_id="mer_1",
        amount_minor=4_999,
        currency="EUR",
        attempt=1,
        ruling=Ruling(by="engine", outcome="block", risk_score=90, text="A stolen device."),
        effect="marked",
    )


def refunded(number: int) -> PaymentRefunded:
    """What was captured before its block came was given back."""
    return PaymentRefunded(**_refund(number))


def refund_refused(number: int) -> PaymentRefundFailed:
    """The network refused to give it back."""
    return PaymentRefundFailed(**_refund(number))


def _refund(number: int) -> dict[str, Any]:
    return {
        "id": event_id(number + 660_000),
        "occurred_at": START,
        "payment_id": f"pi_{number:06}",
        "sequence": 6,
        "mode": "test",
        "merchant_id": "mer_1",
        "amount_minor": 4_999,
        "currency": "EUR",
        "attempt": 1,
        "authorization_id": "auth_1",
        "refund_id": "re_1",
        "reason": "late_block",
    }


def label(number: int, fraud: bool | None, kind: LabelKind = "fraud_dispute") -> LabelReported:
    """A report about that payment."""
    return LabelReported(
        id=event_id(number + 700_000),
        occurred_at=START + timedelta(days=3),
        payment_id=f"pi_{number:06}",
        kind=kind,
        source="issuer",
        fraud=fraud,
        mode="test",
    )


def published(version: int, labels: int, kind: Literal["online", "batch"] = "online") -> ModelPublished:
    """A snapshot of the learner."""
    return ModelPublished(
        id=event_id(version + 800_000),
        occurred_at=START,
        name="champion",
        kind=kind,
        version=version,
        learned_to={},
        labels=labels,
        state=b"",
    )
