"""Money: integer minor units, never a float."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.errors import MoneyError
from events.money import Money, converted, exponent, major, minor

CURRENCIES = st.sampled_from(["EUR", "INR", "JPY", "KWD", "USD", "IQD"])


@given(amount_minor=st.integers(min_value=-(10**12), max_value=10**12), currency=CURRENCIES)
def test_minor_units_survive_the_way_to_major_units_and_back(amount_minor: int, currency: str) -> None:
    assert minor(major(amount_minor, currency), currency) == amount_minor


@pytest.mark.parametrize(("currency", "digits"), [("EUR", 2), ("JPY", 0), ("KWD", 3), ("IQD", 3)])
def test_decimals_are_those_of_iso_4217(currency: str, digits: int) -> None:
    assert exponent(currency) == digits


@pytest.mark.parametrize("currency", ["", "eur", "EURO", "ZZZ", "XAU"])
def test_a_currency_that_is_none_is_refused_by_name(currency: str) -> None:
    with pytest.raises(MoneyError, match="unknown currency"):
        exponent(currency)


def test_more_decimals_than_the_currency_has_are_refused() -> None:
    with pytest.raises(MoneyError):
        minor(Decimal("1.005"), "EUR")


@pytest.mark.parametrize(
    ("amount_minor", "rate", "expected"),
    [(5, "0.1", 0), (15, "0.1", 2), (25, "0.1", 2), (10_000, "0.0108", 108)],
)
def test_conversion_rounds_half_to_even_once_at_the_end(amount_minor: int, rate: str, expected: int) -> None:
    assert converted(amount_minor, Decimal(rate), "INR", "EUR") == expected


def test_money_reads_in_major_units() -> None:
    assert str(Money(1234, "EUR")) == "12.34 EUR"
