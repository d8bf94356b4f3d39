"""What is told of a cardholder's authentication: an event of its own, and a member of the outcome."""

import msgspec
from sqlalchemy import Connection

from events.instruments import CardFacts
from events.moments import moment
from events.types import PaymentAuthenticated
from gateway.event_recorder import EventRecorder
from gateway.payments.effective_decision import EffectiveDecision
from gateway.payments.intents import Attempt, Intent, PaymentOutcome
from gateway.processor_port import ProcessorAnswer


def authenticated_in(
    connection: Connection,
    recorder: EventRecorder,
    intent: Intent,
    attempt: Attempt,
    answer: ProcessorAnswer | None,
) -> Intent:
    """Record the event in the commit of the attempt's end, before the event of the end itself."""
    if answer is None or answer.authentication is None:
        return intent
    told, paying = answer.authentication, attempt.instrument
    event = PaymentAuthenticated(
        **recorder.header(intent, moment(attempt.moment_us)),
        attempt=attempt.number,
        result=told.result,
        flow=told.flow,
        eci=told.eci,
        liability_shifted=told.liability_shifted,
        card_surrogate=paying.surrogate if isinstance(paying, CardFacts) else None,
    )
    return recorder.record_step(connection, intent, event)


def without_withdrawn(decision: EffectiveDecision, answer: ProcessorAnswer | None) -> ProcessorAnswer | None:
    """The answer without a challenge that a late block took away: its payer did not abandon it."""
    if answer is None or answer.authentication is None or decision.outcome != "block":
        return answer
    if answer.authentication.result != "abandoned":
        return answer
    return msgspec.structs.replace(answer, authentication=None)


def with_outcome(intent: Intent, outcome: PaymentOutcome) -> Intent:
    """The intent with another outcome of the same attempt: authentication and increments stay as they are."""
    before = intent.outcome
    if before is not None:
        outcome = msgspec.structs.replace(
            outcome, three_d_secure=before.three_d_secure, amount_incremented=before.amount_incremented
        )
    return msgspec.structs.replace(intent, outcome=outcome)


def with_authentication(intent: Intent, answer: ProcessorAnswer | None) -> Intent:
    """The intent whose outcome tells of the authentication."""
    if answer is None or answer.authentication is None or intent.outcome is None:
        return intent
    outcome = msgspec.structs.replace(intent.outcome, three_d_secure=answer.authentication)
    return msgspec.structs.replace(intent, outcome=outcome)
