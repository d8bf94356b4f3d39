"""More on top of an authorization: how far its decision reaches, and what is said of what is beyond. Pure."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from events.instruments import AccountFacts
from gateway.errors import InvalidRequestError
from gateway.payments.intents import Attempt, Intent, stepped

_replace = msgspec.structs.replace

INCREMENT_PERCENT_MAX = 20
"""So much more than was decided about may be authorized on the same decision, of all increments together.

Rules and costs depend on the amount, so a decision stands for the one that it saw. An estimate may be
exceeded all the same: card schemes let hotels and restaurants take 15 to 20 percent more than was authorized.
"""

Footing = Literal["under_review", "by_law", "authenticated", "decided"]
"""What an authorization stands on when more is asked for: a person who has yet to say; a law that wants each
amount authenticated; a proof of the cardholder; or a decision alone. Of several the first counts."""

IncrementEffect = Literal["asked", "asked_unshifted", "held", "unauthenticated", "too_large"]
"""`asked`: the issuer is; `asked_unshifted`: so, and liability shifts no more; else why it is not."""

INCREMENT: Mapping[Footing, Mapping[bool, IncrementEffect]] = {
    "under_review": {True: "held", False: "held"},
    "by_law": {True: "unauthenticated", False: "unauthenticated"},
    "authenticated": {True: "asked_unshifted", False: "too_large"},
    "decided": {True: "asked", False: "too_large"},
}
"""What becomes of an increment, by whether all increments together stay within the bound."""


def require_increment(
    intent: Intent, attempt: Attempt, more_minor: int, *, under_review: bool, by_law: bool
) -> None:
    """Raises `InvalidRequestError` where the issuer is not to be asked for so much more."""
    if isinstance(attempt.instrument, AccountFacts):
        raise InvalidRequestError(
            f"A payer approves a payment by {attempt.instrument.method} once: nothing is added to it. Take a "
            "new payment for the rest.",
            code="payment_method_not_available",
        )
    if more_minor <= 0:
        raise InvalidRequestError(
            "amount: an increment asks for more than is authorized.", code="parameter_invalid", param="amount"
        )
    effect = increment_effect(intent, more_minor, under_review=under_review, by_law=by_law)
    if effect == "held":
        raise InvalidRequestError(
            "A review holds this payment, of the amount that it has: approve or reject it first.",
            code="payment_intent_under_review",
        )
    if effect == "unauthenticated":
        raise InvalidRequestError(
            "By law the cardholder is authenticated for each amount: cancel this payment and take a new one, "
            "or a new one for the rest.",
            code="increment_not_authenticated",
        )
    if effect == "too_large":
        raise InvalidRequestError(
            f"amount: all increments together may be {INCREMENT_PERCENT_MAX} percent of what was first "
            "authorized. Take a new payment for the rest.",
            code="increment_too_large",
            param="amount",
        )


def increment_effect(intent: Intent, more_minor: int, *, under_review: bool, by_law: bool) -> IncrementEffect:
    """What becomes of an increment of an authorized intent."""
    beyond_minor = intent.amount_minor + more_minor - decided_minor(intent)
    is_within = beyond_minor * 100 <= decided_minor(intent) * INCREMENT_PERCENT_MAX
    return INCREMENT[_footing(intent, under_review=under_review, by_law=by_law)][is_within]


def incremented(intent: Intent, more_minor: int) -> Intent:
    """The issuer promised to pay so much more; of more than was authenticated no loss is the issuer's."""
    outcome = intent.outcome
    if outcome is not None:
        proof = outcome.three_d_secure
        outcome = _replace(
            outcome,
            amount_incremented=outcome.amount_incremented + more_minor,
            three_d_secure=proof and _replace(proof, liability_shifted=False),
        )
    return _replace(
        stepped(intent, "increment"),
        amount_minor=intent.amount_minor + more_minor,
        amount_capturable_minor=intent.amount_capturable_minor + more_minor,
        outcome=outcome,
    )


def decided_minor(intent: Intent) -> int:
    """The amount that the latest attempt's decision was made for: without what was promised since."""
    return intent.amount_minor - (intent.outcome.amount_incremented if intent.outcome else 0)


def _footing(intent: Intent, *, under_review: bool, by_law: bool) -> Footing:
    if under_review:
        return "under_review"
    if by_law:
        return "by_law"
    proof = intent.outcome.three_d_secure if intent.outcome is not None else None
    return "authenticated" if proof is not None and proof.eci is not None else "decided"
