"""Payments without their payer: nobody is sent off to be authenticated, and what needs that is declined."""

import pytest

from tests.processor_parts import Bench, in_one_thread

CHALLENGED, OPTIONAL, FRICTIONLESS = "4000000000003220", "4000000000003055", "4242424242424242"


@pytest.mark.parametrize(
    ("number", "wish", "asked"),
    [(CHALLENGED, "none", ["0100"]), (OPTIONAL, "preferred", []), (OPTIONAL, "required", [])],
)
@in_one_thread
async def test_where_a_challenge_is_needed_the_payment_is_declined(
    number: str, wish: str, asked: list[str]
) -> None:
    bench = Bench()
    token = await bench.token(number)

    for _ in range(2):
        answer = await bench.authorize("pi_1_1", token, authentication=wish, off_session=True)

        assert (answer.status, answer.decline_code) == ("declined", "authentication_required")
        assert (answer.not_sent, answer.advice_code) == (not asked, "try_again_later")
        assert answer.action is None
        assert answer.authentication is not None
        assert answer.authentication.result == "error"
    assert bench.line.types == asked


@in_one_thread
async def test_nobodys_phone_rings() -> None:
    bench = Bench()
    await bench.authorize("pi_1_1", await bench.token(CHALLENGED), off_session=True)

    [question] = bench.directory.asked
    assert bench.issuers.phone(question.transaction_id) is None
    assert bench.issuers.find(question.transaction_id).status == "error"


@in_one_thread
async def test_where_no_challenge_is_needed_the_payment_goes_on() -> None:
    bench = Bench()
    token = await bench.token(FRICTIONLESS)

    asked = await bench.authorize("pi_1_1", token, authentication="preferred", off_session=True)
    unasked = await bench.authorize("pi_2_1", token, off_session=True)

    assert [asked.status, unasked.status] == ["approved", "approved"]
