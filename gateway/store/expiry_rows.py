"""What has expired, and each mode's clock as it was last kept."""

from typing import NamedTuple

from sqlalchemy import BindParameter, Connection, Integer, bindparam, or_, select, update

from events.vocabulary import Mode
from gateway.store.statements import Statement
from gateway.store.tables import attempts, clocks, intents, reviews

# Looked for every few seconds: building the statements would cost more than running them.
_NOW: BindParameter[int] = bindparam("now_us")
_MODE: BindParameter[str] = bindparam("the_mode")
_LIMIT = bindparam("the_limit", type_=Integer)
_HELD = Statement(
    select(reviews.c.payment_id, reviews.c.expires_us)
    # One of an earlier attempt, or of a payment that holds nothing any more, ends nothing.
    .join(intents, intents.c.id == reviews.c.payment_id)
    .where(intents.c.review_id == reviews.c.id, intents.c.status == "requires_capture")
    .where(reviews.c.mode == _MODE, reviews.c.closed_us.is_(None), reviews.c.expires_us <= _NOW)
    .order_by(reviews.c.expires_us)
    .limit(_LIMIT)
)
_UNCAPTURED = Statement(
    select(attempts.c.payment_id, attempts.c.expires_us)
    .join(intents, intents.c.id == attempts.c.payment_id)
    .where(attempts.c.phase == "authorized", attempts.c.expires_us <= _NOW, intents.c.mode == _MODE)
    .order_by(attempts.c.expires_us)
    .limit(_LIMIT)
)
_CLOCK = Statement(select(clocks.c.at_us, clocks.c.resets).where(clocks.c.mode == _MODE))


def due_payments(connection: Connection, mode: Mode, now_us: int, limit: int) -> list[tuple[str, int]]:
    """Payments of which a review, or else an authorization, has expired by `now_us`, and when it did."""
    asked = {"now_us": now_us, "the_mode": mode, "the_limit": limit}
    # One that stands in both is due when its review is, which is earlier.
    due = {row.payment_id: row.expires_us for row in _UNCAPTURED.all(connection, asked)}
    due |= {row.payment_id: row.expires_us for row in _HELD.all(connection, asked)}
    return sorted(due.items(), key=lambda each: each[1])


class KeptClock(NamedTuple):
    """Where a mode's clock was (None: it goes by the machine's), and how often it was reset."""

    at_us: int | None
    resets: int


def load_clock(connection: Connection, mode: Mode) -> KeptClock:
    """The mode's clock as it was last kept."""
    row = _CLOCK.one_or_none(connection, {"the_mode": mode})
    return KeptClock(None, 0) if row is None else KeptClock(*row)


def keep_clock(connection: Connection, mode: Mode, at_us: int, resets: int) -> None:
    """Keep where the mode's clock is: it goes back by a reset alone, of which its keeper must have heard."""
    later = or_(clocks.c.at_us.is_(None), clocks.c.at_us < at_us)
    of_now = update(clocks).where(clocks.c.mode == mode, clocks.c.resets == resets, later)
    connection.execute(of_now, {"at_us": at_us})


def reset_clock(connection: Connection, mode: Mode) -> None:
    """Have the mode go by the machine's clock again, in running processes too."""
    connection.execute(
        update(clocks).where(clocks.c.mode == mode).values(at_us=None, resets=clocks.c.resets + 1)
    )
