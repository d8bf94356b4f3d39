"""The lines of the live page: one attempt each, in words a merchant may read, without any personal field."""

from dataclasses import dataclass, replace
from datetime import datetime

from events.instruments import label_of
from events.money import Money
from events.types import AssessmentRequested, DecisionMade, PaymentDecidedLate, PaymentRefundFailed

REASONS_MAX = 3


@dataclass(frozen=True)
class AttemptRow:
    """One decided attempt: what was done with it, in words a merchant may read."""

    payment: str
    attempt: int
    at: datetime
    amount: str
    merchant_category: str
    card: str
    country: str
    outcome: str = ""
    risk_score: int | None = None
    reasons: tuple[str, ...] = ()
    latency_ms: float | None = None
    waits: bool = False
    """Whether its payer has to do something first, and has not done it yet."""
    marked: bool = False
    """Whether a block came after the capture and the money was not given back: a person has to refund."""


def row(question: AssessmentRequested, decision: DecisionMade, latency_ms: float | None) -> AttemptRow:
    """The line of one attempt as the engine decided it."""
    return replace(
        asked(question),
        outcome=decision.outcome,
        risk_score=decision.risk_score,
        reasons=tuple(sentence(reason.text) for reason in decision.reasons[:REASONS_MAX]),
        latency_ms=latency_ms,
    )


def asked(question: AssessmentRequested) -> AttemptRow:
    """The line of one attempt of which no decision is known."""
    card = question.card
    return AttemptRow(
        payment=question.payment_id,
        attempt=question.attempt,
        at=question.occurred_at,
        amount=str(Money(question.amount_minor, question.currency)),
        merchant_category=question.merchant_category or "",
        card=label_of(question.instrument),
        country=(card and card.issuer_country) or "",
    )


def marked(event: PaymentDecidedLate | PaymentRefundFailed) -> AttemptRow:
    """The line of one attempt of which only this is known: a block came after the capture, and no refund."""
    return AttemptRow(
        payment=event.payment_id,
        attempt=event.attempt,
        at=event.occurred_at,
        amount=str(Money(event.amount_minor, event.currency)),
        merchant_category="",
        card="",
        country="",
        outcome="allow" if isinstance(event, PaymentDecidedLate) else "block",
        reasons=(sentence(event.ruling.text),) if isinstance(event, PaymentDecidedLate) else (),
        marked=True,
    )


def sentence(text: str) -> str:
    """Words with a capital and a full stop, as others that stand beside them have.

    >>> sentence("a device seen for the first time"), sentence("Not paid before.")
    ('A device seen for the first time.', 'Not paid before.')
    """
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


def date_in_words(at: datetime, present_year: int) -> str:
    """Day and month, with the year where it is not the present one: payments may have a time of their own.

    >>> from datetime import UTC
    >>> at = datetime(2035, 1, 5, tzinfo=UTC)
    >>> date_in_words(at, 2035), date_in_words(at, 2026)
    ('05 Jan', '05 Jan 2035')
    """
    return f"{at:%d %b}" if at.year == present_year else f"{at:%d %b %Y}"
