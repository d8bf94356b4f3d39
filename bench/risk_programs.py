"""Risk flows as they run on a platform, each a process of its own: started, measured from outside, killed.

They find their state in a home that was filled with a made population, and the models on the log.
"""

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from bench.populations import Population
from events.codec import encode
from events.instruments import CardFacts
from events.log import open_log
from events.log.port import Outgoing
from events.moments import moment
from events.types import AssessmentRequested, RiskContext
from models.observations import ModelSnapshot, Observation
from pipelines import observe
from pipelines.flow_homes import home_of
from pipelines.learning_step import published
from pipelines.rebuilding import state_folder
from pipelines.risk_step import ENGINE
from pipelines.state_store import StateStore

READY_SECONDS_MAX = 1_800.0
MEMORY_BYTES_MAX = 12 * 2**30
"""What a flow may have of its own, whatever the number of cards: beyond it, it dies."""


def fill(home: Path, population: Population) -> None:
    """Make the home of a flow that has seen the population's payments; they themselves are forgotten."""
    with closing(StateStore(state_folder(home_of(home, 0)) / "state.sqlite")) as store:
        store.fill((ENGINE + key, value) for key, value in population.rows(payments=False))


def log_url(home: Path) -> str:
    """The embedded log of the home."""
    return f"sqlite:///{home / 'log.sqlite'}"


def publish(home: Path, snapshots: Iterable[ModelSnapshot]) -> None:
    """Put models on the log, as the learner does."""
    with closing(open_log(log_url(home))) as log:
        log.append([record for snapshot in snapshots for record in published(snapshot, {})])


def request(seen: Observation) -> Outgoing:
    """The request that the flow makes this observation of."""
    assert seen.card is not None  # whatever is made here pays by card
    at = moment(seen.occurred_at_us)
    event = AssessmentRequested(
        id=observe.derived_id("bench", seen.payment_id, at),
        occurred_at=at,
        payment_id=seen.payment_id,
        attempt=1,
        mode="test",
        merchant_id=seen.merchant or "",
        amount_minor=seen.amount_minor,
        currency=seen.currency,
        card=CardFacts(token="tok", surrogate=seen.card, bin="411111", last4="1111", brand="visa"),
        context=RiskContext(device=seen.device, ip=seen.ip, email=seen.email, ip_country=seen.ip_country),
    )
    return Outgoing("assessments", seen.card.encode(), encode(event))


class RiskPrograms:
    """The flows of one home, side by side."""

    def __init__(self, home: Path, flows: int) -> None:
        """Starts them, and returns when all are ready; `start_seconds` is how long that took."""
        started = time.perf_counter()
        self._home = home
        cores = sorted(os.sched_getaffinity(0))
        self._processes = [self._started(flow, flows, cores[flow % len(cores)]) for flow in range(flows)]
        for process in self._processes:
            _await_ready(process)
        self.start_seconds = time.perf_counter() - started

    @property
    def memory_bytes(self) -> int:
        """What all of them hold in memory now."""
        return sum(status_bytes(each.pid, "VmRSS") for each in self._processes)

    @property
    def memory_bytes_max(self) -> int:
        """The most that any of them ever held."""
        return max(status_bytes(each.pid, "VmHWM") for each in self._processes)

    @property
    def cpu_seconds(self) -> float:
        """User and system time of all of them."""
        return sum(cpu_seconds(each.pid) for each in self._processes)

    def kill(self) -> None:
        """kill -9, all at once."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Ask, and wait: the state of the last payment is then safe."""
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        for process in self._processes:
            process.send_signal(how)
        for process in self._processes:
            process.wait(READY_SECONDS_MAX)
            if process.stdout is not None:
                process.stdout.close()

    def _started(self, flow: int, flows: int, core: int) -> "subprocess.Popen[bytes]":
        which = ["--flow", str(flow), "--flows", str(flows)] if flows > 1 else []
        command = [
            sys.executable,
            "-m",
            "pipelines.risk",
            "--home",
            str(self._home),
            "--log",
            log_url(self._home),
        ]
        # As the supervisor sets it: threads of numerics would take the core of the neighbor.
        one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        process = subprocess.Popen(
            [*command, *which], stdout=subprocess.PIPE, stderr=self._errors(flow), env=os.environ | one_thread
        )
        resource.prlimit(process.pid, resource.RLIMIT_DATA, (MEMORY_BYTES_MAX, MEMORY_BYTES_MAX))
        if flows > 1:
            os.sched_setaffinity(process.pid, {core})
        return process

    def _errors(self, flow: int) -> int:
        path = self._home / f"risk-{flow}.log"
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)


@contextmanager
def running(home: Path, flows: int = 1) -> Iterator[RiskPrograms]:
    """The flows, killed at the end if they still live."""
    programs = RiskPrograms(home, flows)
    try:
        yield programs
    finally:
        programs.kill()


def rescale(home: Path, flows: int) -> None:
    """Make the state of one flow that of several."""
    command = [sys.executable, "-m", "pipelines.rescale", "--home", str(home), "--log", log_url(home)]
    subprocess.run([*command, "--flows", str(flows)], check=True, stdout=subprocess.DEVNULL)


def disk_bytes(folder: Path) -> int:
    """What all files under the folder take."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def status_bytes(pid: int, name: str) -> int:
    """A size that `/proc/PID/status` tells in kibibytes; 0 where the process is gone."""
    try:
        rows = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(row.split()[1]) * 1024 for row in rows if row.startswith(f"{name}:")), 0)


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    # The name of a program may hold spaces; what stands behind it does not.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(int(ticks) for ticks in fields[11:13]) / os.sysconf("SC_CLK_TCK")


def _await_ready(process: "subprocess.Popen[bytes]") -> None:
    assert process.stdout is not None  # it is a pipe
    said = process.stdout.readline()
    if not said or "ready" not in json.loads(said):
        raise SystemExit(f"a risk flow did not become ready: {process.wait(READY_SECONDS_MAX)}")
