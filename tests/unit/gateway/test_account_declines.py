"""Where an account did not pay, each of the rails' reasons has its words, and the docs say them."""

from typing import get_args

from gateway.payments.account_words import PAYER_WORDS, SELLER_WORDS
from gateway.payments.outcomes import payment_error
from gateway.processor.rail_declines import RAIL_DECLINES
from simulator.rails.orders import Reason
from simulator.rails.testaddresses import TEST_ADDRESSES, TestAddress
from tests.test_api_reference import table


def test_every_reason_of_the_rails_has_a_code_that_stands_alone_with_its_words() -> None:
    assert set(RAIL_DECLINES) == set(get_args(Reason))
    for decline in RAIL_DECLINES.values():
        error = payment_error(decline.decline_code)
        assert (error.code, error.decline_code) == (decline.decline_code, None)
        assert error.message == PAYER_WORDS[decline.decline_code]
        assert SELLER_WORDS[decline.decline_code]


def test_the_declines_of_accounts_are_documented() -> None:
    expected = [
        (f"`{one.decline_code}`", PAYER_WORDS[one.decline_code], f"`{one.advice_code}`")
        for _, one in sorted(RAIL_DECLINES.items())
    ]

    assert table("Declines of accounts") == expected


def test_every_test_address_is_documented_with_its_answer() -> None:
    expected = [(f"`{one.address}`", one.meaning, _answer(one)) for one in TEST_ADDRESSES]

    assert table("Test UPI addresses") == expected


def _answer(known: TestAddress) -> str:
    if known.after_seconds is None:
        return "`payment_collect_request_expired` after five minutes"
    return "succeeds" if known.reason is None else f"`{known.reason}`"
