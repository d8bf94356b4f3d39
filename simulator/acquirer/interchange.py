"""What of a capture the issuer keeps, by brand and funding, as rates that hold from a day on."""

from datetime import date
from typing import NamedTuple

from simulator.acquirer.card_ranges import Funding

BASIS_POINTS = 10_000


class Rate(NamedTuple):
    """Of one brand and funding (None: of any other), from a day on."""

    brand: str | None
    funding: Funding | None
    valid_from: date
    basis_points: int


_ALWAYS = date(1990, 1, 1)
_EUROPEAN_CAPS = date(2015, 12, 9)

RATES: tuple[Rate, ...] = (
    Rate("visa", "credit", _ALWAYS, 80),
    Rate("visa", "debit", _ALWAYS, 40),
    Rate("visa", "prepaid", _ALWAYS, 40),
    Rate("visa", "credit", _EUROPEAN_CAPS, 30),
    Rate("visa", "debit", _EUROPEAN_CAPS, 20),
    Rate("visa", "prepaid", _EUROPEAN_CAPS, 20),
    Rate("mastercard", "credit", _ALWAYS, 80),
    Rate("mastercard", "debit", _ALWAYS, 40),
    Rate("mastercard", "prepaid", _ALWAYS, 40),
    Rate("mastercard", "credit", _EUROPEAN_CAPS, 30),
    Rate("mastercard", "debit", _EUROPEAN_CAPS, 20),
    Rate("mastercard", "prepaid", _EUROPEAN_CAPS, 20),
    Rate("rupay", "debit", _ALWAYS, 40),
    Rate("rupay", "debit", date(2020, 1, 1), 0),
    Rate("amex", None, _ALWAYS, 150),
    Rate("diners", None, _ALWAYS, 150),
    Rate(None, None, _ALWAYS, 100),
)
"""The caps of Regulation (EU) 2015/751, India's zero for RuPay debit, and round figures for the rest."""


def rate(brand: str, funding: Funding, on: date) -> Rate:
    """The latest rate of the most exact row that holds.

    >>> [rate(brand, "debit", date(2026, 1, 5)).basis_points for brand in ("visa", "jcb")]
    [20, 100]
    """
    holding = [row for row in RATES if row.valid_from <= on and _fits(row, brand, funding)]
    return max(holding, key=lambda row: (row.brand is not None, row.funding is not None, row.valid_from))


def interchange_minor(brand: str, funding: Funding, amount_minor: int, on: date) -> int:
    """The issuer's share of an amount, rounded down.

    >>> interchange_minor("visa", "credit", 10_000, date(2026, 1, 5))
    30
    """
    return amount_minor * rate(brand, funding, on).basis_points // BASIS_POINTS


def _fits(row: Rate, brand: str, funding: Funding) -> bool:
    return row.brand in (brand, None) and row.funding in (funding, None)
