"""The first payment after a start is waited for like any other: what it would pay for is paid before.

That is the making of an engine (rules compiled, models in place), and what libraries load at their first use.
"""

import hashlib
from datetime import datetime

from events.codec import encode
from events.ids import uuid7
from events.instruments import CardFacts
from events.log.port import Record
from events.types import AssessmentRequested, DecisionMade, RiskContext
from models.engine import Engine
from pipelines.delivery import delivered
from pipelines.risk_flow import replies_of
from pipelines.risk_step import RiskStep
from pipelines.share import WHOLE, Share

PAYMENTS = 8
"""Of one card within a moment: the later ones are held by a shipped rule, and so given reasons."""


class WarmSteps:
    """Makes steps without state; the first is made, and its like tried, when this is."""

    def __init__(self, now: datetime, share: Share = WHOLE) -> None:
        decide_made_up_payments(RiskStep(Engine()), now)
        self._share = share
        self._ready = [RiskStep(Engine(), share)]

    def __call__(self) -> RiskStep:
        return self._ready.pop() if self._ready else RiskStep(Engine(), self._share)


def decide_made_up_payments(step: RiskStep, now: datetime) -> list[DecisionMade]:
    """From bytes to bytes, by a step that is then thrown away."""
    made: list[DecisionMade] = []
    for number in range(PAYMENTS):
        asked = AssessmentRequested(
            id=uuid7(now, hashlib.sha256(b"%d" % number).digest()),
            occurred_at=now,
            payment_id=f"pi_warm_{number}",
            attempt=1,
            mode="test",
            merchant_id="acct_warm",
            amount_minor=1999,
            currency="EUR",
            card=CardFacts(token="", surrogate="warm", bin="", last4="", brand="visa"),
            context=RiskContext(device="warm", ip="warm", customer="warm"),
        )
        record = Record("assessments", 0, number, b"warm", encode(asked))
        answers = step.handle([delivered(record)], now)
        replies_of(answers, now)
        made += [decision for _, decision in answers.decisions]
    return made
