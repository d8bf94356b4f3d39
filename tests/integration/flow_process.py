"""Start, kill and stop a flow's program; read what it wrote."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from events.codec import decode
from events.log.port import Log, Record, TopicPartition
from events.types import Event

ROOT = Path(__file__).parents[2]
PATIENCE_SECONDS = 120


class FlowProcess:
    """A program that says when it is ready. Its standard error goes to a file."""

    def __init__(self, module: str, *arguments: str, errors: Path, crash_at: str = "") -> None:
        with errors.open("ab") as sink:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                cwd=ROOT,
                env=os.environ | {"WEIR_CRASH_AT": crash_at, "RUST_BACKTRACE": "0"},
                stdout=subprocess.PIPE,
                stderr=sink,
            )

    def __enter__(self) -> "FlowProcess":
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self.kill()

    def wait_until_ready(self) -> bool:
        """False when it ended before it was ready."""
        assert self._process.stdout is not None
        return bool(self._process.stdout.readline())

    def kill(self) -> None:
        self._process.send_signal(signal.SIGKILL)
        self.wait()

    def stop(self) -> int:
        self._process.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self) -> int:
        status = self._process.wait(PATIENCE_SECONDS)
        assert self._process.stdout is not None
        self._process.stdout.close()
        return status


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)


def records_of(log: Log, topic: str) -> list[Record]:
    reader = log.reader({TopicPartition(topic, n): start for n, start in enumerate(log.starts(topic))})
    ends = dict(enumerate(log.ends(topic)))
    found: list[Record] = []
    try:
        while records := reader.poll(4096, 0.3):
            found += records
    finally:
        reader.close()
    return [record for record in found if record.offset < ends[record.partition]]


def events_of(log: Log, topic: str) -> list[Event]:
    """Deletions of keys are no events."""
    return [decode(record.value) for record in records_of(log, topic) if record.value is not None]


def counted(log: Log, topic: str) -> int:
    """Records of a topic that never lost one."""
    return sum(log.ends(topic))
