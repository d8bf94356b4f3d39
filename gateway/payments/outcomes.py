"""From a decision and the network's answer to what merchant and payer may read: pure.

An outcome says what was last acted on. Where the fallback decided, that is `not_assessed` and no score; once
the engine's late decision has acted, its level, score and words. The intent stays marked as `not_assessed`.
"""

from typing import NamedTuple

import msgspec

from events.types import DecisionMade
from events.vocabulary import Outcome as RiskOutcome
from events.vocabulary import Ruling
from gateway.payments.account_words import PAYER_WORDS, SELLER_WORDS
from gateway.payments.effective_decision import EffectiveDecision, RiskLevel
from gateway.payments.fallback import FallbackDecision
from gateway.payments.intents import PaymentError, PaymentOutcome
from gateway.processor_port import ProcessorAnswer, TestRisk
from models.costs import ELEVATED_SCORE, HIGHEST_SCORE
from models.wording import NO_REASON

SHOWN_AS_GENERIC = frozenset({"fraudulent", "lost_card", "pickup_card", "stolen_card"})
"""What a payer is not told: a thief would learn that the card is reported."""

STAND_ALONE_CODES = frozenset(
    {
        "expired_card",
        "incorrect_cvc",
        "processing_error",
        "incorrect_number",
        "payment_intent_authentication_failure",
        "too_many_challenges",
        *PAYER_WORDS,
    }
)
"""Decline codes that are error codes of their own; every other is a `card_declined`."""

_MESSAGES = {
    **PAYER_WORDS,
    "insufficient_funds": "The card has insufficient funds.",
    "expired_card": "The card has expired.",
    "incorrect_cvc": "The card's security code is incorrect.",
    "incorrect_number": "The card number is incorrect.",
    "processing_error": "The card could not be processed. Try again.",
    "card_velocity_exceeded": "The card was used too often.",
    "payment_intent_authentication_failure": "The payment was not authenticated. Try again, or another way.",
    "authentication_required": "The card needs authentication, which is not possible here. Use another card.",
    "too_many_challenges": "The cardholder was asked too often. Try again in an hour, or another way.",
}
_DECLINED = "The card was declined."

NOT_SENT = {
    "payment_intent_authentication_failure": "The payer was not authenticated.",
    "too_many_challenges": "The payer was challenged too often within the hour, and not asked once more.",
}
"""What ended before the network was asked, in words for the merchant."""

_UNAUTHENTICATED = "The payer had to be authenticated, which was not possible; the issuer was not asked."

_ISSUER_WORDS = {
    "authentication_required": "the cardholder must be authenticated",
    "card_velocity_exceeded": "the card was used too often",
    "do_not_honor": "do not honor",
    "expired_card": "the card has expired",
    "fraudulent": "it suspects fraud",
    "generic_decline": "no reason given",
    "incorrect_cvc": "the security code is incorrect",
    "incorrect_number": "the card number is incorrect",
    "insufficient_funds": "insufficient funds",
    "invalid_account": "there is no such account",
    "invalid_amount": "the amount is not allowed",
    "invalid_transaction": "such a payment is not possible",
    "lost_card": "the card is reported lost",
    "pickup_card": "the card is to be kept",
    "processing_error": "the card could not be processed",
    "restricted_card": "the card is restricted",
    "stolen_card": "the card is reported stolen",
    "transaction_not_allowed": "the card does not allow such a payment",
}
"""What the merchant alone may read."""


class OutcomeOfTestCard(NamedTuple):
    """What a documented test card gets in test mode, whatever rules, model and fallback say."""

    outcome: RiskOutcome
    level: RiskLevel
    score: int
    message: str


TEST_OUTCOMES: dict[TestRisk, OutcomeOfTestCard] = {
    "blocked": OutcomeOfTestCard("block", "highest", 100, "A test card that is always blocked."),
    "highest": OutcomeOfTestCard("block", "highest", 90, "A test card that always has the highest risk."),
    "elevated": OutcomeOfTestCard("review", "elevated", 70, "A test card that always has an elevated risk."),
    "normal": OutcomeOfTestCard("allow", "normal", 10, "A test payment that always has a normal risk."),
}


def decided_by_engine(decision: DecisionMade, test_risk: TestRisk | None) -> EffectiveDecision:
    """The engine's decision; a documented test card has its own outcome, whatever the engine says.

    That rules or costs want the payer authenticated holds for test cards, too: else none could show it.
    """
    if test_risk is not None:
        return _decided_by_test_card(test_risk)._replace(
            decision_id=decision.id, challenge=decision.challenge
        )
    return EffectiveDecision(
        outcome=decision.outcome,
        level=risk_level(decision.risk_score),
        score=decision.risk_score,
        reason=_reason(decision.outcome, by_rule=len(decision.rules) > len(decision.challenged_by)),
        message=decision.reasons[0].text if decision.reasons else NO_REASON,
        assessed=True,
        decision_id=decision.id,
        by="engine",
        challenge=decision.challenge,
    )


