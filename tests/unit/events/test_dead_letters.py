"""Dead letters: what could not be read is kept, bounded, read back, and replayed whole."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from events.codec import decode, encode
from events.commands import app
from events.dead_letters import (
    REASON_CHARACTERS_MAX,
    RECORD_BYTES_KEPT_MAX,
    dead_letter_of,
    outgoing,
    read_dead_letters,
    replay,
)
from events.log import open_log
from events.log.port import Log, Outgoing, Record, TopicPartition

NOW = datetime(2026, 1, 5, 10, tzinfo=UTC)


@pytest.fixture
def log(sqlite_url: str) -> Iterator[Log]:
    with closing(open_log(sqlite_url)) as opened:
        yield opened


def refused(log: Log, value: bytes | None, topic: str = "payments") -> Record:
    """A poison record, appended and read again."""
    (position,) = log.append([Outgoing(topic, b"pi_1", value)])
    with closing(log.reader({TopicPartition(topic, position.partition): position.offset})) as reader:
        (record,) = reader.poll(1, 5)
    return record


def bury(log: Log, record: Record, reason: str = "the event type is unknown to this build") -> None:
    log.append([outgoing(dead_letter_of(record, reason, now=NOW))])


def last_record(log: Log, topic: str, partition: int) -> Record:
    start = {TopicPartition(topic, partition): log.ends(topic)[partition] - 1}
    with closing(log.reader(start)) as reader:
        (record,) = reader.poll(1, 5)
    return record


@pytest.mark.parametrize("value", [b'{"type":"gossip"}', b"\xff\x00", b"", None])
def test_a_dead_letter_says_where_why_and_what_and_survives_the_codec(log: Log, value: bytes | None) -> None:
    record = refused(log, value)

    letter = dead_letter_of(record, "no reason", now=NOW)

    assert decode(encode(letter)) == letter
    assert (letter.topic, letter.partition, letter.offset) == tuple(record.position)
    assert (letter.key, letter.value, letter.reason) == (b"pi_1", value, "no reason")
    assert letter.occurred_at == NOW
    assert not letter.truncated


def test_a_record_refused_twice_makes_the_same_event(log: Log) -> None:
    record = refused(log, b"poison")

    assert dead_letter_of(record, "a", now=NOW).id == dead_letter_of(record, "b", now=NOW).id
    assert dead_letter_of(refused(log, b"poison"), "a", now=NOW).id != dead_letter_of(record, "a", now=NOW).id


def test_a_dead_letter_is_bounded_however_large_its_record() -> None:
    record = Record("payments", 0, 7, bytes(10), bytes(4_000_000))

    letter = dead_letter_of(record, "x" * 10_000, now=NOW)

    assert letter.truncated
    assert len(letter.key or b"") + len(letter.value or b"") == RECORD_BYTES_KEPT_MAX
    assert len(letter.reason) == REASON_CHARACTERS_MAX
    assert len(encode(letter)) < 2 * RECORD_BYTES_KEPT_MAX


def test_dead_letters_are_read_back_oldest_first_past_other_records(log: Log) -> None:
    for number in range(3):
        bury(log, refused(log, b"poison"), reason=f"reason {number}")
        log.append([Outgoing("dead-letters", b"payments", b"poison itself")])

    assert [letter.reason for _, letter in read_dead_letters(log)] == ["reason 0", "reason 1", "reason 2"]


@pytest.mark.parametrize("value", [b"poison", b"p" * 300_000, None])
def test_a_replayed_record_comes_again_whole_in_its_own_partition(log: Log, value: bytes | None) -> None:
    record = refused(log, value)
    bury(log, record)
    ((_, letter),) = read_dead_letters(log)

    position = replay(log, letter)

    assert position.partition == record.partition
    assert position.offset == record.offset + 1
    again = last_record(log, "payments", record.partition)
    assert (again.key, again.value) == (record.key, record.value)


def test_the_commands_list_what_was_refused_and_replay_what_is_chosen(log: Log, sqlite_url: str) -> None:
    bury(log, refused(log, b"poison"), reason="the first")
    bury(log, refused(log, b"poison", topic="labels"), reason="the second")

    listed = CliRunner().invoke(app, ["dead-letters", "list", "--log", sqlite_url]).output
    replayed = CliRunner().invoke(app, ["dead-letters", "replay", "--log", sqlite_url, "1"]).output

    assert [line.split("bytes")[1].strip() for line in listed.splitlines()] == ["the first", "the second"]
    assert replayed.startswith("1: replayed to labels/")
    assert sum(log.ends("payments")) == 1
    assert sum(log.ends("labels")) == 2


def test_replaying_asks_which_and_can_take_all_of_a_topic(log: Log, sqlite_url: str) -> None:
    for topic in ("payments", "labels", "payments"):
        bury(log, refused(log, b"poison", topic=topic))

    asked = CliRunner().invoke(app, ["dead-letters", "replay", "--log", sqlite_url])
    command = ["dead-letters", "replay", "--log", sqlite_url, "--all", "--topic", "payments"]
    replayed = CliRunner().invoke(app, command)

    assert asked.exit_code == 2
    assert len(replayed.output.splitlines()) == 2
    assert (sum(log.ends("payments")), sum(log.ends("labels"))) == (4, 1)


def test_no_dead_letters_are_said_to_be_none(log: Log, sqlite_url: str) -> None:
    for words in (["list"], ["replay", "--all"]):
        told = CliRunner().invoke(app, ["dead-letters", *words, "--log", sqlite_url])

        assert (told.exit_code, told.output) == (0, "No dead letters.\n")


def test_a_number_that_no_dead_letter_has_is_refused_and_nothing_is_replayed(
    log: Log, sqlite_url: str
) -> None:
    bury(log, refused(log, b"poison"))

    told = CliRunner().invoke(app, ["dead-letters", "replay", "0", "5", "--log", sqlite_url])

    assert told.exit_code == 1
    assert "no dead letter has number 5" in told.output
    assert sum(log.ends("payments")) == 1


def test_the_log_of_a_home_is_found_without_its_url(tmp_path: Path) -> None:
    with closing(open_log(f"sqlite:///{tmp_path}/log.sqlite")):
        listed = CliRunner().invoke(app, ["dead-letters", "list", "--home", str(tmp_path)])
        reaching = CliRunner().invoke(app, ["topics", "--home", str(tmp_path)])

    assert listed.output == "No dead letters.\n"
    assert "0: 0–0" in reaching.output


def test_the_topics_are_listed_with_how_far_a_log_reaches(log: Log, sqlite_url: str) -> None:
    log.append([Outgoing("audit", b"someone", b"value") for _ in range(12)])

    declared = CliRunner().invoke(app, ["topics"]).output
    reaching = CliRunner().invoke(app, ["topics", "--log", sqlite_url]).output

    head, *rows = declared.splitlines()
    (models,) = [row for row in rows if row.startswith("models")]
    assert [models.index("1 × name"), models.index("kept last of each key"), models.index("model snap")] == [
        head.index(column) for column in ("partitions × key", "retention", "meaning")
    ]
    assert "by partition: first offset–next offset. An acknowledged record survives" in reaching
    assert "0: 0–12" in reaching
    assert log.durability.words[1:] in reaching


def test_a_log_that_is_not_there_is_named_and_not_made(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["topics", "--log", f"sqlite:///{tmp_path}/nowhere/log.sqlite"])

    assert result.exit_code == 1
    assert "nowhere" in result.output
    assert not (tmp_path / "nowhere").exists()
