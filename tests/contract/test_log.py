"""What every log promises, held against each adapter: the embedded one, and Kafka with both its producers.

The log in memory, on which other tests stand, is held to what one process can see.
"""

import os
import random
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource

from events.errors import LogUnusableError, PositionLostError, RecordTooLargeError, UnknownTopicError
from events.log import open_log
from events.log.partitioner import partition_of
from events.log.port import Log, Outgoing, Position, Reader, Record, TopicPartition
from events.topics import PARTITIONS, RECORD_BYTES_MAX
from tests.memory_log import MemoryLog

ROOT = Path(__file__).parents[2]
SECONDS_MAX = 120
PATIENT_SECONDS = 30.0
KAFKA = pytest.mark.kafka


SHARED = ["sqlite", pytest.param("kafka", marks=KAFKA), pytest.param("kafka+python", marks=KAFKA)]


def url_of(kind: str, request: pytest.FixtureRequest) -> str:
    if kind == "sqlite":
        return str(request.getfixturevalue("sqlite_url"))
    return str(request.getfixturevalue("kafka_url")).replace("kafka://", f"{kind}://")


@pytest.fixture(params=SHARED)
def url(request: pytest.FixtureRequest) -> str:
    """Of a log that several processes may open."""
    return url_of(request.param, request)


@pytest.fixture
def shared_log(url: str) -> Iterator[Log]:
    opened = open_log(url, append_seconds_max=PATIENT_SECONDS)
    yield opened
    opened.close()


@pytest.fixture(params=["memory", *SHARED])
def log(request: pytest.FixtureRequest) -> Iterator[Log]:
    in_memory = request.param == "memory"
    opened: Log = (
        MemoryLog()
        if in_memory
        else open_log(url_of(request.param, request), append_seconds_max=PATIENT_SECONDS)
    )
    yield opened
    opened.close()


def payment(key: bytes, value: bytes | None) -> Outgoing:
    return Outgoing("payments", key, value)


def everywhere(log: Log, topic: str = "payments") -> dict[TopicPartition, int]:
    return {TopicPartition(topic, number): first for number, first in enumerate(log.starts(topic))}


def read_to_the_end(log: Log, start: dict[TopicPartition, int], limit: int = 100) -> list[Record]:
    """All records from `start` up to what the ends are now."""
    topic = next(iter(start)).topic
    ends = log.ends(topic)
    behind = {partition for partition, offset in start.items() if offset < ends[partition.partition]}
    reader = log.reader(start)
    records: list[Record] = []
    deadline = time.monotonic() + SECONDS_MAX
    while behind and time.monotonic() < deadline:
        for record in reader.poll(limit, 1.0):
            records.append(record)
            if record.offset + 1 >= ends[record.partition]:
                behind.discard(TopicPartition(record.topic, record.partition))
    reader.close()
    assert not behind, "the reader did not come to the end"
    return records


def values(records: Sequence[Record]) -> list[bytes | None]:
    return [record.value for record in records]


def start_process(
    url: str, *arguments: str, environment: dict[str, str] | None = None
) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.log_process", *arguments, "--log", url]
    environment = {**os.environ, **(environment or {})}
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)


def output(process: subprocess.Popen[str]) -> list[str]:
    printed, _ = process.communicate(timeout=SECONDS_MAX)
    return printed.split("\n")[:-1]


def test_records_of_one_key_are_read_in_the_order_of_their_appending(log: Log) -> None:
    for number in range(0, 60, 3):
        log.append([payment(b"card", str(each).encode()) for each in range(number, number + 3)])

    records = read_to_the_end(log, everywhere(log))

    assert [int(value or b"") for value in values(records)] == list(range(60))
    assert [record.offset for record in records] == sorted({record.offset for record in records})


def test_append_tells_each_record_its_position(log: Log) -> None:
    positions = log.append([payment(f"card{number}".encode(), str(number).encode()) for number in range(40)])

    found = {record.position: record.value for record in read_to_the_end(log, everywhere(log))}

    assert [found[position] for position in positions] == [str(number).encode() for number in range(40)]
    assert [position.partition for position in positions] == [
        partition_of(f"card{number}".encode(), PARTITIONS) for number in range(40)
    ]


