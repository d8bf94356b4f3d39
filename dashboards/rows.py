"""The lines of the live page: one attempt each, in words a merchant may read, without any personal field."""

from dataclasses import dataclass, replace

from events.money import Money
from events.types import AssessmentRequested, DecisionMade

REASONS_MAX = 3


@dataclass(frozen=True)
class Row:
    """One decided attempt: what was done with it, in words a merchant may read."""

    payment: str
    attempt: int
    time: str
    amount: str
    merchant_category: str
    card: str
    country: str
    outcome: str = ""
    risk_score: int | None = None
    reasons: tuple[str, ...] = ()
    latency_ms: float | None = None


def row(question: AssessmentRequested, decision: DecisionMade, latency_ms: float | None) -> Row:
    """The line of one attempt as the engine decided it."""
    return replace(
        asked(question),
        outcome=decision.outcome,
        risk_score=decision.risk_score,
        reasons=tuple(reason.text for reason in decision.reasons[:REASONS_MAX]),
        latency_ms=latency_ms,
    )


def asked(question: AssessmentRequested) -> Row:
    """The line of one attempt of which no decision is known."""
    card = question.card
    return Row(
        payment=question.payment_id,
        attempt=question.attempt,
        time=question.occurred_at.strftime("%d %b %H:%M:%S"),
        amount=str(Money(question.amount_minor, question.currency)),
        merchant_category=question.merchant_category or "",
        card=f"{card.brand} ··{card.last4}",
        country=card.issuer_country or "",
    )
