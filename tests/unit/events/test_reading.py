"""Reading a log to its present end: every readable event once, and nothing that came after the look."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime

import pytest

from events.codec import encode
from events.log import open_log
from events.log.port import Log, Outgoing, TopicPartition
from events.log.reading import events_until_end, records_between
from events.topics import TOPICS
from events.types import LabelReported

NOW = datetime(2026, 1, 5, 10, tzinfo=UTC)
PARTITIONS = TOPICS["labels"].partitions


@pytest.fixture
def log(sqlite_url: str) -> Iterator[Log]:
    with closing(open_log(sqlite_url)) as opened:
        yield opened


def label(number: int) -> Outgoing:
    event = LabelReported(
        id=f"l{number}",
        occurred_at=NOW,
        payment_id=f"pi_{number}",
        kind="matured",
        source="horizon",
        fraud=False,
        mode="test",
    )
    return Outgoing("labels", event.payment_id.encode(), encode(event), number % PARTITIONS)


def numbers(log: Log, mentioning: str = "") -> list[str]:
    return [event.id for _, event in events_until_end(log, "labels", mentioning)]


def test_every_partition_is_read_to_its_end_past_what_cannot_be_read(log: Log) -> None:
    for number in range(30):
        log.append([label(number), Outgoing("labels", b"k", b"{", number % PARTITIONS)])
    log.append([Outgoing("labels", b"k", None, 0)])

    assert sorted(numbers(log)) == sorted(f"l{number}" for number in range(30))


def test_an_empty_topic_has_no_events_and_is_not_waited_for(log: Log) -> None:
    assert numbers(log) == []


def test_only_records_that_mention_a_text_are_decoded(log: Log) -> None:
    log.append([label(number) for number in range(20)])

    assert numbers(log, "pi_7") == ["l7"]


def test_what_is_appended_while_reading_does_not_come(log: Log) -> None:
    log.append([label(0), label(PARTITIONS)])
    reading = events_until_end(log, "labels")

    first = next(reading)[1].id
    log.append([label(2 * PARTITIONS)])

    assert [first, *(event.id for _, event in reading)] == ["l0", f"l{PARTITIONS}"]


def test_records_are_read_up_to_an_end_and_none_at_or_behind_it(log: Log) -> None:
    log.append([label(number * PARTITIONS) for number in range(5)])
    place = TopicPartition("labels", 0)

    assert [record.offset for record in records_between(log, place, 1, 4)] == [1, 2, 3]
    assert list(records_between(log, place, 5, 5)) == []
