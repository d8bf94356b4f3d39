"""Dated exchange rates to the platform's reference currency: for features and costs, never for the ledger."""

from bisect import bisect_right
from datetime import UTC, date, datetime
from decimal import Decimal
from math import isfinite

import msgspec

from events.errors import MoneyError
from events.money import AMOUNT_MINOR_MAX, exponent
from models.errors import ControlError

RATE_MIN, RATE_MAX = Decimal("0.000000001"), Decimal(1_000_000_000)
"""A mistake is farther away: the rial is worth some millionths of a dinar, and the other way round."""

EXACT_MAX = 2**53
"""Whole numbers up to it are floats without rounding."""


class Rate(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From the start of `from_date` (UTC) one unit of `currency` is worth `rate` units of the reference."""

    currency: str
    from_date: date
    rate: Decimal


class RatesBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a control of kind `rates` says. The reference currency itself needs no rate."""

    reference: str
    rates: list[Rate] = []


class Rates:
    """Looks up the rate in force at a time.

    >>> in_dollars = Rate(currency="USD", from_date=date(2026, 1, 1), rate=Decimal("0.5"))
    >>> rates = Rates(RatesBody(reference="EUR", rates=[in_dollars]))
    >>> in_2027_us = 1_800_000_000_000_000
    >>> rates.reference_minor(1_000, "USD", in_2027_us), rates.reference_minor(1_000, "USD", 0)
    (500.0, None)
    """

    def __init__(self, body: RatesBody) -> None:
        """Raises `ControlError` for an unknown currency or a rate beyond the bounds."""
        self.reference = body.reference
        self._factors: dict[str, tuple[list[int], list[float]]] = {}
        for rate in sorted(body.rates, key=lambda rate: rate.from_date):
            # In this order: a decimal that is no number cannot be compared.
            if not rate.rate.is_finite() or not RATE_MIN <= rate.rate <= RATE_MAX:
                bounds = f"between {RATE_MIN:f} and {RATE_MAX:,}"
                raise ControlError(f"the rate of {rate.currency} must lie {bounds}")
            starts, factors = self._factors.setdefault(rate.currency, ([], []))
            start = datetime(rate.from_date.year, rate.from_date.month, rate.from_date.day, tzinfo=UTC)
            starts.append(int(start.timestamp()) * 1_000_000)
            # From minor units to minor units: currencies differ in their decimals.
            factors.append(float(rate.rate.scaleb(_exponent(body.reference) - _exponent(rate.currency))))
        _exponent(body.reference)

    def reference_minor(self, amount_minor: int, currency: str, at_us: int) -> float | None:
        """The amount in the reference currency, not rounded; None without a rate for that time.

        None, too, where it is above `AMOUNT_MINOR_MAX`: sums over time must fit into 64 bits.
        """
        if currency == self.reference:
            return float(amount_minor)
        found = self._factors.get(currency)
        if found is None:
            return None
        place = bisect_right(found[0], at_us)
        converted = amount_minor * found[1][place - 1] if place else None
        return converted if converted is not None and converted <= AMOUNT_MINOR_MAX else None

    def whole_minor(self, amount_minor: int, currency: str, at_us: int) -> int | None:
        """The same, rounded to whole minor units: what profiles keep."""
        if currency == self.reference and -EXACT_MAX <= amount_minor <= EXACT_MAX:
            return amount_minor
        converted = self.reference_minor(amount_minor, currency, at_us)
        return round(converted) if converted is not None and isfinite(converted) else None


def _exponent(currency: str) -> int:
    try:
        return exponent(currency)
    except MoneyError as error:
        raise ControlError(str(error)) from None
