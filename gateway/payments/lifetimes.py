"""How long an authorization holds, by brand and date, and how long a review of it may stay open: pure.

The periods are what Stripe grants payments over the internet ("Place a hold on a payment method"), from the
days that it names. Networks' own rules allow longer (Visa's ten days where the shopper pays), issuers may let
go earlier. For brands without a line, and by funding, nobody publishes other periods. They count from the
confirm, in business time.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import NamedTuple

from events.moments import microseconds

DAY_US = 24 * 3600 * 1_000_000
REVIEW_SHARE = 6, 7
"""A review ends before its authorization does: what it leaves is time to capture, or to void. 6 days of 7."""


class Lifetime(NamedTuple):
    """From `since` on, authorizations of this brand (None: of every brand without a line) hold so long.

    `off_session`: those alone for which the merchant asks while the shopper is away.
    """

    brand: str | None
    since: date
    days: float
    off_session: bool = False


LIFETIMES: tuple[Lifetime, ...] = (
    Lifetime(None, date(1970, 1, 1), 7),
    Lifetime("amex", date(1970, 1, 1), 7),
    Lifetime("discover", date(1970, 1, 1), 7),
    Lifetime("mastercard", date(1970, 1, 1), 7),
    Lifetime("visa", date(1970, 1, 1), 7),
    # Five days, less what clearing takes.
    Lifetime("visa", date(2024, 4, 14), 4.75, off_session=True),
)


class Lifetimes(NamedTuple):
    """The table with the installation's own bound: `days_max` shortens what the network grants."""

    days_max: float | None = None
    table: Sequence[Lifetime] = LIFETIMES

    def expires_us(self, brand: str | None, authorized_us: int, *, off_session: bool = False) -> int:
        """When an authorization ends that was asked for at `authorized_us`; `brand` None: of no card.

        >>> Lifetimes().expires_us("visa", 0) // DAY_US, Lifetimes(days_max=2).expires_us("visa", 0) // DAY_US
        (7, 2)
        """
        days = lifetime_days(brand, authorized_us, self.table, off_session=off_session)
        if self.days_max is not None:
            days = min(days, self.days_max)
        return authorized_us + int(days * DAY_US)


def lifetime_days(
    brand: str | None, at_us: int, table: Sequence[Lifetime] = LIFETIMES, *, off_session: bool = False
) -> float:
    """Of the lines in force at `at_us` the newest that says most: of the brand, of such payments alone."""
    fitting = [
        line
        for line in table
        if _starts_us(line) <= at_us and line.brand in (None, brand) and line.off_session <= off_session
    ]
    return max(fitting, key=lambda line: (line.brand is not None, line.off_session, line.since)).days


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
