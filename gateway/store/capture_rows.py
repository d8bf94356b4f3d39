"""Which captures that were put off are due."""

from sqlalchemy import Connection, exists, select

from events.vocabulary import Mode
from gateway.store.tables import intents, reviews


def due_captures(connection: Connection, mode: Mode, now_us: int, limit: int) -> list[str]:
    """Payments whose capture is due by `now_us` and held by no review, longest due first."""
    held = exists().where(reviews.c.id == intents.c.review_id, reviews.c.closed_us.is_(None))
    due = (
        select(intents.c.id)
        .where(intents.c.mode == mode, intents.c.capture_due_us <= now_us, ~held)
        .order_by(intents.c.capture_due_us)
        .limit(limit)
    )
    return list(connection.execute(due).scalars())
