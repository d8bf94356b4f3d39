"""Which payments a merchant is let take: its settings and limits, asked at creation and at confirm."""

from datetime import datetime

from sqlalchemy import Connection

from events.instruments import Instrument
from gateway import limits
from gateway.payments.intents import Attempt, Intent
from gateway.people.merchants import Merchant
from gateway.store.daily_rows import add_to_day, day_of, take_from_day

UNLIMITED_MINOR = 2**62
"""What a day that is counted already is held to once its limit is gone."""


def admit(merchant: Merchant, intent: Intent) -> None:
    """Raises `ForbiddenError`, and `InvalidRequestError` for currency and amount."""
    limits.require_open(merchant, intent.mode)
    limits.require_amount(merchant, intent.amount_minor, intent.currency)


def admit_in(
    connection: Connection, merchant: Merchant, intent: Intent, instrument: Instrument, at: datetime
) -> int | None:
    """The same and more for a confirm, in its commit: the day to whose limit it now counts, if there is one.

    Raises `InvalidRequestError` for a method or country that is not taken, and beyond the limit per day.
    """
    admit(merchant, intent)
    limits.require_method(merchant, instrument)
    limit_minor = merchant.settings.limit_per_day.get(intent.currency)
    if limit_minor is None:
        return None
    day = day_of(at)
    amount_minor = intent.amount_minor
    place = (intent.merchant_id, intent.mode, intent.currency, day)
    if not add_to_day(connection, *place, amount_minor=amount_minor, limit_minor=limit_minor):
        raise limits.limit_exceeded("day")
    return day


def admit_more_in(
    connection: Connection, merchant: Merchant, after: Intent, attempt: Attempt, more_minor: int
) -> None:
    """An increment, after which the intent is so: it counts to the day of the confirm."""
    admit(merchant, after)
    if attempt.counted_day is None:
        return
    place = (after.merchant_id, after.mode, after.currency, attempt.counted_day)
    limit_minor = merchant.settings.limit_per_day.get(after.currency, UNLIMITED_MINOR)
    if not add_to_day(connection, *place, amount_minor=more_minor, limit_minor=limit_minor):
        raise limits.limit_exceeded("day")


def give_back_in(
    connection: Connection, intent: Intent, attempt: Attempt, amount_minor: int | None = None
) -> None:
    """A refused attempt, or increment (`amount_minor`), no longer counts to its day's limit.

    Nor does one that was canceled before its payer had approved; one canceled or refunded later still does.
    """
    if attempt.counted_day is not None:
        place = (intent.merchant_id, intent.mode, intent.currency, attempt.counted_day)
        refused_minor = intent.amount_minor if amount_minor is None else amount_minor
        take_from_day(connection, *place, amount_minor=refused_minor)
