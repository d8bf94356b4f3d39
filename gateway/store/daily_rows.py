"""What merchants were paid each day, as rows: the counters of limits per day.

A counter is changed by one statement that also compares, so that of two confirms at once, in one process or
several, only those pass that the limit holds together.
"""

from datetime import UTC, datetime

from sqlalchemy import Connection, bindparam, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from events.vocabulary import Mode
from gateway.store.statements import Statement
from gateway.store.tables import daily_totals

_DAY = (
    daily_totals.c.merchant_id == bindparam("the_merchant"),
    daily_totals.c.mode == bindparam("the_mode"),
    daily_totals.c.currency == bindparam("the_currency"),
    daily_totals.c.day == bindparam("the_day"),
)
_KNOWN = Statement(select(daily_totals.c.amount_minor).where(*_DAY))
_ADD = Statement(
    update(daily_totals)
    .where(*_DAY, daily_totals.c.amount_minor + bindparam("more") <= bindparam("most"))
    .values(amount_minor=daily_totals.c.amount_minor + bindparam("more"))
)
_TAKE_BACK = Statement(
    update(daily_totals).where(*_DAY).values(amount_minor=daily_totals.c.amount_minor - bindparam("less"))
)

_OLD = select(*daily_totals.primary_key.columns).where(
    daily_totals.c.mode == bindparam("the_mode"), daily_totals.c.day < bindparam("the_oldest")
)
_FORGET = delete(daily_totals).where(*_DAY)

_FIRST_DAY = datetime(1970, 1, 1, tzinfo=UTC).toordinal()


def day_of(at: datetime) -> int:
    """The day (UTC) to whose limit a confirm counts, counted from 1970-01-01.

    >>> day_of(datetime(1970, 1, 2, 23, 59, tzinfo=UTC))
    1
    """
    return at.astimezone(UTC).toordinal() - _FIRST_DAY


def add_to_day(
    connection: Connection,
    merchant_id: str,
    mode: Mode,
    currency: str,
    day: int,
    *,
    amount_minor: int,
    limit_minor: int,
) -> bool:
    """Count an amount to a day, numbered from 1970; False, and nothing counted, where that is too much."""
    place = _place(merchant_id, mode, currency, day)
    if _KNOWN.one_or_none(connection, place) is None:
        row = {"merchant_id": merchant_id, "mode": mode, "currency": currency, "day": day, "amount_minor": 0}
        # Two processes may both find the day's first payment theirs.
        dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
        connection.execute(dialect.insert(daily_totals).values(row).on_conflict_do_nothing())
    return _ADD.run(connection, {**place, "more": amount_minor, "most": limit_minor}) == 1


def take_from_day(
    connection: Connection, merchant_id: str, mode: Mode, currency: str, day: int, *, amount_minor: int
) -> None:
    """Give back what was counted and came to nothing."""
    _TAKE_BACK.add(connection, {**_place(merchant_id, mode, currency, day), "less": amount_minor})


def forget_days(connection: Connection, mode: Mode, oldest: int, limit: int) -> int:
    """Forget a mode's counters of the days before `oldest`, so many at most; how many it was."""
    old = connection.execute(_OLD.limit(limit), {"the_mode": mode, "the_oldest": oldest}).all()
    places = [_place(row.merchant_id, row.mode, row.currency, row.day) for row in old]
    if places:
        connection.execute(_FORGET, places)
    return len(places)


def _place(merchant_id: str, mode: Mode, currency: str, day: int) -> dict[str, object]:
    return {"the_merchant": merchant_id, "the_mode": mode, "the_currency": currency, "the_day": day}
