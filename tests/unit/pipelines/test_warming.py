"""Warming up: the first payment's work is done before it comes, and leaves no trace in its decision."""

from models.engine import Engine
from pipelines.risk_step import RiskStep
from pipelines.warming import PAYMENTS, WarmSteps, decide_made_up_payments
from tests.unit.pipelines.standin import START


def test_made_up_payments_take_the_way_of_an_allow_and_of_a_hold_with_reasons() -> None:
    decisions = decide_made_up_payments(RiskStep(Engine()), START)

    assert len(decisions) == PAYMENTS
    assert {decision.outcome for decision in decisions} >= {"allow", "review"}
    assert any(decision.reasons for decision in decisions)


def test_a_warm_step_decides_as_one_that_never_saw_the_made_up_payments() -> None:
    steps = WarmSteps(START)
    plain = decide_made_up_payments(RiskStep(Engine()), START)

    assert decide_made_up_payments(steps(), START) == plain
    assert decide_made_up_payments(steps(), START) == plain


def test_each_step_has_a_state_of_its_own() -> None:
    steps = WarmSteps(START)

    assert steps() is not steps()
