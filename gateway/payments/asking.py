"""Asking the risk engine about an attempt, in the commit that begins it."""

from datetime import datetime
from typing import Any

from msgspec import UNSET
from sqlalchemy import Connection

from events.instruments import CardFacts, Instrument
from events.types import AssessmentRequested, PaymentConfirmed
from gateway.event_recorder import EventRecorder
from gateway.payments.intents import Attempt, Intent
from gateway.people.merchants import Merchant


def ask_for_decision_in(
    connection: Connection,
    recorder: EventRecorder,
    intent: Intent,
    attempt: Attempt,
    merchant: Merchant,
    at: datetime,
    trace: str | None = None,
) -> Intent:
    """The intent with its confirm counted; the question and the event are in the commit's outbox."""
    # First the question, which is waited for; the life-cycle event may stand behind it.
    recorder.record(
        connection,
        "assessments",
        attempt.instrument.surrogate,
        AssessmentRequested(
            id=recorder.event_id(at),
            occurred_at=at,
            payment_id=intent.id,
            attempt=attempt.number,
            mode=intent.mode,
            merchant_id=intent.merchant_id,
            merchant_category=merchant.category,
            merchant_country=merchant.country,
            amount_minor=intent.amount_minor,
            currency=intent.currency,
            **_paying(attempt.instrument),
            context=attempt.context,
            trace=UNSET if trace is None else trace,
        ),
    )
    event = PaymentConfirmed(
        **recorder.header(intent, at),
        attempt=attempt.number,
        **_paying(attempt.instrument),
    )
    return recorder.record_step(connection, intent, event)


def _paying(instrument: Instrument) -> dict[str, Any]:
    """The member by which an event says what pays."""
    return {"card" if isinstance(instrument, CardFacts) else "account": instrument}
