"""How long an authorization holds, by brand and date, and how long a review of it may stay open: pure.

The periods are what a payment service grants a payment that the shopper makes online; issuers may let go
earlier, and some networks' own rules allow longer. They count from the confirm, in business time.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import NamedTuple

from events.moments import microseconds

DAY_US = 24 * 3600 * 1_000_000
REVIEW_SHARE = 6, 7
"""A review ends before its authorization does: what it leaves is time to capture, or to void. 6 days of 7."""


class Lifetime(NamedTuple):
    """From `since` on, authorizations of this brand (None: of every brand without a line) hold so long."""

    brand: str | None
    since: date
    days: int


LIFETIMES: tuple[Lifetime, ...] = (
    Lifetime(None, date(1970, 1, 1), 7),
    Lifetime("amex", date(1970, 1, 1), 7),
    Lifetime("discover", date(1970, 1, 1), 7),
    Lifetime("mastercard", date(1970, 1, 1), 7),
    Lifetime("visa", date(1970, 1, 1), 7),
)


class Lifetimes(NamedTuple):
    """The table with the installation's own bound: `days_max` shortens what the network grants."""

    days_max: float | None = None
    table: Sequence[Lifetime] = LIFETIMES

    def expires_us(self, brand: str | None, authorized_us: int) -> int:
        """When an authorization ends that was asked for at `authorized_us`; `brand` None: of no card.

        >>> Lifetimes().expires_us("visa", 0) // DAY_US, Lifetimes(days_max=2).expires_us("visa", 0) // DAY_US
        (7, 2)
        """
        days: float = lifetime_days(brand, authorized_us, self.table)
        if self.days_max is not None:
            days = min(days, self.days_max)
        return authorized_us + int(days * DAY_US)


def lifetime_days(brand: str | None, at_us: int, table: Sequence[Lifetime] = LIFETIMES) -> int:
    """Of the lines in force at `at_us` the newest of the brand; where it has none, of those of all others."""
    in_force = [line for line in table if _starts_us(line) <= at_us]
    own = [line for line in in_force if line.brand == brand]
    return max(own or [line for line in in_force if line.brand is None], key=_starts_us).days


def review_expires_us(authorized_us: int, expires_us: int) -> int:
    """When the review of an authorization ends that nobody closes.

    >>> review_expires_us(0, 7 * DAY_US) // DAY_US
    6
    """
    part, whole = REVIEW_SHARE
    return authorized_us + (expires_us - authorized_us) * part // whole


def has_expired(expires_us: int | None, at_us: int) -> bool:
    """Whether what ends at `expires_us` (None: never) has ended at `at_us`."""
    return expires_us is not None and expires_us <= at_us


def _starts_us(line: Lifetime) -> int:
    return microseconds(datetime(line.since.year, line.since.month, line.since.day, tzinfo=UTC))
