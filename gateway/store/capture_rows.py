"""Which captures that were put off are due."""

from sqlalchemy import BindParameter, Connection, Integer, bindparam, exists, select

from events.vocabulary import Mode
from gateway.store.statements import Statement
from gateway.store.tables import intents, reviews

# Looked for every few seconds: building the statement would cost more than running it.
_NOW: BindParameter[int] = bindparam("now_us")
_HELD = exists().where(reviews.c.id == intents.c.review_id, reviews.c.closed_us.is_(None))
_DUE = Statement(
    select(intents.c.id)
    .where(intents.c.mode == bindparam("the_mode"), intents.c.capture_due_us <= _NOW, ~_HELD)
    .order_by(intents.c.capture_due_us)
    .limit(bindparam("the_limit", type_=Integer))
)


def due_captures(connection: Connection, mode: Mode, now_us: int, limit: int) -> list[str]:
    """Payments whose capture is due by `now_us` and held by no review, longest due first."""
    asked = {"now_us": now_us, "the_mode": mode, "the_limit": limit}
    return [row.id for row in _DUE.all(connection, asked)]