def held_unchallenged(decision: EffectiveDecision, *, by_rule: bool) -> EffectiveDecision:
    """What is left of a decision to challenge whose payer can no longer be asked: a person looks at it."""
    return decision._replace(
        outcome="review",
        reason=_reason("review", by_rule=by_rule),
        message=f"Too late to have the payer authenticated: {decision.message}",
    )


def decided_by_fallback(decision: FallbackDecision, test_risk: TestRisk | None) -> EffectiveDecision:
    """The fallback's decision, or a documented test card's, marked as not assessed."""
    if test_risk is not None:
        return _decided_by_test_card(test_risk)._replace(level="not_assessed", score=None, assessed=False)
    return EffectiveDecision(
        outcome=decision.outcome,
        level="not_assessed",
        score=None,
        reason=_reason(decision.outcome, by_rule=True),
        message="; ".join(("The risk decision came too late", *decision.reasons)) + ".",
        assessed=False,
        decision_id=None,
        by="fallback",
    )


def _decided_by_test_card(test_risk: TestRisk) -> EffectiveDecision:
    outcome, level, score, message = TEST_OUTCOMES[test_risk]
    return EffectiveDecision(
        outcome=outcome,
        level=level,
        score=score,
        reason=_reason(outcome, by_rule=False),
        message=message,
        assessed=True,
        decision_id=None,
        by="test_card",
    )


def _reason(outcome: RiskOutcome, *, by_rule: bool) -> str | None:
    if outcome == "allow":
        return None
    return "rule" if by_rule else "highest_risk_level" if outcome == "block" else "elevated_risk_level"


def ruling(decision: EffectiveDecision, *, unchallenged: bool = False) -> Ruling:
    """The effective decision as the log keeps it."""
    return Ruling(
        by=decision.by,
        outcome=decision.outcome,
        risk_score=decision.score,
        text=decision.message,
        unchallenged=unchallenged,
    )


def risk_level(score: int) -> RiskLevel:
    """Stripe's word for a risk score."""
    if score >= HIGHEST_SCORE:
        return "highest"
    return "elevated" if score >= ELEVATED_SCORE else "normal"


def blocked_outcome(decision: EffectiveDecision, *, after_approval: bool = False) -> PaymentOutcome:
    """Of a payment that was blocked: before the network was asked, or reversed after its approval."""
    return PaymentOutcome(
        type="blocked",
        network_status="reversed_after_approval" if after_approval else "not_sent_to_network",
        reason=decision.reason,
        risk_level=decision.level,
        risk_score=decision.score,
        seller_message=decision.message,
    )


def authorized_outcome(decision: EffectiveDecision) -> PaymentOutcome:
    """Of a payment that the network approved, held for review or not."""
    return PaymentOutcome(
        type="manual_review" if decision.outcome == "review" else "authorized",
        network_status="approved_by_network",
        reason=decision.reason,
        risk_level=decision.level,
        risk_score=decision.score,
        seller_message=decision.message,
    )


def marked_outcome(captured: PaymentOutcome, decision: EffectiveDecision) -> PaymentOutcome:
    """Of a payment that was captured before its block came: its money stays where it is."""
    return msgspec.structs.replace(
        captured,
        reason=decision.reason,
        risk_level=decision.level,
        risk_score=decision.score,
        seller_message=decision.message,
    )


def declined_outcome(
    decision: EffectiveDecision,
    decline_code: str,
    answer: ProcessorAnswer | None,
    *,
    reversed_: bool = False,
) -> PaymentOutcome:
    """`seller_message` names the issuer's own word, which the payer is not told."""
    advice_code = None if answer is None else answer.advice_code
    not_sent = decline_code in NOT_SENT or (answer is not None and answer.not_sent)
    if not_sent and not reversed_:
        return PaymentOutcome(
            type="issuer_declined",
            network_status="not_sent_to_network",
            reason=None,
            risk_level=decision.level,
            risk_score=decision.score,
            seller_message=NOT_SENT.get(decline_code, _UNAUTHENTICATED),
            advice_code=advice_code,
        )
    return PaymentOutcome(
        type="issuer_declined",
        network_status="reversed_after_approval" if reversed_ else "declined_by_network",
        reason=None,
        risk_level=decision.level,
        risk_score=decision.score,
        seller_message=SELLER_WORDS.get(decline_code)
        or f"The issuer declined: {_ISSUER_WORDS.get(decline_code, decline_code)}.",
        advice_code=advice_code,
    )


def payment_error(decline_code: str) -> PaymentError:
    """What a payer may read of a decline."""
    shown = "generic_decline" if decline_code in SHOWN_AS_GENERIC else decline_code
    alone = shown in STAND_ALONE_CODES
    return PaymentError(
        code=shown if alone else "card_declined",
        decline_code=None if alone else shown,
        message=_MESSAGES.get(shown, _DECLINED),
    )


BLOCKED_ERROR = PaymentError(code="card_declined", decline_code="generic_decline", message=_DECLINED)
"""What a payer may read of a block: nothing of the risk rules."""
