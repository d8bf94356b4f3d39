"""Each documented test card, from token to answer, through processor and network."""

import pytest

from gateway.errors import RequestError
from simulator.testcards import TEST_CARDS
from tests.processor_parts import Bench, in_one_thread

DOCUMENTED = {
    "4242424242424242": "approved",
    "4000000000000002": "generic_decline",
    "4000000000009995": "insufficient_funds",
    "4000000000009987": "lost_card",
    "4000000000009979": "stolen_card",
    "4000000000000069": "expired_card",
    "4000000000000127": "incorrect_cvc",
    "4000000000000119": "processing_error",
    "4000000000006975": "card_velocity_exceeded",
    "4242424242424241": "incorrect_number",
    "4000000000000341": "generic_decline",
    "4100000000000019": "fraudulent",
    "4000000000004954": "approved",
    "4000000000009235": "approved",
    "4000000000000101": "approved",
    "4000000000000036": "approved",
    "4000000000003220": "authentication_required",
    "4000008400001629": "authentication_required",
    "4000008400001280": "authentication_required",
    "4000000000003055": "approved",
    "4000002760003184": "authentication_required",
    "4000000000003238": "authentication_required",
    "4000008260003178": "authentication_required",
    "4000000000000259": "approved",
    "4000000000002685": "approved",
    "4000000000001976": "approved",
    "4000000000005423": "approved",
    "4000000404000079": "approved",
    "4000000000007726": "approved",
    "4000000000005126": "approved",
    "4000000000081002": "pickup_card",
    "4000000000081010": "do_not_honor",
    "4000000000081028": "transaction_not_allowed",
    "4000000000081036": "restricted_card",
    "4000000000081044": "insufficient_funds",
    "4000000000081051": "approved",
    "4000000000081069": "reversed",
    "4000000000081077": "reversed",
}


def test_every_documented_card_is_here_and_no_other() -> None:
    assert [card.number for card in TEST_CARDS] == list(DOCUMENTED)


@pytest.mark.parametrize(("number", "expected"), DOCUMENTED.items())
@in_one_thread
async def test_a_documented_card_gets_its_documented_answer(number: str, expected: str) -> None:
    bench = Bench()
    try:
        answer = await bench.authorize("a", await bench.token(number))
        got = answer.decline_code or answer.status
    except RequestError as error:
        got = error.code

    assert got == expected


@in_one_thread
async def test_a_test_card_is_answered_the_same_however_much_it_spends() -> None:
    bench = Bench()
    token = await bench.token()

    answers = [await bench.authorize(f"a{n}", token, 50_000_000) for n in range(30)]

    assert {answer.status for answer in answers} == {"approved"}
