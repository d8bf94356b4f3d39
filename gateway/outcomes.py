"""From a decision and the network's answer to what merchant and payer may read: pure."""

from typing import Literal, NamedTuple

from events.types import DecisionMade
from events.vocabulary import Outcome as RiskOutcome
from gateway.fallback import FallbackDecision
from gateway.intents import PaymentError, PaymentOutcome
from gateway.processor_port import TestRisk
from models.costs import ELEVATED_SCORE, HIGHEST_SCORE

RiskLevel = Literal["normal", "elevated", "highest", "not_assessed"]

SHOWN_AS_GENERIC = frozenset({"fraudulent", "lost_card", "stolen_card"})
"""What a payer is not told: a thief would learn that the card is reported."""

STAND_ALONE_CODES = frozenset({"expired_card", "incorrect_cvc", "processing_error", "incorrect_number"})
"""Decline codes that are error codes of their own; every other is a `card_declined`."""

_MESSAGES = {
    "insufficient_funds": "The card has insufficient funds.",
    "expired_card": "The card has expired.",
    "incorrect_cvc": "The card's security code is incorrect.",
    "incorrect_number": "The card number is incorrect.",
    "processing_error": "The card could not be processed. Try again.",
    "card_velocity_exceeded": "The card was used too often.",
}
_DECLINED = "The card was declined."

_TEST_OUTCOMES: dict[TestRisk, tuple[RiskOutcome, RiskLevel, int]] = {
    "blocked": ("block", "highest", 100),
    "highest": ("block", "highest", 90),
    "elevated": ("review", "elevated", 70),
}


class RiskVerdict(NamedTuple):
    """The decision in force for an attempt, whoever made it."""

    outcome: RiskOutcome
    level: RiskLevel
    score: int | None
    reason: str | None
    message: str
    assessed: bool
    decision_id: str | None


def judged(decision: DecisionMade, test_risk: TestRisk | None) -> RiskVerdict:
    """The engine's decision; a documented test card has its own outcome, whatever the engine says."""
    outcome, level, score = decision.outcome, risk_level(decision.risk_score), decision.risk_score
    reason: str | None = None
    if test_risk is not None:
        outcome, level, score = _TEST_OUTCOMES[test_risk]
    if outcome != "allow":
        by_rule = bool(decision.rules) and test_risk is None
        reason = "rule" if by_rule else "highest_risk_level" if outcome == "block" else "elevated_risk_level"
    message = decision.reasons[0].text if decision.reasons else "Nothing unusual."
    return RiskVerdict(outcome, level, score, reason, message, True, decision.id)


def fallen_back(decision: FallbackDecision, test_risk: TestRisk | None) -> RiskVerdict:
    """The fallback's decision, marked as not assessed."""
    outcome = _TEST_OUTCOMES[test_risk][0] if test_risk else decision.outcome
    message = "; ".join(("The risk decision came too late", *decision.reasons)) + "."
    reason = None if outcome == "allow" else "rule"
    return RiskVerdict(outcome, "not_assessed", None, reason, message, False, None)


def risk_level(score: int) -> RiskLevel:
    if score >= HIGHEST_SCORE:
        return "highest"
    return "elevated" if score >= ELEVATED_SCORE else "normal"


def blocked_outcome(verdict: RiskVerdict, *, after_approval: bool = False) -> PaymentOutcome:
    return PaymentOutcome(
        type="blocked",
        network_status="reversed_after_approval" if after_approval else "not_sent_to_network",
        reason=verdict.reason,
        risk_level=verdict.level,
        risk_score=verdict.score,
        seller_message=verdict.message,
    )


def authorized_outcome(verdict: RiskVerdict) -> PaymentOutcome:
    return PaymentOutcome(
        type="manual_review" if verdict.outcome == "review" else "authorized",
        network_status="approved_by_network",
        reason=verdict.reason,
        risk_level=verdict.level,
        risk_score=verdict.score,
        seller_message=verdict.message,
    )


def declined_outcome(verdict: RiskVerdict, decline_code: str, *, reversed_: bool = False) -> PaymentOutcome:
    """`seller_message` names the issuer's own word, which the payer is not told."""
    return PaymentOutcome(
        type="issuer_declined",
        network_status="reversed_after_approval" if reversed_ else "declined_by_network",
        reason=None,
        risk_level=verdict.level,
        risk_score=verdict.score,
        seller_message=f"The issuer declined: {decline_code}.",
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
