"""Each documented test card, from token to answer, through processor, network and the issuers' pages."""

from typing import NamedTuple, get_args

import pytest

from gateway.errors import RequestError
from gateway.processor.declines import DECLINES
from gateway.processor_port import AdviceCode, AuthenticationWish
from simulator import testcards
from simulator.acquirer import clearing, network
from simulator.testcards import TEST_CARDS
from tests.processor_parts import Bench, in_one_thread

UNAUTHENTICATED = "payment_intent_authentication_failure"


class Answers(NamedTuple):
    """What a payment gets at once; and where a code is asked for: with a right one, with wrong ones alone."""

    at_once: str
    right_code: str | None = None
    wrong_codes: str | None = None


def challenged(right_code: str = "approved") -> Answers:
    return Answers("action_required", right_code, UNAUTHENTICATED)


DOCUMENTED = {
    "4242424242424242": Answers("approved"),
    "4000000000000002": Answers("generic_decline"),
    "4000000000009995": Answers("insufficient_funds"),
    "4000000000009987": Answers("lost_card"),
    "4000000000009979": Answers("stolen_card"),
    "4000000000000069": Answers("expired_card"),
    "4000000000000127": Answers("incorrect_cvc"),
    "4000000000000119": Answers("processing_error"),
    "4000000000006975": Answers("card_velocity_exceeded"),
    "4242424242424241": Answers("incorrect_number"),
    "4000000000000341": Answers("generic_decline"),
    "4100000000000019": Answers("fraudulent"),
    "4000000000004954": Answers("approved"),
    "4000000000009235": Answers("approved"),
    "4000000000000101": Answers("approved"),
    "4000000000000036": Answers("approved"),
    "4000000000003220": challenged(),
    "4000008400001629": challenged("generic_decline"),
    "4000008400001280": Answers("authentication_required"),
    "4000000000003055": Answers("approved"),
    "4000002760003184": challenged(),
    "4000000000003238": challenged(),
    "4000008260003178": challenged("insufficient_funds"),
    "4000000000000259": Answers("approved"),
    "4000000000002685": Answers("approved"),
    "4000000000001976": Answers("approved"),
    "4000000000005423": Answers("approved"),
    "4000000404000079": Answers("approved"),
    "4000000000007726": Answers("approved"),
    "4000000000005126": Answers("approved"),
    "4000000000081002": Answers("pickup_card"),
    "4000000000081010": Answers("do_not_honor"),
    "4000000000081028": Answers("transaction_not_allowed"),
    "4000000000081036": Answers("restricted_card"),
    "4000000000081044": Answers("insufficient_funds"),
    "4000000000081051": Answers("approved"),
    "4000000000081069": Answers("reversed"),
    "4000000000081077": Answers("reversed"),
    "4000000000081085": Answers("approved"),
}

WHERE_PREFERRED = {
    "4242424242424242": ("approved", "attempted", "06"),
    "4000000000003055": ("action_required", None, None),
    "4000008400001280": ("authentication_required", "error", None),
    "4000000000000259": ("approved", "authenticated", "05"),
}
"""Where a payment asks for authentication by itself: answer, result and indicator."""


def test_every_documented_card_is_here_and_no_other() -> None:
    assert [card.number for card in TEST_CARDS] == list(DOCUMENTED)


@pytest.mark.parametrize(("number", "expected"), DOCUMENTED.items())
@in_one_thread
async def test_a_documented_card_gets_its_documented_answers(number: str, expected: Answers) -> None:
    assert await answered(number, "1234") == (expected.at_once, expected.right_code)
    if expected.wrong_codes:
        assert await answered(number, "123") == (expected.at_once, expected.wrong_codes)


async def answered(number: str, code: str) -> tuple[str, str | None]:
    bench = Bench()
    try:
        answer = await bench.authorize("a", await bench.token(number))
    except RequestError as error:
        return error.code, None
    if answer.status != "action_required":
        return answer.decline_code or answer.status, None
    bench.type_code("a", code)
    after = await bench.come_back("a")
    return answer.status, after.decline_code or after.status


@pytest.mark.parametrize(("number", "expected"), WHERE_PREFERRED.items())
@in_one_thread
async def test_a_card_whose_authentication_is_preferred_gets_what_its_issuer_does(
    number: str, expected: tuple[str, str | None, str | None]
) -> None:
    bench = Bench()

    wish: AuthenticationWish = "preferred"
    answer = await bench.authorize("a", await bench.token(number), authentication=wish)

    told = answer.authentication
    assert (answer.decline_code or answer.status, told and told.result, told and told.eci) == expected


@in_one_thread
async def test_a_test_card_is_answered_the_same_however_much_it_spends() -> None:
    bench = Bench()
    token = await bench.token()

    answers = [await bench.authorize(f"a{n}", token, 50_000_000) for n in range(30)]

    assert {answer.status for answer in answers} == {"approved"}


def test_whatever_the_network_may_answer_has_a_word_for_the_merchant() -> None:
    said = {value for name, value in vars(testcards).items() if name.isupper() and isinstance(value, str)}
    said |= {network.FORMAT_ERROR, network.NO_SUCH_ISSUER, clearing.DUPLICATE, clearing.TOO_MUCH}

    assert said - DECLINES.keys() == {testcards.APPROVED}
    assert {code for _, code in DECLINES.values()} == set(get_args(AdviceCode))
