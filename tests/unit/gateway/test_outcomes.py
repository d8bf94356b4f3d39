"""What a merchant reads of a decision."""

from typing import get_args

import msgspec

from gateway.payments.fallback import FallbackDecision
from gateway.payments.intents import PaymentOutcome
from gateway.payments.outcomes import (
    authorized_outcome,
    blocked_outcome,
    decided_by_engine,
    decided_by_fallback,
    declined_outcome,
)
from tests.unit.dashboards.flowing import answer


def test_of_a_payment_that_is_allowed_without_a_reason_no_more_is_said_than_is_known() -> None:
    allowed = msgspec.structs.replace(answer(1), reasons=[])

    assert decided_by_engine(allowed, None).message == "No reason to hold it."


def test_each_word_that_an_outcome_may_say_is_said_of_some_payment() -> None:
    scored = [
        decided_by_engine(msgspec.structs.replace(answer(1), risk_score=score, outcome=outcome), None)
        for score in range(101)
        for outcome in ("allow", "review", "block")
    ]
    decisions = [*scored, decided_by_fallback(FallbackDecision("allow", ()), None)]
    outcomes = [
        outcome
        for decision in decisions
        for outcome in (
            authorized_outcome(decision),
            blocked_outcome(decision),
            blocked_outcome(decision, after_approval=True),
            declined_outcome(decision, "do_not_honor", None),
        )
    ]

    for name in ("type", "network_status", "risk_level"):
        [field] = [one for one in msgspec.structs.fields(PaymentOutcome) if one.name == name]
        assert {getattr(outcome, name) for outcome in outcomes} == set(get_args(field.type))