def test_keys_and_values_come_back_byte_by_byte(log: Log) -> None:
    sent = [payment(b"", b""), payment(b"\x00\xff", None), payment("é".encode(), bytes(range(256)))]

    log.append([each._replace(partition=2) for each in sent])

    records = read_to_the_end(log, everywhere(log))
    assert [(record.key, record.value) for record in records] == [(each.key, each.value) for each in sent]


@KAFKA
def test_a_key_falls_into_the_same_partition_in_sqlite_kafka_python_and_confluent_kafka(
    sqlite_url: str, kafka_url: str
) -> None:
    randomness = random.Random(7)
    keys = [b"", b"\x00", "ключ".encode(), *(b"card%d" % number for number in range(100))]
    keys += [randomness.randbytes(length) for length in range(1, 100)]

    chosen = []
    for url in (sqlite_url, kafka_url, kafka_url.replace("kafka://", "kafka+python://")):
        log = open_log(url, append_seconds_max=PATIENT_SECONDS)
        chosen.append([position.partition for position in log.append([payment(key, b"") for key in keys])])
        log.close()

    assert chosen[0] == chosen[1] == chosen[2]
    assert set(chosen[0]) == set(range(PARTITIONS))


def test_a_given_partition_overrules_the_key(log: Log) -> None:
    (position,) = log.append([Outgoing("decisions", b"card", b"answer", partition=5)])

    assert position == Position("decisions", 5, 0)
    assert log.ends("decisions")[5] == 1


def test_ends_are_where_the_next_records_go(log: Log) -> None:
    assert log.starts("payments") == log.ends("payments") == [0] * PARTITIONS
    log.append([payment(b"card", b"1"), payment(b"card", b"2")])
    end = log.ends("payments")[partition_of(b"card", PARTITIONS)]

    (position,) = log.append([payment(b"card", b"3")])

    assert position.offset == end == 2


def test_a_reader_begins_at_the_position_it_is_given(log: Log) -> None:
    positions = log.append([payment(b"card", str(number).encode()) for number in range(10)])
    fourth = positions[4]

    records = read_to_the_end(log, {TopicPartition(fourth.topic, fourth.partition): fourth.offset})

    assert values(records) == [b"4", b"5", b"6", b"7", b"8", b"9"]


def test_a_reader_at_the_end_waits_for_what_comes(log: Log) -> None:
    log.append([payment(b"card", b"before")])
    place = TopicPartition("payments", partition_of(b"card", PARTITIONS))
    reader = log.reader({place: log.ends("payments")[place.partition]})
    assert reader.poll(10, 0.3) == []

    log.append([payment(b"card", b"after")])

    records: list[Record] = []
    deadline = time.monotonic() + SECONDS_MAX
    while not records and time.monotonic() < deadline:
        records = reader.poll(10, 0.2)
    reader.close()
    assert values(records) == [b"after"]


def test_a_poll_gives_at_most_its_limit_and_starves_no_partition(log: Log) -> None:
    for partition in range(PARTITIONS):
        log.append([Outgoing("payments", b"card", b"value", partition) for _ in range(40)])
    reader = log.reader(everywhere(log))

    polled: list[list[Record]] = []
    deadline = time.monotonic() + SECONDS_MAX
    while sum(map(len, polled)) < 40 * PARTITIONS and time.monotonic() < deadline:
        polled.append(reader.poll(25, 1.0))
    reader.close()

    assert max(map(len, polled)) <= 25
    offsets = defaultdict(list)
    for record in (record for records in polled for record in records):
        offsets[record.partition].append(record.offset)
    assert offsets == {partition: list(range(40)) for partition in range(PARTITIONS)}


@pytest.mark.parametrize("offset", [2, 1000, -1])
def test_a_position_that_is_not_in_the_log_is_reported_as_lost(log: Log, offset: int) -> None:
    log.append([Outgoing("payments", b"card", b"value", partition=0)])
    reader = log.reader({TopicPartition("payments", 0): offset})

    with pytest.raises(PositionLostError, match="payments"):
        poll_until_something_happens(reader)
    reader.close()


