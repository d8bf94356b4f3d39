"""What the network's response codes (field 39) mean to a merchant: one table."""

from typing import NamedTuple

from gateway.processor_port import AdviceCode


class Decline(NamedTuple):
    """The merchant's word for a response, and what to do about it."""

    decline_code: str
    advice_code: AdviceCode


DECLINES: dict[str, Decline] = {
    "04": Decline("pickup_card", "do_not_try_again"),
    "05": Decline("do_not_honor", "try_again_later"),
    "06": Decline("generic_decline", "try_again_later"),
    "10": Decline("insufficient_funds", "try_again_later"),
    "12": Decline("invalid_transaction", "do_not_try_again"),
    "13": Decline("invalid_amount", "do_not_try_again"),
    "14": Decline("incorrect_number", "confirm_card_data"),
    "15": Decline("incorrect_number", "confirm_card_data"),
    "1A": Decline("authentication_required", "try_again_later"),
    "30": Decline("processing_error", "try_again_later"),
    "41": Decline("lost_card", "do_not_try_again"),
    "43": Decline("stolen_card", "do_not_try_again"),
    "46": Decline("invalid_account", "do_not_try_again"),
    "51": Decline("insufficient_funds", "try_again_later"),
    "54": Decline("expired_card", "confirm_card_data"),
    "57": Decline("transaction_not_allowed", "do_not_try_again"),
    "59": Decline("fraudulent", "do_not_try_again"),
    "61": Decline("card_velocity_exceeded", "try_again_later"),
    "62": Decline("restricted_card", "do_not_try_again"),
    "65": Decline("card_velocity_exceeded", "try_again_later"),
    "82": Decline("incorrect_cvc", "confirm_card_data"),
    "91": Decline("processing_error", "try_again_later"),
    "94": Decline("processing_error", "try_again_later"),
    "96": Decline("processing_error", "try_again_later"),
    "N7": Decline("incorrect_cvc", "confirm_card_data"),
}
"""Field 39 → what is said of it. 10 is a partial approval that nobody wanted and that was given back."""

TEMPORARY = frozenset({"91", "96"})
"""Codes that say nothing about an advice: it is repeated."""

UNPROCESSED = Decline("processing_error", "try_again_later")
"""Where no response came, or none that could be read."""

PROOF_WANTED = "authentication_required"
"""Issuer, law, rule or costs want a proof that the cardholder was authenticated."""

WANTS_PROOF = "1A"
"""An issuer's response that says so."""

AUTHENTICATION_FAILED = "payment_intent_authentication_failure"
"""The cardholder was not authenticated; the network was not asked."""

TOO_MANY_CHALLENGES = "too_many_challenges"
"""The cardholder was sent off too often within the hour, and was not asked once more."""

_UNKNOWN = Decline("generic_decline", "try_again_later")


def decline(response: str) -> Decline:
    """What to say of a response other than approval; `generic_decline` for a code of no table."""
    return DECLINES.get(response, _UNKNOWN)
