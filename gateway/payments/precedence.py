"""What a decision does with a payment, by when it arrives: two tables, pure.

In time is what is known when the network may be asked, late what comes when a fallback has decided. In time a
challenge lies before the effect, which is that of the outcome; late there is nobody any more to be asked.
"""

from collections.abc import Mapping
from typing import Literal

from events.instruments import CardFacts, Instrument
from events.vocabulary import Choice, LateEffect, Outcome
from gateway.payments.effective_decision import EffectiveDecision
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

LATE: Mapping[Choice, Mapping[Standing, LateEffect]] = {
    "allow": {},
    "challenge": {"uncaptured": "held"},
    "review": {"uncaptured": "held"},
    "block": {"uncaptured": "voided", "reviewed": "voided", "captured": "refunded"},
}
"""What stands in no line changes nothing."""

_BY_STATUS: Mapping[Status, Standing] = {"requires_capture": "uncaptured", "succeeded": "captured"}


def standing(intent: Intent) -> Standing:
    """Where the money of the intent's latest attempt is."""
    found = _BY_STATUS.get(intent.status, "elsewhere")
    return "reviewed" if found == "uncaptured" and intent.review_id is not None else found


def late_effect(choice: Choice, intent: Intent) -> LateEffect | None:
    """What a late choice does to the intent; None: nothing."""
    return LATE[choice].get(standing(intent))


def choice_of(decision: EffectiveDecision, intent: Intent, instrument: Instrument) -> Choice:
    """What a decision still asks for; no challenge of what none is possible with, or that has been passed."""
    if decision.outcome != "allow" or not decision.challenge or not isinstance(instrument, CardFacts):
        return decision.outcome
    told = None if intent.outcome is None else intent.outcome.three_d_secure
    return "allow" if told is not None and told.result == "authenticated" else "challenge"
