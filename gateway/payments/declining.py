"""Declining an intent: its error and outcome, and the event that tells of it, in the commit of the end."""

from sqlalchemy import Connection

from events.instruments import CardFacts
from events.moments import moment
from events.types import PaymentDeclined
from gateway.event_recorder import EventRecorder
from gateway.payments import intents
from gateway.payments.effective_decision import EffectiveDecision
from gateway.payments.intents import Attempt, Intent, PaymentOutcome
from gateway.payments.outcomes import payment_error, ruling


def decline_in(
    connection: Connection,
    recorder: EventRecorder,
    intent: Intent,
    attempt: Attempt,
    decision: EffectiveDecision,
    code: str,
    outcome: PaymentOutcome,
) -> Intent:
    """The intent, which may be paid another way; `code` is why."""
    paying, by_card = attempt.instrument, isinstance(attempt.instrument, CardFacts)
    intent = intents.refused(intent, "decline", outcome, payment_error(code))
    event = PaymentDeclined(
        **recorder.header(intent, moment(attempt.moment_us)),
        attempt=attempt.number,
        reason=code,
        card_surrogate=paying.surrogate if by_card else None,
        account_surrogate=None if by_card else paying.surrogate,
        ruling=ruling(decision),
    )
    return recorder.record_step(connection, intent, event)
