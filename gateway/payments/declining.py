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
from gateway.processor_port import ProcessorAnswer

LAPSED = "payment_timed_out"
LAPSED_CODES = frozenset({LAPSED, "payment_collect_request_expired"})


def decline_in(
    connection: Connection,
    recorder: EventRecorder,
    intent: Intent,
    attempt: Attempt,
    decision: EffectiveDecision,
    code: str,
    outcome: PaymentOutcome,
    answer: ProcessorAnswer | None = None,
) -> Intent:
    """The intent, which may be paid another way; `code` is why, `answer` what the processor said."""
    paying, by_card = attempt.instrument, isinstance(attempt.instrument, CardFacts)
    intent = intents.refused(intent, "decline", outcome, payment_error(code))
    event = PaymentDeclined(
        **recorder.header(intent, moment(attempt.moment_us)),
        attempt=attempt.number,
        reason=code,
        lapsed=has_lapsed(attempt, code, answer),
        card_surrogate=paying.surrogate if by_card else None,
        account_surrogate=None if by_card else paying.surrogate,
        ruling=ruling(decision),
    )
    return recorder.record_step(connection, intent, event)


def has_lapsed(attempt: Attempt, code: str, answer: ProcessorAnswer | None) -> bool:
    """Whether nobody said no: payer or merchant let the time pass, or the payer left the challenge."""
    if code in LAPSED_CODES:
        return True
    if answer is None:
        return False
    # Who waits for a payer takes an attempt back for its time alone, though the payer came that moment.
    taken_back = attempt.phase == "awaiting_payer" and answer.status == "reversed"
    is_abandoned = answer.authentication is not None and answer.authentication.result == "abandoned"
    return taken_back or is_abandoned
