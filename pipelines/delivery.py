"""What a flow's source hands to its step: records with their events."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from events.codec import decode
from events.errors import UnreadableEventError
from events.log.port import Record, TopicPartition
from events.types import Event


class Delivered(NamedTuple):
    """A record with its event, or with the reason why it has none (a key's deletion has neither)."""

    record: Record
    event: Event | None
    reason: str | None = None


class Batch(NamedTuple):
    """Records in the order in which a flow takes them in.

    `labels_until_us`: every label up to that event time has been delivered by now (None: nobody knows).
    `number`: batches are counted from 1; `reached`: the next offset of each partition, once this is taken in.
    """

    delivered: list[Delivered]
    labels_until_us: int | None = None
    number: int = 0
    reached: Mapping[TopicPartition, int] = MappingProxyType({})


def delivered(record: Record) -> Delivered:
    """Decode; what cannot be decoded keeps its place, so that it can be refused in order."""
    if record.value is None:
        return Delivered(record, None)
    try:
        return Delivered(record, decode(record.value))
    except UnreadableEventError as error:
        return Delivered(record, None, error.reason)
