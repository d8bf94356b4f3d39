"""What a decision still does that comes when a fallback has decided: one table, pure."""

from collections.abc import Mapping
from typing import Literal

from events.vocabulary import LateEffect, Outcome
from gateway.payments.intents import Intent, Status

Standing = Literal["uncaptured", "reviewed", "captured", "elsewhere"]
"""Where the authorized money is: held for a capture, with or without a review; captured; or not there."""

LATE_EFFECTS: Mapping[Outcome, Mapping[Standing, LateEffect]] = {
    "allow": {},
    "review": {"uncaptured": "held"},
    "block": {"uncaptured": "voided", "reviewed": "voided", "captured": "refunded"},
}
"""What stands in no line changes nothing."""

_BY_STATUS: Mapping[Status, Standing] = {"requires_capture": "uncaptured", "succeeded": "captured"}


def standing(intent: Intent) -> Standing:
    """Where the money of the intent's latest attempt is."""
    found = _BY_STATUS.get(intent.status, "elsewhere")
    return "reviewed" if found == "uncaptured" and intent.review_id is not None else found


def late_effect(outcome: Outcome, intent: Intent) -> LateEffect | None:
    """What a late outcome does to the intent; None: nothing."""
    return LATE_EFFECTS.get(outcome, {}).get(standing(intent))
