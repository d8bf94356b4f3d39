"""Fixtures that several folders use: logs and stores, and one broker and one PostgreSQL for the whole run.

The broker is the one at `KAFKA_BOOTSTRAP_SERVERS`, else a real one that the first test to need it starts,
whatever the number of xdist workers; it ends with the run. Each test has its own topics on it, by a prefix.
"""

import fcntl
import json
import os
import sys
import uuid
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

from events.topics import TOPICS
from simulator.kafka.jars import cache_folder, what_is_missing
from tests.postgres_server import folder_in_memory
from tests.stores import make_template, stores

# No test asserts latency: on a loaded machine a slow example says nothing about the code.
settings.register_profile("weir", deadline=None)
settings.load_profile("weir")

ADVICE = "the Kafka tests need"

TOGETHER = {
    # What another platform sends to the shared broker is not for the leak tests to see.
    "tests/e2e/": "platform",
    "tests/chaos/": "platform",
    "tests/integration/test_compiled.py": "compiled",
    "tests/integration/test_kafka_broker.py": "own broker",
    "tests/integration/test_log_kafka.py": "own broker",
    "tests/integration/test_log_kafka_python.py": "own broker",
    "tests/integration/test_sink_kafka.py": "own broker",
}
"""Tests that one worker runs in turn, by the beginning of their names; all others run where there is room.

A table, since xdist's own `xdist_group` marks tests by a member that pytest does not read since 9.2.
"""


class ByTogether(LoadScopeScheduling):
    """Hands the tests that stand together to one worker, the largest lot first."""

    def _split_scope(self, nodeid: str) -> str:
        return next((lot for beginning, lot in TOGETHER.items() if nodeid.startswith(beginning)), nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Asked once, where the tests are handed out."""
    return ByTogether(config, log)


@pytest.fixture(scope="session")
def kafka_bootstrap(tmp_path_factory: pytest.TempPathFactory) -> str:
    """`HOST:PORT` of the run's broker; skips where none can be started, which in CI is a failure."""
    if given := os.environ.get("KAFKA_BOOTSTRAP_SERVERS"):
        return given
    require_a_local_broker()
    return _shared_broker(*_run(tmp_path_factory))


def require_a_local_broker() -> None:
    """Skip the test, or fail it in CI, where a broker cannot be started."""
    if missing := what_is_missing(cache_folder()):
        advice = f"{ADVICE} {missing}, or KAFKA_BOOTSTRAP_SERVERS"
        if os.environ.get("CI") == "true":
            pytest.fail(advice)
        pytest.skip(advice)


def _shared_broker(folder: Path, owner_pid: int) -> str:
    ready = folder / "kafka.json"
    with (folder / "kafka.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not ready.exists():
            ready.write_text(_start_broker(folder / "kafka", owner_pid))
    return f"127.0.0.1:{json.loads(ready.read_text())['port']}"


def _start_broker(home: Path, owner_pid: int) -> str:
    return _started("simulator.kafka.broker", "--home", str(home), "--port", "0", owner_pid=owner_pid)


def _run(factory: pytest.TempPathFactory) -> tuple[Path, int]:
    """A folder that all workers of this run share, and the process whose end is the run's."""
    base = factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        return base.parent, os.getppid()
    return base, os.getpid()


def _started(*program: str, owner_pid: int) -> str:
    """The line that a program says when it is ready; it ends with the run."""
    command = [sys.executable, "-m", *program]
    reading, writing = os.pipe()
    # Not a Popen: whichever worker starts it may end before the others, and must not be asked to wait for it.
    os.posix_spawn(
        sys.executable,
        [*command, "--while-alive", str(owner_pid)],
        {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
        file_actions=[(os.POSIX_SPAWN_DUP2, writing, 1)],
        setsid=True,
    )
    os.close(writing)
    with os.fdopen(reading) as printed:
        line = printed.readline()
    assert line, f"{program} did not start"
    return line


@pytest.fixture
def kafka_url(kafka_bootstrap: str) -> Iterator[str]:
    """The URL of a log of its own on the run's broker."""
    prefix = f"test-{uuid.uuid4().hex[:12]}"
    yield f"kafka://{kafka_bootstrap}/{prefix}"
    admin = AdminClient({"bootstrap.servers": kafka_bootstrap})
    for deleted in admin.delete_topics([f"{prefix}.{name}" for name in TOPICS]).values():
        # A test that never opened its log has no topics.
        deleted.exception()


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """The URL of an embedded log of its own."""
    return f"sqlite:///{tmp_path}/log/log.sqlite"


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The URL, without a database, of the run's PostgreSQL; the first test to need it starts it."""
    folder, owner_pid = _run(tmp_path_factory)
    ready = folder / "postgres.json"
    with (folder / "postgres.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not ready.exists():
            place = str(folder_in_memory())
            line = _started("tests.postgres_server", "--folder", place, owner_pid=owner_pid)
            make_template(f"postgresql://weir@127.0.0.1:{json.loads(line)['port']}")
            ready.write_text(line)
    return f"postgresql://weir@127.0.0.1:{json.loads(ready.read_text())['port']}"


@pytest.fixture(autouse=True)
def store_kind(request: pytest.FixtureRequest) -> Iterator[str]:
    """Where the test's gateways keep what they keep: on SQLite, or where it is marked, on both in turn.

    `WEIR_TEST_STORE=postgresql` has every test's on PostgreSQL.
    """
    kind = str(getattr(request, "param", os.environ.get("WEIR_TEST_STORE", "sqlite")))
    if kind == "postgresql" and request.node.get_closest_marker("sqlite_store"):
        pytest.skip("looks into SQLite's files")
    with stores.on(request.getfixturevalue("postgres") if kind == "postgresql" else None):
        yield kind


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if metafunc.definition.get_closest_marker("both_stores"):
        alone = metafunc.definition.get_closest_marker("sqlite_store") is not None
        metafunc.parametrize("store_kind", ["sqlite"] if alone else ["sqlite", "postgresql"], indirect=True)


@pytest.fixture(params=["sqlite", pytest.param("kafka", marks=pytest.mark.kafka)])
def log_url(request: pytest.FixtureRequest) -> str:
    """The URL of a log of its own: the test runs once on each kind."""
    return str(request.getfixturevalue(f"{request.param}_url"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if {"kafka_bootstrap", "kafka_url"} & set(getattr(item, "fixturenames", ())):
            item.add_marker("kafka")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Give all tests skipped for want of a broker one place: the summary tells of them in one line."""
    report = yield
    if report.skipped and isinstance(report.longrepr, tuple) and ADVICE in report.longrepr[2]:
        report.longrepr = (__file__, 1, report.longrepr[2])
    return report
