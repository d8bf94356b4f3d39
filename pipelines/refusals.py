"""Records that could not be read or handled, on their way to the dead letters."""

from datetime import datetime

from events.codec import encode
from events.log.port import Outgoing, Record
from events.types import DeadLetter
from pipelines.observe import EPOCH, derived_id


def dead_letter(record: Record, reason: str, at: datetime) -> Outgoing:
    """Where, why and the bytes. The same record refused again has the same event id."""
    place = f"{record.topic}/{record.partition}/{record.offset}"
    event = DeadLetter(
        id=derived_id("dead-letter", place, EPOCH),
        occurred_at=at,
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        reason=reason,
        key=record.key,
        value=record.value,
    )
    return Outgoing("dead-letters", record.topic.encode(), encode(event))