def poll_until_something_happens(reader: Reader) -> None:
    deadline = time.monotonic() + SECONDS_MAX
    while time.monotonic() < deadline and not reader.poll(10, 0.5):
        pass


def test_an_undeclared_topic_or_partition_is_refused_before_anything_is_written(log: Log) -> None:
    for stranger in (Outgoing("gossip", b"k", b"v"), Outgoing("payments", b"k", b"v", PARTITIONS)):
        with pytest.raises(UnknownTopicError):
            log.append([payment(b"card", b"value"), stranger])

    assert log.ends("payments") == [0] * PARTITIONS


def test_whoever_asks_for_an_undeclared_topic_or_partition_is_refused(log: Log) -> None:
    for stranger in (TopicPartition("gossip", 0), TopicPartition("payments", PARTITIONS)):
        with pytest.raises(UnknownTopicError):
            log.reader({stranger: 0})
    for asked in (log.starts, log.ends):
        with pytest.raises(UnknownTopicError):
            asked("gossip")


def test_a_log_that_was_damaged_while_open_is_unusable_to_append_poll_and_ends(tmp_path: Path) -> None:
    """The embedded log alone: a broker that damages its own files does not say so."""
    path = tmp_path / "log.sqlite"
    log = open_log(f"sqlite:///{path}")
    reader = log.reader(everywhere(log))
    for file in (path, path.with_name("log.sqlite-wal"), path.with_name("log.sqlite-shm")):
        file.write_bytes(b"no log at all " * 4096)

    for asked in (
        lambda: log.append([payment(b"card", b"value")]),
        lambda: reader.poll(10, 0.1),
        lambda: log.ends("payments"),
        lambda: log.reader(everywhere(log)).poll(10, 0.1),
    ):
        with pytest.raises(LogUnusableError, match="damaged or no log"):
            asked()


def test_the_largest_record_fits_and_one_byte_more_does_not(log: Log) -> None:
    log.append([payment(b"card", bytes(RECORD_BYTES_MAX - 4))])

    with pytest.raises(RecordTooLargeError):
        log.append([payment(b"card", b"small"), payment(b"card", bytes(RECORD_BYTES_MAX - 3))])

    (record,) = read_to_the_end(log, everywhere(log))
    assert record.value == bytes(RECORD_BYTES_MAX - 4)


def test_what_was_appended_is_there_after_closing_and_opening_again(url: str) -> None:
    for number in range(3):
        log = open_log(url, append_seconds_max=PATIENT_SECONDS)
        log.append([payment(b"card", str(number).encode())])
        log.close()

    log = open_log(url, append_seconds_max=PATIENT_SECONDS)
    assert values(read_to_the_end(log, everywhere(log))) == [b"0", b"1", b"2"]
    log.close()


def test_a_log_says_what_an_acknowledgement_survives(shared_log: Log) -> None:
    assert shared_log.durability.words.startswith("an acknowledged record survives")
    assert not shared_log.durability.is_weak


def test_compaction_keeps_the_last_record_of_each_key_at_its_position(shared_log: Log, url: str) -> None:
    hasten_compaction(url)
    kept: dict[bytes, Position] = {}
    for number in range(20):
        sent = [Outgoing("controls", b"rule", b"%d" % number), Outgoing("controls", b"list", b"%d" % number)]
        kept.update(zip((b"rule", b"list"), shared_log.append(sent), strict=True))
    start = everywhere(shared_log, "controls")

    deadline = time.monotonic() + SECONDS_MAX
    records = read_to_the_end(shared_log, start)
    while len([r for r in records if r.key == b"rule"]) > 1 and time.monotonic() < deadline:
        shared_log.append([Outgoing("controls", b"other", bytes(1000)) for _ in range(10)])
        records = read_to_the_end(shared_log, start)

    last = {record.key: record for record in records if record.key != b"other"}
    assert {key: record.position for key, record in last.items()} == kept
    assert {record.value for record in last.values()} == {b"19"}
    assert len([record for record in records if record.key == b"rule"]) == 1
    # A position that compaction has removed is still one to read from.
    assert read_to_the_end(shared_log, {TopicPartition("controls", 0): 1})[0].position == kept[b"rule"]


