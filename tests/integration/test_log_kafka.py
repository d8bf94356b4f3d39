"""The log on Kafka where brokers die, hang, sync, and hold topics that were set up otherwise."""

import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing
from os import kill
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from events.errors import LogError, LogUnavailableError, LogUnusableError
from events.log import open_log
from events.log.kafka_topics import durability_of
from events.log.opening import APPEND_SECONDS_MAX
from events.log.port import Log, Outgoing, Reader, TopicPartition
from events.topics import TOPICS
from simulator.kafka.broker import Broker
from tests.conftest import require_a_local_broker

pytestmark = [
    # kafka-python leaves the sockets of failed connections to the garbage collector.
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
]
SECONDS_MAX = 120
PATIENT_SECONDS = 30.0
BRIEF_SECONDS = 3.0
SLACK_SECONDS = 20.0
"""How much later than promised a loaded machine may notice that the time is over."""

PLACE = TopicPartition("payments", 0)
BOTH = pytest.mark.parametrize("scheme", ["kafka", "kafka+python"])


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker of this module's own, to be killed."""
    require_a_local_broker()
    own = Broker(tmp_path_factory.mktemp("broker"))
    own.start()
    yield own
    own.stop()


@pytest.fixture
def running(broker: Broker, request: pytest.FixtureRequest) -> Iterator[str]:
    """Where the broker serves, and a prefix for the test; it runs again afterwards whatever the test does."""
    if broker.pid is None:
        broker.start()
    yield f"{broker.bootstrap}/{abs(hash(request.node.name)):x}"
    if broker.pid is not None:
        kill(broker.pid, signal.SIGCONT)


def record(value: bytes | str) -> Outgoing:
    return Outgoing("payments", b"card", value if isinstance(value, bytes) else value.encode(), partition=0)


def acknowledged(log: Log, values: list[str]) -> list[str]:
    """Append one after the other; those that were acknowledged."""
    taken = []
    for value in values:
        try:
            log.append([record(value)])
        except LogUnavailableError:
            continue
        taken.append(value)
    return taken


def everything(log: Log) -> list[str]:
    end = log.ends("payments")[0]
    with closing(log.reader({PLACE: 0})) as reader:
        return polled(reader, until=end)


def polled(reader: Reader, *, until: int) -> list[str]:
    values: list[str] = []
    offset = 0
    deadline = time.monotonic() + SECONDS_MAX
    while offset < until and time.monotonic() < deadline:
        for each in reader.poll(100, 0.5):
            values.append((each.value or b"").decode())
            offset = each.offset + 1
    assert offset >= until
    return values


def eventually_appended(log: Log, value: str) -> None:
    """Append as often as it takes a broker that has just come back."""
    deadline = time.monotonic() + SECONDS_MAX
    while not acknowledged(log, [value]):
        assert time.monotonic() < deadline


@pytest.mark.kafka
@BOTH
def test_a_broker_that_died_is_reported_within_the_deadline_and_loses_nothing(
    broker: Broker, running: str, scheme: str
) -> None:
    open_log(f"{scheme}://{running}", append_seconds_max=PATIENT_SECONDS).close()
    with closing(open_log(f"{scheme}://{running}", append_seconds_max=BRIEF_SECONDS)) as log:
        eventually_appended(log, "first")
        before = acknowledged(log, [f"before-{number}" for number in range(30)])
        broker.kill()

        begun = time.monotonic()
        with pytest.raises(LogUnavailableError):
            log.append([record("while it is away")])
        waited_seconds = time.monotonic() - begun
        broker.start()
        eventually_appended(log, "after")
        found = everything(log)

    assert waited_seconds < BRIEF_SECONDS + SLACK_SECONDS
    once = [value for value in found if value.startswith("before")]
    assert set(before) <= set(once)
    assert len(once) == len(set(once)), "the client's retries must not write twice"
    assert found[-1] == "after"


