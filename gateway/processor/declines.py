"""What the network's response codes (field 39) mean to a merchant: one table."""

DECLINE_CODES: dict[str, str] = {
    "05": "do_not_honor",
    "06": "generic_decline",
    "14": "incorrect_number",
    "1A": "authentication_required",
    "41": "lost_card",
    "43": "stolen_card",
    "51": "insufficient_funds",
    "54": "expired_card",
    "59": "fraudulent",
    "61": "card_velocity_exceeded",
    "65": "card_velocity_exceeded",
    "82": "incorrect_cvc",
    "N7": "incorrect_cvc",
    "91": "processing_error",
    "94": "processing_error",
    "96": "processing_error",
}

TEMPORARY = frozenset({"91", "96"})
"""Codes that say nothing about an advice: it is repeated."""

PROCESSING_ERROR = "processing_error"


def decline_code(response: str) -> str:
    """The merchant's word for a response other than approval; `generic_decline` for a code of no table."""
    return DECLINE_CODES.get(response, "generic_decline")
