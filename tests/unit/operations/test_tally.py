"""How a demo counts and judges itself."""

import json
import re
from typing import Any

import pytest
from rich.console import Console

from operations import demo_screen
from operations.tally import Tally


def payment(scenario: str | None = None, decision: str | None = "allow", **more: Any) -> str:
    told = {
        "kind": "payment",
        "payment": "pi_1",
        "day": 3.5,
        "scenario": scenario,
        "method": "card",
        "fraud": scenario is not None,
        "decision": decision,
        "status": "succeeded",
        "risk_score": 10,
        "assessed": True,
        "decline": None,
        "confirm_ms": 40.0,
        **more,
    }
    return json.dumps(told)


def told(*lines: str, learned: int = 5) -> Tally:
    tally = Tally()
    for line in lines:
        tally.take(line)
    tally.learned = learned
    return tally


LABEL = '{"kind": "label", "label": "fraud_dispute", "payment": "pi_1", "fraud": true}'
END = '{"kind": "end", "days": 30.0, "left_out": 0}'


def test_fraud_counts_as_caught_when_blocked_or_held_and_honest_payments_then_are_false_alarms() -> None:
    tally = told(
        payment("card_testing", "block"),
        payment("card_testing", "allow", decline="do_not_honor"),
        payment("friendly_fraud", "review"),
        payment(None, "review"),
        payment(None, "allow", method="upi"),
    )

    assert tally.methods == {"card": 4, "upi": 1}
    assert (tally.payments, tally.frauds, tally.caught, tally.false_alarms) == (5, 3, 2, 1)
    assert tally.decisions == {"block": 1, "allow": 2, "review": 2}
    assert tally.by_scenario["card_testing"]["declined"] == 1
    assert (tally.passed, tally.declined) == (1, 1)


def test_what_was_caught_is_told_by_part_of_the_month() -> None:
    tally = told(
        payment("card_testing", "allow", day=9.9),
        payment("card_testing", "block", day=10.1),
        payment(None, "block", day=10.1),
        payment("card_testing", "review", day=30.4),
        payment("card_testing", "allow", day=-0.4),
    )

    assert tally.frauds_by_part == {0: 2, 1: 1, 3: 1}
    assert +tally.caught_by_part == {1: 1, 3: 1}


def test_the_note_on_average_precision_says_how_many_payments_labels_called_fraud() -> None:
    tally = told(
        LABEL, LABEL, '{"kind": "label", "label": "confirmed_genuine", "payment": "p", "fraud": false}'
    )

    assert "called 1 payments fraud" in demo_screen.learning_note(tally)


def test_a_good_run_has_no_faults() -> None:
    assert list(told(payment(), LABEL, END).faults()) == []


def test_more_than_one_fallback_in_a_hundred_is_a_fault_and_one_is_not() -> None:
    good = [payment()] * 99
    late = payment(assessed=False)

    assert list(told(*good, late, LABEL, END).faults()) == []
    (fault,) = told(*good[:98], late, late, LABEL, END).faults()
    assert "2 of 100 decisions were fallbacks" in fault


def test_what_was_answered_later_than_the_product_waits_is_told() -> None:
    tally = told(payment(confirm_ms=250.0), payment(confirm_ms=251.0), payment(confirm_ms=900.0))
    console = Console(record=True, width=120)

    console.print(demo_screen.figures(tally, "A month"))

    assert tally.answered_after(250.0) == (2, 3)
    assert re.search(r"slower than 250 ms +│ 2  \(66\.7%\)", console.export_text())


def test_a_run_that_learned_nothing_says_so() -> None:
    (fault,) = told(payment(), LABEL, END, learned=0).faults()
    assert "None of 1 reported labels was learned" in fault

    (fault,) = told(payment(), END).faults()
    assert "No label was reported" in fault


def test_a_run_that_broke_off_or_decided_nothing_says_so() -> None:
    faults = list(told(LABEL).faults())

    assert faults == ["The traffic broke off before the month was over.", "No payment was decided."]


def test_payments_that_came_to_no_decision_are_neither_caught_nor_scored() -> None:
    tally = told(payment("card_testing", None, risk_score=None))

    assert tally.payments == 1
    assert tally.decisions.total() == 0
    assert tally.average_precision() is None


def test_stray_output_of_the_simulator_is_passed_over() -> None:
    tally = told("not JSON", '{"warning": "deprecated"}', "[]", "7")

    assert tally.payments == 0


@pytest.mark.parametrize("lines", [(), (payment(), payment("card_testing", "block"), LABEL, END)])
def test_the_screen_shows_any_state_without_failing(lines: tuple[str, ...]) -> None:
    console = Console(record=True, width=100)
    tally = told(*lines, '{"kind": "error", "what": "SignIn", "why": "[/red] ConnectError"}')

    console.print(demo_screen.live(tally, "http://127.0.0.1:8402/"), demo_screen.line(tally))

    assert "average precision" in console.export_text()


def test_the_day_goes_on_with_each_payment_and_never_back() -> None:
    tally = told('{"kind": "progress", "days": 1.5, "left_out": 0}', payment(day=1.8), payment(day=1.7))
    between = tally.days
    tally.take('{"kind": "progress", "days": 1.6, "left_out": 0}')

    assert (between, tally.days) == (1.8, 1.8)
