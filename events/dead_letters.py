"""Records that could not be read or handled: kept with where they stand and why, read back, and replayed.

A dead letter is bounded: of a record that is larger it keeps the beginning, and a replay takes the whole from
the record's own position, where it still stands.
"""

import hashlib
from collections.abc import Iterator
from datetime import datetime

from events.codec import encode
from events.errors import PositionLostError
from events.ids import uuid7
from events.log.port import Log, Outgoing, Position, Record, TopicPartition
from events.log.reading import events_until_end, records_between
from events.moments import EPOCH
from events.types import DeadLetter

TOPIC = "dead-letters"
RECORD_BYTES_KEPT_MAX = 64 * 1024
"""Of a refused record's key and value together: thirty times an event, and far below what the log takes."""

REASON_CHARACTERS_MAX = 500


def dead_letter_of(record: Record, reason: str, *, now: datetime) -> DeadLetter:
    """The event that says where the record stands, why it was refused, and its bytes as far as kept.

    The same record refused again has the same id: consumers count it once. `reason` holds no personal data.
    """
    place = f"{record.topic}/{record.partition}/{record.offset}"
    key = record.key[:RECORD_BYTES_KEPT_MAX]
    value = None if record.value is None else record.value[: RECORD_BYTES_KEPT_MAX - len(key)]
    return DeadLetter(
        id=uuid7(EPOCH, hashlib.sha256(place.encode()).digest()),
        occurred_at=now,
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        reason=reason[:REASON_CHARACTERS_MAX],
        key=key,
        value=value,
        truncated=(key, value) != (record.key, record.value),
    )


def outgoing(letter: DeadLetter) -> Outgoing:
    """The record to append, keyed by the topic that the refused record came from."""
    return Outgoing(TOPIC, letter.topic.encode(), encode(letter))


def refusal(record: Record, reason: str, *, now: datetime) -> Outgoing:
    """The dead letter of a record that was refused, ready to append."""
    return outgoing(dead_letter_of(record, reason, now=now))


def read_dead_letters(log: Log) -> Iterator[tuple[Position, DeadLetter]]:
    """All dead letters up to now, oldest first; any other record on their topic is passed over."""
    for record, event in events_until_end(log, TOPIC):
        if isinstance(event, DeadLetter):
            yield record.position, event


def replay(log: Log, letter: DeadLetter) -> Position:
    """Append the refused record to its topic and partition again, whole; gives its new position.

    For records that a newer build can read. Readers see it after all that was appended since, and drop it
    where they have handled its event id already. Raises `PositionLostError` where the rest of a truncated
    record is no longer in the log.
    """
    key, value = letter.key or b"", letter.value
    if letter.truncated:
        key, value = _original(log, letter)
    (position,) = log.append([Outgoing(letter.topic, key, value, letter.partition)])
    return position


def _original(log: Log, letter: DeadLetter) -> tuple[bytes, bytes | None]:
    place = TopicPartition(letter.topic, letter.partition)
    for record in records_between(log, place, letter.offset, letter.offset + 1):
        return record.key, record.value
    raise PositionLostError(f"the record at {letter.topic}/{letter.partition}/{letter.offset} is gone")
