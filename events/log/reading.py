"""Reading a log to its present end, and the events in its records."""

import time
from collections.abc import Iterator
from contextlib import closing

from events.codec import decode
from events.errors import UnreadableEventError
from events.log.port import Log, Reader, Record, TopicPartition
from events.types import Event

WAIT_SECONDS = 10.0
"""For one batch of records that the log says it has: a broker under load may take a while."""

_BATCH_RECORDS = 1_000


def events_until_end(log: Log, topic: str, mentioning: str = "") -> Iterator[tuple[Record, Event]]:
    """Every readable event of a topic with its record, partition by partition, up to its present end.

    `mentioning` spares the decoding of records that do not hold that text.
    """
    needle = mentioning.encode()
    for number, (start, end) in enumerate(zip(log.starts(topic), log.ends(topic), strict=True)):
        for record in records_between(log, TopicPartition(topic, number), start, end):
            if needle in (record.value or b"") and (event := readable(record)) is not None:
                yield record, event


def records_between(log: Log, place: TopicPartition, start: int, end: int) -> Iterator[Record]:
    """The records of one partition from `start` to before `end`, however many are missing between.

    A broker may hold nothing any more at the last offsets (a deletion that ran out, a transaction's end):
    they are waited for (`WAIT_SECONDS`) in vain. The embedded log keeps a partition's last record.
    """
    if start >= end:
        return
    with closing(log.reader({place: start})) as reader:
        while records := _next(reader):
            for record in records:
                if record.offset < end:
                    yield record
            if records[-1].offset + 1 >= end:
                return


def readable(record: Record) -> Event | None:
    """The record's event; None where this build cannot read it, which is for the dead letters to tell."""
    try:
        return decode(record.value)
    except UnreadableEventError:
        return None


def _next(reader: Reader) -> list[Record]:
    """The next records. A poll may come back early with none: a broker's leader has just moved."""
    deadline = time.monotonic() + WAIT_SECONDS
    while not (records := reader.poll(_BATCH_RECORDS, max(0.0, deadline - time.monotonic()))):
        if time.monotonic() >= deadline:
            break
    return records
