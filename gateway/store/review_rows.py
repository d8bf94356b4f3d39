"""Reviews as rows: a payment that waits for a person."""

from typing import Any

import msgspec
from sqlalchemy import Connection, Row, insert, select, update

from events.vocabulary import Mode
from gateway.errors import NotFoundError
from gateway.payments.intents import Intent
from gateway.requests import ListReviews
from gateway.store.paging import read_page
from gateway.store.tables import reviews


class Review(msgspec.Struct, frozen=True, kw_only=True):
    """Why a capture is held, and how that ended."""

    id: str
    payment_id: str
    merchant_id: str
    mode: Mode
    reason: str
    opened_us: int
    closed_us: int | None = None
    closed_reason: str | None = None
    expires_us: int | None = None


def open_review(
    connection: Connection,
    review_id: str,
    intent: Intent,
    *,
    reason: str,
    opened_us: int,
    expires_us: int | None,
) -> None:
    """Keep a new review of the intent."""
    row = {
        "id": review_id,
        "payment_id": intent.id,
        "merchant_id": intent.merchant_id,
        "mode": intent.mode,
        "reason": reason,
        "opened_us": opened_us,
        "expires_us": expires_us,
    }
    connection.execute(insert(reviews), row)


def load_review(connection: Connection, review_id: str, *, merchant_id: str, mode: Mode) -> Review:
    """The review, of this merchant and mode; raises `NotFoundError`."""
    query = select(reviews).where(
        reviews.c.id == review_id, reviews.c.merchant_id == merchant_id, reviews.c.mode == mode
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        raise NotFoundError("There is no such review.")
    return _review(row)


def list_reviews(
    connection: Connection, *, merchant_id: str, mode: Mode, query: ListReviews
) -> tuple[list[Review], bool]:
    """A page of them, and whether there is more; raises `NotFoundError` for an unknown cursor."""

    def cursor_of(review_id: str) -> tuple[int, str]:
        cursor = load_review(connection, review_id, merchant_id=merchant_id, mode=mode)
        return cursor.opened_us, cursor.id

    own = select(reviews).where(reviews.c.merchant_id == merchant_id, reviews.c.mode == mode)
    if query.open is not None:
        own = own.where(reviews.c.closed_us.is_(None) if query.open else reviews.c.closed_us.is_not(None))
    rows, has_more = read_page(connection, own, (reviews.c.opened_us, reviews.c.id), query, cursor_of)
    return [_review(row) for row in rows], has_more


def is_open(connection: Connection, review_id: str | None) -> bool:
    """Whether there is a review and nobody has closed it."""
    if review_id is None:
        return False
    query = select(reviews.c.id).where(reviews.c.id == review_id, reviews.c.closed_us.is_(None))
    return connection.execute(query).first() is not None


def close_review(connection: Connection, review_id: str | None, reason: str, at_us: int) -> bool:
    """Close it, if there is one and it is open: whether it was."""
    still_open = update(reviews).where(reviews.c.id == review_id, reviews.c.closed_us.is_(None))
    closed = connection.execute(still_open, {"closed_us": at_us, "closed_reason": reason})
    return closed.rowcount == 1


def _review(row: Row[Any]) -> Review:
    return Review(**row._mapping)
