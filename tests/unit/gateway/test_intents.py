"""The intent's state machine: every legal step, and nothing else."""

from itertools import product
from typing import get_args

import msgspec
import pytest

from events.instruments import CardFacts
from events.types import RiskContext
from gateway.errors import ConflictError, InvalidRequestError, UnexpectedStateError
from gateway.payments.intents import (
    Attempt,
    CaptureOwed,
    Debt,
    Intent,
    PaymentOutcome,
    VoidOwed,
    authorized,
    canceled,
    captured,
    confirmed,
    owing,
    reached,
    stepped,
    succeeded,
)
from gateway.payments.steps import LEGAL, NEXT_PHASES, UNFINISHED, WAITING, Phase, Status, Step
from gateway.store.tables import attempts, intents

APPROVED = PaymentOutcome(type="authorized", network_status="approved_by_network", risk_level="normal")


def intent(status: Status = "processing", **members: object) -> Intent:
    return Intent(
        **{
            "id": "pi_1",
            "merchant_id": "m_1",
            "mode": "test",
            "status": status,
            "amount_minor": 1000,
            "currency": "EUR",
            "capture_method": "manual",
            "created_us": 0,
            "subject": "pi_1",
            **members,
        }
    )


def attempt(phase: Phase) -> Attempt:
    card = CardFacts(token="t", surrogate="c", bin="424242", last4="4242", brand="visa")
    return Attempt(
        id="pi_1_1",
        payment_id="pi_1",
        number=1,
        phase=phase,
        moment_us=0,
        instrument=card,
        context=RiskContext(),
    )


@pytest.mark.parametrize(("step", "status"), list(product(get_args(Step), get_args(Status))))
def test_a_step_is_taken_where_the_table_allows_it_and_refused_elsewhere(step: Step, status: Status) -> None:
    if status in LEGAL[step]:
        assert stepped(intent(status), step).status == LEGAL[step][status]
    else:
        with pytest.raises(UnexpectedStateError):
            stepped(intent(status), step)


@pytest.mark.parametrize(("status", "steps"), [("succeeded", ["fail_capture"]), ("canceled", [])])
def test_nothing_leads_out_of_the_ends_but_a_refused_capture(status: Status, steps: list[Step]) -> None:
    assert [step for step in LEGAL if status in LEGAL[step]] == steps


@pytest.mark.parametrize(("before", "after"), list(product(get_args(Phase), repeat=2)))
def test_an_attempt_reaches_the_phases_that_its_own_leads_to_and_no_other(
    before: Phase, after: Phase
) -> None:
    if after in NEXT_PHASES.get(before, ()):
        assert reached(attempt(before), after).phase == after
    else:
        with pytest.raises(ValueError, match=f"is {before}, from which nothing leads to {after}"):
            reached(attempt(before), after)


def test_what_is_unfinished_leads_somewhere_and_what_has_ended_nowhere() -> None:
    assert set(NEXT_PHASES) == {*UNFINISHED, *WAITING, "authorized"}


@pytest.mark.parametrize("debt", [CaptureOwed(amount_minor=1000, since_us=5), VoidOwed(since_us=5)])
@pytest.mark.parametrize("phase", [phase for phase in get_args(Phase) if phase != "authorized"])
def test_only_an_authorized_attempt_can_owe_anything_and_one_that_waits_for_somebody_a_void(
    phase: Phase, debt: Debt
) -> None:
    if phase in WAITING and isinstance(debt, VoidOwed):
        assert owing(attempt(phase), debt).phase == "voiding"
        return
    if phase in ("incrementing", "capturing"):
        with pytest.raises(ConflictError):
            owing(attempt(phase), debt)
        return
    with pytest.raises(ValueError, match="nothing leads"):
        owing(attempt(phase), debt)


def test_every_phase_and_status_fits_its_column() -> None:
    for column, words in ((attempts.c.phase, get_args(Phase)), (intents.c.status, get_args(Status))):
        assert max(map(len, words)) <= vars(column.type)["length"]


def test_every_status_is_reached_by_some_step_or_at_creation() -> None:
    reached = {after for steps in LEGAL.values() for after in steps.values()}

    created = {"requires_payment_method", "requires_confirmation"}

    assert reached | created == set(get_args(Status))


def test_a_new_attempt_forgets_what_the_last_one_left() -> None:
    failed = intent("requires_payment_method", outcome=APPROVED, attempts=1, not_assessed=True)

    again = confirmed(failed)

    assert (again.outcome, again.last_error, again.attempts, again.not_assessed) == (None, None, 2, False)


def test_part_of_the_authorized_amount_can_be_captured_and_the_rest_is_released() -> None:
    after = captured(authorized(intent(), APPROVED, None), 400)

    assert (after.status, after.amount_received_minor, after.amount_capturable_minor) == ("succeeded", 400, 0)


def test_more_than_was_authorized_cannot_be_captured() -> None:
    with pytest.raises(InvalidRequestError) as refused:
        captured(authorized(intent(), APPROVED, None), 1001)

    assert refused.value.param == "amount_to_capture"


def test_a_canceled_intent_has_nothing_left_to_capture() -> None:
    after = canceled(authorized(intent(), APPROVED, None), "abandoned", 5)

    assert (after.status, after.amount_capturable_minor, after.canceled_us) == ("canceled", 0, 5)


def test_automatic_capture_receives_the_whole_amount() -> None:
    assert succeeded(intent(), APPROVED).amount_received_minor == 1000


def test_an_intent_is_a_value_that_no_step_changes() -> None:
    before = intent("requires_confirmation")
    copy = msgspec.structs.replace(before)

    confirmed(before)

    assert before == copy