def hasten_compaction(url: str) -> None:
    """Let a broker compact within seconds what it would in days; the embedded log needs no word."""
    scheme, _, rest = url.partition("://")
    if scheme == "sqlite":
        return
    bootstrap, prefix = rest.split("/")
    wanted = {"segment.ms": "100", "min.cleanable.dirty.ratio": "0.01", "max.compaction.lag.ms": "100"}
    entries = [
        ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET)
        for name, value in wanted.items()
    ]
    topic = ConfigResource(ConfigResource.Type.TOPIC, f"{prefix}.controls", incremental_configs=entries)
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for altered in admin.incremental_alter_configs([topic]).values():
        altered.result()


def test_many_processes_write_and_read_at_once_and_agree_on_one_order(shared_log: Log, url: str) -> None:
    writers = [
        start_process(url, "write", "--name", f"w{n}", "--count", "40", "--threads", "2") for n in range(3)
    ]
    readers = [start_process(url, "read", "--count", "240") for _ in range(2)]

    acknowledged = [line for writer in writers for line in output(writer)]
    by_reader = [sorted(line.split() for line in output(reader)) for reader in readers]

    assert [process.returncode for process in (*writers, *readers)] == [0] * 5
    assert by_reader[0] == by_reader[1]
    assert sorted(value for _, _, value in by_reader[0]) == sorted(acknowledged)
    in_order = defaultdict(list)
    for record in read_to_the_end(shared_log, everywhere(shared_log)):
        name, _, number = (record.value or b"").decode().rpartition("-")
        in_order[name].append(int(number))
    assert in_order == {f"w{n}-{thread}": list(range(40)) for n in range(3) for thread in range(2)}


def test_kill_9_in_mid_append_loses_nothing_acknowledged_and_writes_nothing_twice(
    shared_log: Log, url: str
) -> None:
    writer = start_process(url, "write", "--count", "100000", "--threads", "4")
    assert writer.stdout is not None
    acknowledged = [writer.stdout.readline().strip() for _ in range(150)]
    writer.send_signal(signal.SIGKILL)
    acknowledged += output(writer)
    (position,) = shared_log.append([payment(b"after", b"after-0-0")])

    records = read_to_the_end(shared_log, everywhere(shared_log))

    found = [(record.value or b"").decode() for record in records]
    assert len(found) == len(set(found))
    assert set(acknowledged) <= set(found)
    # Besides what was acknowledged, at most the record that each thread was appending.
    assert len(set(found) - set(acknowledged) - {"after-0-0"}) <= 4
    # A broker may still take what the dead writer had sent, so that this is not always the last.
    assert [r.value for r in records if r.position == position] == [b"after-0-0"]


@pytest.mark.parametrize("passing", [1, 7])
@pytest.mark.parametrize(("point", "is_there"), [("before", False), ("after", True)])
def test_a_writer_that_dies_at_a_crash_point_leaves_all_or_nothing_of_its_call(
    shared_log: Log, url: str, point: str, passing: int, is_there: bool
) -> None:
    kind = url.partition(":")[0].partition("+")[0]
    names = {"sqlite": ("writing", "committed"), "kafka": ("sending", "acknowledged")}[kind]
    name = f"log.{kind}.{names[point == 'after']}"

    writer = start_process(url, "write", "--count", "20", environment={"WEIR_CRASH_AT": f"{name}:{passing}"})
    acknowledged = output(writer)

    assert writer.returncode == -signal.SIGKILL
    assert acknowledged == [f"w-0-{number}" for number in range(passing - 1)]
    found = [(record.value or b"").decode() for record in read_to_the_end(shared_log, everywhere(shared_log))]
    assert found == [f"w-0-{number}" for number in range(passing - 1 + is_there)]
