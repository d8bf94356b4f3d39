"""What a decision does with a payment, by when it arrives: two tables, pure.

In time is what is known when the network may be asked, late what comes when a fallback has decided.
"""

from collections.abc import Mapping
from typing import Literal

from events.vocabulary import LateEffect, Outcome
from gateway.payments.intents import CaptureMethod, Intent
from gateway.payments.steps import Status

Effect = Literal["captured", "left", "held", "not_sent"]
"""`captured`: authorized, and the capture owed; `left`: authorized, for the merchant to capture; `held`:
authorized, and captured only when a review is approved; `not_sent`: the network is not asked."""

IN_TIME: Mapping[Outcome, Mapping[CaptureMethod, Effect]] = {
    "allow": {"automatic": "captured", "manual": "left"},
    "review": {"automatic": "held", "manual": "held"},
    "block": {"automatic": "not_sent", "manual": "not_sent"},
}

Standing = Literal["uncaptured", "reviewed", "captured", "elsewhere"]
"""Where the money is: authorized and not captured, without a review or with one (open or closed); captured;
or nowhere, since the payment was declined, canceled or has expired."""

LATE: Mapping[Outcome, Mapping[Standing, LateEffect]] = {
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
    return LATE[outcome].get(standing(intent))
