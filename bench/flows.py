"""Two risk flows beside one, each on a core of its own, and the cost of following a payment.

The flows are programs with recovery and state as in production, on an embedded log that holds the models
before. The clock runs from the moment at which the requests are on the log to the last decision.
"""

import os
import statistics
import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.flow import engine_with, requests, trained
from bench.flow_programs import flow_program
from bench.record import Figure, figure, record
from events.clock import SystemClock
from events.codec import decode
from events.log import open_log
from events.log.port import Outgoing
from events.types import AssessmentRequested
from models.engine import Engine
from models.observations import ModelSnapshot
from pipelines import observe
from pipelines.learning_step import published
from pipelines.rescale import rescale
from pipelines.risk_step import RiskStep
from pipelines.source import BATCH_RECORDS

PAYMENTS = int(os.environ.get("WEIR_BENCH_PAYMENTS", "24000"))
RUNS = int(os.environ.get("WEIR_BENCH_RUNS", "3"))
TRAINED_ON = 6_000
GOAL = 1.6
SECONDS_MAX = 600.0


def main() -> None:
    """One flow and two in turn, several times."""
    records = requests(PAYMENTS)
    values = [record.value for record in records if record.value is not None]
    snapshots = trained(values[:TRAINED_ON])
    rates: dict[int, list[float]] = {1: [], 2: []}
    for _ in range(RUNS):
        for flows, of in rates.items():
            of.append(PAYMENTS / flows_seconds(records, snapshots, flows))
    costs = [costs_us(values[:TRAINED_ON], snapshots) for _ in range(RUNS)]
    record("flows", figures(rates, costs))


def figures(rates: dict[int, list[float]], costs: Sequence[tuple[float, float]]) -> list[Figure]:
    """Rates of one and of two, their ratio, and the engine's cost of an answer and of following."""
    one = statistics.median(rates[1])
    pinned = "each flow pinned to a core of its own, the bench's own work beside them"
    rows = [
        figure("one risk flow, pinned", rates[1], "payments/s", note=pinned),
        figure("two risk flows, pinned", rates[2], "payments/s", baseline=one, note=pinned),
        figure(
            "two risk flows over one", [statistics.median(rates[2]) / one], "ratio", goal=GOAL, note=pinned
        ),
    ]
    note = f"the engine alone, batches of {BATCH_RECORDS}, CPU time"
    answered, followed = zip(*costs, strict=True)
    rows.append(figure("a payment answered", answered, "CPU µs", note=note))
    rows.append(figure("a payment followed", followed, "CPU µs", baseline=min(answered), note=note))
    return rows


def flows_seconds(records: Sequence[Outgoing], snapshots: Sequence[ModelSnapshot], flows: int) -> float:
    """From the requests on the log to the last decision on it."""
    with TemporaryDirectory(prefix="weir-bench-") as folder, ExitStack() as running:
        home, url = Path(folder), f"sqlite:///{folder}/log.sqlite"
        log = running.enter_context(closing(open_log(url)))
        log.append([record for snapshot in snapshots for record in published(snapshot, {})])
        rescale(home, log, SystemClock(), flows, lambda share: RiskStep(Engine(), share))
        cores = sorted(os.sched_getaffinity(0))
        for flow in range(flows):
            core = cores[flow % len(cores)]
            running.enter_context(flow_program(home, url, flow, flows, core))
        log.append(records)
        began = time.perf_counter()
        while sum(log.ends("decisions")) < len(records):
            if time.perf_counter() - began > SECONDS_MAX:
                raise TimeoutError(f"{flows} flows have not answered in {SECONDS_MAX:.0f} s")
            time.sleep(0.02)
        return time.perf_counter() - began


def costs_us(values: Sequence[bytes], snapshots: Sequence[ModelSnapshot]) -> tuple[float, float]:
    """CPU µs of the engine for a payment that it answers, and for one that it follows."""
    events = [decode(value) for value in values]
    asked = [event for event in events if isinstance(event, AssessmentRequested)]
    found: list[float] = []
    for is_followed in (False, True):
        seen = [observe.observation(event, is_followed=is_followed) for event in asked]
        engine = engine_with(snapshots)
        began = time.process_time()
        for first in range(0, len(seen), BATCH_RECORDS):
            engine.assess(seen[first : first + BATCH_RECORDS])
        found.append((time.process_time() - began) / len(seen) * 1e6)
    return found[0], found[1]
