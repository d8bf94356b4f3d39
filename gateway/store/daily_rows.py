"""What merchants were paid each day, as rows: the counters of limits per day.

A counter is changed by one statement that also compares, so that of two confirms at once, in one process or
several, only those pass that the limit holds together.
"""

from sqlalchemy import Connection, bindparam, select, update
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


def _place(merchant_id: str, mode: Mode, currency: str, day: int) -> dict[str, object]:
    return {"the_merchant": merchant_id, "the_mode": mode, "the_currency": currency, "the_day": day}
