"""Pages of a list, newest first: after or before the entry that a cursor names, within a range of times."""

from collections.abc import Callable
from typing import Any

from sqlalchemy import Column, Connection, Row, Select, tuple_

from gateway.errors import InvalidRequestError
from gateway.request_members import CreatedRange, Paging

Cursor = Callable[[str], tuple[int, str]]

_SECOND_US = 1_000_000


def read_page(
    connection: Connection,
    query: Select[Any],
    place: tuple[Column[Any], Column[Any]],
    paging: Paging,
    cursor_of: Cursor,
) -> tuple[list[Row[Any]], bool]:
    """At most `limit` rows, newest first, and whether more follow in the direction of the cursor.

    `place` are the columns of time (µs) and id by which is ordered; `cursor_of` gives both of an entry, and
    raises `NotFoundError`. Raises `InvalidRequestError` for two cursors at once.
    """
    if paging.starting_after is not None and paging.ending_before is not None:
        raise InvalidRequestError(
            "Give starting_after or ending_before, not both.",
            code="parameter_invalid",
            param="ending_before",
        )
    if paging.created is not None:
        query = _within(query, place[0], paging.created)
    if paging.starting_after is not None:
        query = query.where(tuple_(*place) < cursor_of(paging.starting_after))
    if paging.ending_before is not None:
        query = query.where(tuple_(*place) > cursor_of(paging.ending_before))
    backwards = paging.ending_before is not None
    order = [column.asc() if backwards else column.desc() for column in place]
    rows = list(connection.execute(query.order_by(*order).limit(paging.limit + 1)))
    page = rows[: paging.limit]
    return page[::-1] if backwards else page, len(rows) > paging.limit


def _within(query: Select[Any], time_us: Column[Any], created: CreatedRange) -> Select[Any]:
    """A second holds all its microseconds: later than it begins with the next one."""
    if created.gt is not None:
        query = query.where(time_us >= (created.gt + 1) * _SECOND_US)
    if created.gte is not None:
        query = query.where(time_us >= created.gte * _SECOND_US)
    if created.lt is not None:
        query = query.where(time_us < created.lt * _SECOND_US)
    if created.lte is not None:
        query = query.where(time_us < (created.lte + 1) * _SECOND_US)
    return query
