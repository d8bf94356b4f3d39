"""What a decision does that came after a fallback had decided: one commit with the event that tells of it."""

import msgspec
from sqlalchemy import Connection

from events.ids import Entropy
from events.moments import microseconds, moment
from events.types import DecisionMade, PaymentDecidedLate
from events.vocabulary import LateEffect
from gateway.event_recorder import EventRecorder
from gateway.payments import intents
from gateway.payments.authentications import with_outcome
from gateway.payments.effective_decision import EffectiveDecision
from gateway.payments.intents import Attempt, Intent, VoidOwed, owing
from gateway.payments.outcomes import (
    authorized_outcome,
    blocked_outcome,
    decided_by_engine,
    held_unchallenged,
    marked_outcome,
    ruling,
)
from gateway.payments.precedence import choice_of, late_effect
from gateway.payments.refunds import owe_refund_in
from gateway.payments.reviews import open_review_in
from gateway.payments.steps import WAITING
from gateway.store.intent_rows import load_attempt, load_intent, save_attempt, save_intent
from gateway.store.method_rows import suspend_consent
from gateway.store.review_rows import close_review

_replace = msgspec.structs.replace


def act_late_in(
    connection: Connection, recorder: EventRecorder, entropy: Entropy, late: DecisionMade
) -> Attempt | None:
    """The attempt with what the late decision left it to do; None where it has acted before, or need not."""
    attempt = load_attempt(connection, late.payment_id, late.attempt)
    # Only an attempt that a fallback decided waits for the engine, and for its first decision alone.
    if attempt is None or attempt.assessed is not False or attempt.decision_id is not None:
        return None
    intent = load_intent(connection, late.payment_id)
    attempt = _replace(attempt, decision_id=late.id)
    decision = decided_by_engine(late, attempt.test_risk)
    if attempt.phase in WAITING:
        # Not too late: it takes the fallback's place, and acts when the payer is done, or at once.
        attempt = _replace(attempt, decision=decision, assessed=decision.assessed)
        save_intent(connection, _replace(intent, not_assessed=not decision.assessed))
        save_attempt(connection, attempt)
        return attempt
    # Where the payer has tried again, the newer attempt's own decision is what counts.
    if intent.attempts == attempt.number:
        # No event of a payment carries a time before its confirm's, whatever clock the engine goes by.
        at_us = max(attempt.moment_us, microseconds(late.occurred_at))
        choice = choice_of(decision, intent, attempt.instrument)
        effect, unchallenged = late_effect(choice, intent), choice == "challenge"
        if unchallenged:
            decision = held_unchallenged(decision, by_rule=bool(late.challenged_by))
        intent, attempt = _apply_late_in(connection, entropy, intent, attempt, decision, effect, at_us)
        if effect is not None:
            suspend_consent(connection, intent)
            event = PaymentDecidedLate(
                **recorder.header(intent, moment(at_us)),
                attempt=attempt.number,
                ruling=ruling(decision, unchallenged=unchallenged),
                effect=effect,
            )
            intent = recorder.record_step(connection, intent, event)
        save_intent(connection, intent)
    save_attempt(connection, attempt)
    return attempt


def _apply_late_in(
    connection: Connection,
    entropy: Entropy,
    intent: Intent,
    attempt: Attempt,
    decision: EffectiveDecision,
    effect: LateEffect | None,
    at_us: int,
) -> tuple[Intent, Attempt]:
    if effect == "voided":
        if intent.amount_received_minor:
            intent = owe_refund_in(connection, entropy, intent, "late_block", at_us)
        intent, attempt = _void_late_in(connection, intent, attempt, decision, at_us)
    elif effect == "refunded":
        intent = owe_refund_in(connection, entropy, intent, "late_block", at_us)
        intent = _replace(intent, outcome=intent.outcome and marked_outcome(intent.outcome, decision))
    elif effect == "held":
        review_id = open_review_in(connection, entropy, intent, attempt, decision.reason)
        intent = _replace(with_outcome(intent, authorized_outcome(decision)), review_id=review_id)
    return intent, attempt


def _void_late_in(
    connection: Connection,
    intent: Intent,
    attempt: Attempt,
    decision: EffectiveDecision,
    at_us: int,
) -> tuple[Intent, Attempt]:
    close_review(connection, intent.review_id, "canceled", at_us)
    intent = intents.canceled(intent, "automatic", at_us)
    intent = with_outcome(intent, blocked_outcome(decision, after_approval=True))
    return intent, owing(attempt, VoidOwed(since_us=at_us))
