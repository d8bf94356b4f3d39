"""Money: integer minor units with an ISO 4217 currency, never a float."""

from decimal import ROUND_HALF_EVEN, Decimal
from functools import cache

import iso4217
import msgspec

from events.errors import MoneyError

AMOUNT_MINOR_MAX = 10**12 - 1
"""Largest amount of one payment, in minor units: the twelve digits of ISO 8583, far below 2**53."""


@cache
def exponent(currency: str) -> int:
    """Digits after the decimal point of `currency` (ISO 4217): 2 for EUR, 0 for JPY, 3 for KWD.

    >>> exponent("EUR"), exponent("JPY"), exponent("KWD")
    (2, 0, 3)
    """
    try:
        digits = iso4217.Currency(currency).exponent
    except ValueError:
        digits = None
    if digits is None:
        raise MoneyError(f"unknown currency {currency!r}: give an ISO 4217 code such as INR")
    return int(digits)


class Money(msgspec.Struct, frozen=True):
    """An amount in minor units of a currency; 12.34 EUR is `Money(1234, "EUR")`."""

    amount_minor: int
    currency: str

    def __str__(self) -> str:
        return f"{major(self.amount_minor, self.currency)} {self.currency}"


def major(amount_minor: int, currency: str) -> Decimal:
    """Exact amount in major units.

    >>> major(1234, "EUR"), major(1234, "JPY")
    (Decimal('12.34'), Decimal('1234'))
    """
    return Decimal(amount_minor).scaleb(-exponent(currency))


def minor(amount: Decimal, currency: str) -> int:
    """Amount in minor units; raises `MoneyError` where `amount` has more digits than the currency.

    >>> minor(Decimal("12.34"), "EUR")
    1234
    """
    scaled = amount.scaleb(exponent(currency))
    if scaled != scaled.to_integral_value():
        raise MoneyError(f"{currency} has {exponent(currency)} decimals; {amount} has more")
    return int(scaled)


def converted(amount_minor: int, rate: Decimal, source: str, target: str) -> int:
    """Minor units of `target` for an amount in `source`, at `rate` target units per source unit.

    Rounds half to even, once, at the end.

    >>> converted(10_000, Decimal("0.0108"), "INR", "EUR")
    108
    """
    exact = major(amount_minor, source) * rate
    return int(exact.scaleb(exponent(target)).to_integral_value(ROUND_HALF_EVEN))
