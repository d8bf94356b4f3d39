"""The intent's state machine: every legal step, and nothing else."""

from itertools import product
from typing import get_args

import msgspec
import pytest

from gateway.errors import InvalidRequestError, UnexpectedStateError
from gateway.payments.intents import (
    LEGAL,
    Intent,
    PaymentOutcome,
    Status,
    Step,
    authorized,
    canceled,
    captured,
    confirmed,
    stepped,
    succeeded,
)

APPROVED = PaymentOutcome(type="authorized", network_status="approved_by_network")


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