@pytest.mark.kafka
def test_whoever_has_patience_waits_for_the_broker_and_goes_on_when_it_is_back(
    broker: Broker, running: str
) -> None:
    url = f"kafka://{running}"
    with (
        closing(open_log(url, append_seconds_max=SECONDS_MAX)) as log,
        closing(log.reader({PLACE: 0})) as reader,
        ThreadPoolExecutor(2) as pool,
    ):
        log.append([record("before")])
        read = polled(reader, until=1)
        broker.kill()
        appending = pool.submit(log.append, [record("while it is away"), record("and after that")])
        opening = pool.submit(open_log, url, append_seconds_max=SECONDS_MAX)
        # For longer than others wait, and than one try to open takes.
        assert wait([appending, opening], timeout=APPEND_SECONDS_MAX + 1.0).done == set()
        assert reader.poll(10, 0.0) == []
        broker.start()
        positions = appending.result(SECONDS_MAX)
        read += polled(reader, until=3)

        with closing(opening.result(SECONDS_MAX)) as another:
            assert everything(another) == read == ["before", "while it is away", "and after that"]
    assert [position.offset for position in positions] == [1, 2]


@pytest.mark.kafka
@BOTH
def test_a_broker_that_hangs_is_reported_within_the_deadline(
    broker: Broker, running: str, scheme: str
) -> None:
    open_log(f"{scheme}://{running}", append_seconds_max=PATIENT_SECONDS).close()
    with closing(open_log(f"{scheme}://{running}", append_seconds_max=BRIEF_SECONDS)) as log:
        eventually_appended(log, "first")
        assert broker.pid is not None
        kill(broker.pid, signal.SIGSTOP)

        begun = time.monotonic()
        with pytest.raises(LogUnavailableError):
            log.append([record("while it hangs")])
        waited_seconds = time.monotonic() - begun
        kill(broker.pid, signal.SIGCONT)
        eventually_appended(log, "after")

    assert waited_seconds < BRIEF_SECONDS + SLACK_SECONDS


@pytest.mark.kafka
def test_a_reader_says_that_the_broker_is_away_and_goes_on_where_it_was(broker: Broker, running: str) -> None:
    url = f"kafka://{running}"
    open_log(url, append_seconds_max=PATIENT_SECONDS).close()
    with (
        closing(open_log(url, append_seconds_max=BRIEF_SECONDS)) as log,
        closing(log.reader({PLACE: 0})) as reader,
    ):
        for number in range(5):
            eventually_appended(log, f"before-{number}")
        reached = log.ends("payments")[0]
        read = polled(reader, until=reached)
        broker.kill()

        with pytest.raises(LogUnavailableError):
            poll_in_vain(reader)
        broker.start()
        eventually_appended(log, "after")
        read += polled_again(reader, until=log.ends("payments")[0])

        assert read == everything(log)


def poll_in_vain(reader: Reader) -> None:
    deadline = time.monotonic() + SECONDS_MAX
    while time.monotonic() < deadline:
        assert reader.poll(10, 0.5) == []


def polled_again(reader: Reader, *, until: int) -> list[str]:
    """As a flow does whose reader failed for a while: it polls again."""
    deadline = time.monotonic() + SECONDS_MAX
    while True:
        try:
            return polled(reader, until=until)
        except LogUnavailableError:
            assert time.monotonic() < deadline


@pytest.mark.kafka
def test_a_single_broker_syncs_before_it_acknowledges(broker: Broker, running: str, tmp_path: Path) -> None:
    appends = 10
    with closing(open_log(f"kafka://{running}", append_seconds_max=PATIENT_SECONDS)) as log:
        log.append([record("warm")])
        calls = tmp_path / "syncs"
        command = [
            "strace",
            "-f",
            "-y",
            "-e",
            "trace=fsync,fdatasync",
            "-o",
            str(calls),
            "-p",
            str(broker.pid),
        ]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracer:
            assert tracer.stderr is not None
            assert "attached" in tracer.stderr.readline()
            for number in range(appends):
                log.append([record(str(number))])
            tracer.terminate()

    syncs = [line for line in calls.read_text().splitlines() if "payments-0/" in line and "sync(" in line]
    assert len([line for line in syncs if ".log" in line]) >= appends


