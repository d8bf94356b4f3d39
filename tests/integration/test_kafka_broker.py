"""The local broker as a program: ready when usable, stopped cleanly, gone with its parent, data kept."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from events.log import open_log
from events.log.port import Outgoing, TopicPartition
from simulator.kafka import jars
from simulator.kafka.broker import Broker
from simulator.kafka.errors import BrokerNotInstalledError
from tests.conftest import require_a_local_broker

ROOT = Path(__file__).parents[2]
SECONDS_MAX = 120


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts `python -m simulator.kafka.broker`; what still runs at the end is ended."""
    require_a_local_broker()
    started: list[subprocess.Popen[str]] = []

    def run(*arguments: str) -> subprocess.Popen[str]:
        command = [
            sys.executable,
            "-m",
            "simulator.kafka.broker",
            "--home",
            str(tmp_path / "kafka"),
            *arguments,
        ]
        started.append(subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True))
        return started[-1]

    yield run
    for program in started:
        program.kill()
        program.communicate()


def ready_port(program: subprocess.Popen[str]) -> int:
    assert program.stdout is not None
    told = json.loads(program.stdout.readline())
    assert told["ready"] == "kafka"
    return int(told["port"])


def children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in listed.split()]


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + SECONDS_MAX
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_gone(pid: int) -> bool:
    try:
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return True


@pytest.mark.kafka
def test_a_broker_that_was_stopped_starts_again_with_its_records(
    start: Callable[..., subprocess.Popen[str]],
) -> None:
    first = start("--port", "0")
    port = ready_port(first)
    with closing(open_log(f"kafka://127.0.0.1:{port}", append_seconds_max=60)) as log:
        log.append([Outgoing("audit", b"someone", b"kept")])
    first.send_signal(signal.SIGTERM)
    assert first.wait(SECONDS_MAX) == 0

    second = start("--port", str(port))
    assert ready_port(second) == port
    with (
        closing(open_log(f"kafka://127.0.0.1:{port}", append_seconds_max=60)) as log,
        closing(log.reader({TopicPartition("audit", 0): 0})) as reader,
    ):
        assert [record.value for record in reader.poll(1, SECONDS_MAX)] == [b"kept"]


@pytest.mark.kafka
def test_a_broker_ends_with_the_program_that_started_it_even_by_kill_9(
    start: Callable[..., subprocess.Popen[str]],
) -> None:
    program = start("--port", "0")
    ready_port(program)
    (java,) = children(program.pid)

    program.kill()
    program.wait()

    wait_until(lambda: is_gone(java))


@pytest.mark.kafka
def test_a_broker_ends_when_the_process_it_serves_has_ended(
    start: Callable[..., subprocess.Popen[str]],
) -> None:
    with subprocess.Popen(["sleep", "600"]) as served:
        program = start("--while-alive", str(served.pid))
        ready_port(program)
        served.kill()

    assert program.wait(SECONDS_MAX) == 0


def test_missing_java_and_maven_are_named_with_how_to_install_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    with pytest.raises(BrokerNotInstalledError, match=r"Java 17 .* and Maven"):
        Broker(tmp_path / "kafka").start()


def test_jars_that_are_there_need_no_maven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    java = tmp_path / "java"
    java.write_text("#!/bin/sh\n")
    java.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    cached = jars.folder_of(tmp_path / "cache")
    assert jars.what_is_missing(tmp_path / "cache") is not None

    cached.mkdir(parents=True)

    assert jars.jars(tmp_path / "cache") == cached


@pytest.mark.parametrize(("ci", "status"), [("false", 0), ("true", 1)])
def test_without_java_the_kafka_tests_are_skipped_in_one_line_and_fail_in_ci(
    tmp_path: Path, ci: str, status: int
) -> None:
    environment = {"PATH": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path), "CI": ci}
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "tests/contract/test_log.py"]

    ended = subprocess.run(
        [*command, "-k", "ends_are_where or largest_record"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )

    assert ended.returncode == status, ended.stdout
    advice = "the Kafka tests need Java 17 (Debian: openjdk-17-jre-headless) and Maven (Debian: maven)"
    told = [line for line in ended.stdout.splitlines() if line.startswith(("SKIPPED", "ERROR "))]
    assert all(advice in line for line in told)
    assert len(told) == (1 if ci == "false" else 4)
