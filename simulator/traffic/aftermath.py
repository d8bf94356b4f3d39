"""What follows a purchase, days later: disputes, early warnings, verdicts, confirmations.

Only what a merchant would hear is reported: the issuer's decline or a block ends a fraud without any report.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from simulator.traffic.steps import FollowUp, Purchase, Report, Verdict

ANALYST_RIGHT_SHARE = 0.9
WARNED_SHARE = 0.5
DISPUTED_SHARE = 0.85
CONFIRMED_SHARE = 0.75
COMPLAINT_SHARE = 0.5
NOT_RECEIVED_SHARE = 0.01


@dataclass(frozen=True)
class Ended:
    """How a purchase ended, as its intent tells."""

    payment: str
    decision: str | None
    status: str
    review: str | None
    risk_score: int | None
    assessed: bool
    decline: str | None

    @property
    def money_moved(self) -> bool:
        """Whether the money is taken, or held to be taken."""
        return self.status in ("succeeded", "requires_capture")


def ended(intent: dict[str, Any]) -> Ended:
    """Read an intent. `decision` is None where the payment never came to one."""
    outcome = intent.get("outcome") or {}
    decisions = {
        "manual_review": "review",
        "blocked": "block",
        "authorized": "allow",
        "issuer_declined": "allow",
    }
    error = intent.get("last_payment_error") or {}
    review = intent.get("review")
    return Ended(
        payment=intent["id"],
        decision=decisions.get(outcome.get("type", "")),
        status=intent["status"],
        review=review["id"] if isinstance(review, dict) else review,
        risk_score=outcome.get("risk_score"),
        assessed=not intent.get("not_assessed", False),
        decline=error.get("decline_code") or error.get("code"),
    )


def follow_ups(draw: random.Random, step: Purchase, end: Ended) -> Iterator[FollowUp]:
    """What will be heard of this purchase, in any order."""
    if end.decision == "review" and end.review is not None:
        right = draw.random() < ANALYST_RIGHT_SHARE
        yield from _verdict(draw, step, end, end.review, approve=right != (step.scenario is not None))
    elif end.decision == "block":
        if step.scenario is None and draw.random() < COMPLAINT_SHARE:
            yield _report(draw, step, end, "confirmed_genuine", "merchant", 0.2, 2)
    elif end.money_moved:
        yield from _reports(draw, step, end)


def _verdict(
    draw: random.Random, step: Purchase, end: Ended, review: str, *, approve: bool
) -> Iterator[FollowUp]:
    at = step.at + timedelta(hours=draw.uniform(0.5, 8))
    yield Verdict(
        at=at, actor=step.actor, merchant=step.merchant, payment=end.payment, review=review, approve=approve
    )
    yield Report(
        at=at + timedelta(seconds=1),
        actor=step.actor,
        merchant=step.merchant,
        payment=end.payment,
        kind="analyst_verdict",
        source="analyst",
        fraud=not approve,
    )
    if approve and step.scenario is not None:
        yield _report(draw, step, end, "fraud_dispute", "issuer", 4, 12)


def _reports(draw: random.Random, step: Purchase, end: Ended) -> Iterator[Report]:
    if step.scenario == "friendly_fraud":
        yield _report(draw, step, end, "fraud_dispute", "issuer", 8, 14)
    elif step.scenario is not None:
        warned = draw.random() < WARNED_SHARE
        if warned:
            yield _report(draw, step, end, "early_fraud_warning", "network", 0.5, 4)
        if not warned or draw.random() < DISPUTED_SHARE:
            yield _report(draw, step, end, "fraud_dispute", "issuer", 3, 12)
    elif draw.random() < CONFIRMED_SHARE:
        yield _report(draw, step, end, "confirmed_genuine", "merchant", 1, 8)
    elif draw.random() < NOT_RECEIVED_SHARE:
        yield _report(draw, step, end, "other_dispute", "issuer", 5, 12)


def _report(
    draw: random.Random, step: Purchase, end: Ended, kind: str, source: str, first_day: float, last_day: float
) -> Report:
    at: datetime = step.at + timedelta(days=draw.uniform(first_day, last_day))
    return Report(
        at=at, actor=step.actor, merchant=step.merchant, payment=end.payment, kind=kind, source=source
    )