@pytest.mark.kafka
def test_a_missing_broker_is_reported_within_the_deadline() -> None:
    begun = time.monotonic()

    with pytest.raises(LogUnavailableError, match="no Kafka broker can be reached"):
        open_log("kafka://127.0.0.1:1", append_seconds_max=BRIEF_SECONDS)

    assert time.monotonic() - begun < BRIEF_SECONDS + SLACK_SECONDS


@pytest.mark.kafka
def test_a_log_that_must_not_be_made_is_reported_as_missing(kafka_url: str) -> None:
    with pytest.raises(LogUnavailableError, match="has no topic"):
        open_log(kafka_url, append_seconds_max=PATIENT_SECONDS, create=False)

    open_log(kafka_url, append_seconds_max=PATIENT_SECONDS).close()
    open_log(kafka_url, append_seconds_max=PATIENT_SECONDS, create=False).close()


def make_topic(kafka_url: str, name: str, *, partitions: int = 8, **config: str) -> None:
    """A topic that someone set up before."""
    bootstrap, prefix = kafka_url.removeprefix("kafka://").split("/")
    admin = AdminClient({"bootstrap.servers": bootstrap})
    settings = {setting.replace("_", "."): value for setting, value in config.items()}
    topic = NewTopic(f"{prefix}.{name}", partitions, 1, config=settings)
    for made in admin.create_topics([topic]).values():
        made.result()


@pytest.mark.kafka
def test_a_topic_that_is_neither_synced_nor_replicated_is_called_weak(kafka_url: str) -> None:
    make_topic(kafka_url, "payments", flush_messages="10000")

    with closing(open_log(kafka_url, append_seconds_max=PATIENT_SECONDS)) as log:
        assert log.durability.is_weak
        assert log.durability.words.endswith(".payments")


@pytest.mark.kafka
@pytest.mark.parametrize(
    ("name", "partitions", "config", "said"),
    [
        ("payments", 8, {"min_insync_replicas": "2"}, "1 replicas, fewer than the 2"),
        ("payments", 5, {}, "5 partitions, declared are 8"),
        ("models", 1, {"cleanup_policy": "delete"}, "cleanup.policy=delete"),
        ("payments", 8, {"cleanup_policy": "compact"}, "cleanup.policy=compact"),
    ],
)
def test_a_topic_whose_set_up_breaks_a_promise_is_refused(
    kafka_url: str, name: str, partitions: int, config: dict[str, str], said: str
) -> None:
    make_topic(kafka_url, name, partitions=partitions, **config)

    with pytest.raises(LogUnusableError, match=said):
        open_log(kafka_url, append_seconds_max=PATIENT_SECONDS)


@pytest.mark.parametrize(
    ("replicas", "in_sync_min", "flush_messages", "said"),
    [
        (3, "2", "9223372036854775807", "survives the loss of a broker"),
        (1, "1", "1", "survives a power loss"),
        (3, "1", "9223372036854775807", "WEAK"),
        (2, "1", "10", "WEAK"),
    ],
)
def test_what_an_acknowledgement_survives_follows_from_replicas_and_syncs(
    replicas: int, in_sync_min: str, flush_messages: str, said: str
) -> None:
    config = {"min.insync.replicas": in_sync_min, "flush.messages": flush_messages}

    words, is_weak = durability_of(dict.fromkeys(TOPICS, replicas), dict.fromkeys(TOPICS, config))

    assert said in words
    assert is_weak == (said == "WEAK")


def test_a_replication_below_what_must_be_in_sync_is_refused() -> None:
    config = {"min.insync.replicas": "2", "flush.messages": "1"}

    with pytest.raises(LogError, match="fewer than the 2"):
        durability_of(dict.fromkeys(TOPICS, 1), dict.fromkeys(TOPICS, config))
