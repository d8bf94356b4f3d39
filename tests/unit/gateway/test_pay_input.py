"""Amounts of `/pay`: in major units, read exactly or refused."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.money import AMOUNT_MINOR_MAX, exponent, major
from gateway.errors import InvalidRequestError, UnsupportedMediaError
from gateway.processor.pay_input import amount_minor, read_pay

CURRENCIES = st.sampled_from(["EUR", "JPY", "KWD", "INR"])


def read(amount: str, currency: str) -> int:
    """What an amount comes to, as it stands in the JSON."""
    order = {"method": "upi", "merchant_id": "m", "currency": currency, "upi": {"vpa": "ada@okbank"}}
    body = json.dumps(order)[:-1] + f', "amount": {amount}}}'
    return amount_minor(read_pay(body.encode(), None))


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"customer": "\0usr_1"}, "customer"),
        ({"risk_context": {"device_id": "d\0"}}, "risk_context[device_id]"),
    ],
)
def test_a_nul_is_refused_in_every_text(members: dict[str, object], param: str) -> None:
    order = {
        "method": "upi",
        "merchant_id": "m",
        "currency": "EUR",
        "amount": 1,
        "upi": {"vpa": "ada@okbank"},
    }

    with pytest.raises(InvalidRequestError, match="NUL") as refused:
        read_pay(json.dumps({**order, **members}).encode(), None)
    assert (refused.value.code, refused.value.param) == ("parameter_invalid", param)


def test_what_only_looks_like_the_escape_of_a_nul_is_read() -> None:
    order = {
        "method": "upi",
        "merchant_id": "m",
        "currency": "EUR",
        "amount": 1,
        "upi": {"vpa": "ada@okbank"},
    }

    given = read_pay(json.dumps({**order, "customer": "C:\\u0000"}).encode(), None)

    assert given.customer == "C:\\u0000"


@given(st.integers(1, AMOUNT_MINOR_MAX), CURRENCIES, st.booleans())
def test_every_amount_comes_back_to_the_last_minor_unit(minor: int, currency: str, as_text: bool) -> None:
    written = f"{major(minor, currency):f}"

    assert read(json.dumps(written) if as_text else written, currency) == minor


@given(st.integers(1, 10**9), CURRENCIES)
def test_an_amount_with_more_decimals_than_its_currency_has_is_refused(minor: int, currency: str) -> None:
    digits = exponent(currency)
    finer = f"{Decimal(minor * 10 + 5).scaleb(-digits - 1):f}"

    with pytest.raises(InvalidRequestError):
        read(finer, currency)


@given(st.one_of(st.floats(), st.text(), st.booleans(), st.none(), st.lists(st.integers())))
def test_whatever_else_stands_for_an_amount_is_refused_or_read_as_it_is_written(amount: object) -> None:
    written = json.dumps(amount)
    try:
        minor = read(written, "EUR")
    except InvalidRequestError:
        return
    assert Decimal(written.strip('"')) == Decimal(minor) / 100


def test_a_form_is_told_that_json_alone_is_taken() -> None:
    with pytest.raises(UnsupportedMediaError, match=r"^Send application/json, in UTF-8\.$"):
        read_pay(b"method=upi", "application/x-www-form-urlencoded")


@pytest.mark.parametrize(("currency", "example"), [("JPY", "12,"), ("EUR", "12.50,"), ("KWD", "12.500,")])
def test_the_example_of_an_amount_has_the_decimals_of_its_currency(currency: str, example: str) -> None:
    with pytest.raises(InvalidRequestError, match=f"such as {example}"):
        read("0", currency)
