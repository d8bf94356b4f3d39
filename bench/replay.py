"""How fast a replay goes on one core: all models, rules and learning, and every decision written.

Each run is a process of its own, on one core, with what `weir replay` does between reading the file and its
report; interpreted and compiled in turn. Refits cost by the day, not by the payment: a rate leaves them out,
and their CPU stands beside it.
"""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.compiled import ROOT, compiled_copy
from bench.detection import DATA, HANDBOOK
from bench.record import Figure, figure, record
from events.programs import spare_what_stays
from models import COMPILED
from models.learning import Schedule
from pipelines.replay.cost import Cost, Part
from pipelines.replay.decisions import DecisionFile
from pipelines.replay.direct import DirectRun
from pipelines.replay.file import read_history
from pipelines.replay.mapping import mapping_of
from pipelines.replay.source import ReplaySettings, ReplaySource

SPANS = os.environ.get("WEIR_BENCH_REPLAYS", "200000,all").split(",")
"""The first three weeks of the file, with labels from the second on and four refits; and all of it."""
RUNS = int(os.environ.get("WEIR_BENCH_RUNS", "3"))
GOALS = {"": 10_000.0, ", compiled": 20_000.0}
PARTS: tuple[Part, ...] = ("telling", "scoring", "learning", "writing")

Measured = dict[str, float]


def main() -> None:
    """Measure and record."""
    if not DATA.is_dir():
        print(f"replay: no data in {DATA}; set WEIR_DATA")
        return
    figures: list[Figure] = []
    with TemporaryDirectory(prefix="weir-compiled-") as folder:
        checkouts = {"": ROOT, ", compiled": compiled_copy(Path(folder))}
        for span in SPANS:
            runs: dict[str, list[Measured]] = {build: [] for build in checkouts}
            for _ in range(RUNS):
                for build, checkout in checkouts.items():
                    runs[build].append(_measured(checkout, span))
            for build, measured in runs.items():
                figures += _figures(span, build, measured)
            record("replay", figures)


def _figures(span: str, build: str, runs: Sequence[Measured]) -> list[Figure]:
    count = int(runs[0]["payments"])
    name = "replay" if span != "all" else "replay of the whole file"
    note = f"{count:,} payments of {HANDBOOK}, every decision written, on one core"
    whole = figure(f"{name} payments/s{build}", _of(runs, "whole_rate"), "payments/s", note=note)
    rate = figure(
        f"{name} payments/s without refits{build}",
        _of(runs, "rate"),
        "payments/s",
        goal=GOALS[build],
        note=note,
    )
    parts = [
        figure(f"{name} {part}{build}", [run[part] / count * 1e6 for run in runs], "CPU-µs per payment")
        for part in PARTS
    ]
    return [
        whole,
        rate,
        *parts,
        figure(f"{name} refits{build}", _of(runs, "refits"), "CPU-seconds in all"),
        figure(f"{name} memory{build}", _of(runs, "memory_mib"), "MiB at most, the file's rows included"),
    ]


def _of(runs: Sequence[Measured], name: str) -> list[float]:
    return [run[name] for run in runs]


def _measured(checkout: Path, span: str) -> Measured:
    # One core is what is measured: threads beside it would only wait for it.
    environment = os.environ | {
        "PYTHONPATH": str(checkout),
        "WEIR_DATA": str(DATA),
        "POLARS_MAX_THREADS": "1",
        "OMP_NUM_THREADS": "1",
    }
    command = ["taskset", "--cpu-list", "0", sys.executable, "-m", "bench.replay", span]
    done = subprocess.run(
        command, cwd=checkout, env=environment, check=True, stdout=subprocess.PIPE, text=True
    )
    told: Measured = json.loads(done.stdout.splitlines()[-1])
    if bool(told.pop("compiled")) != (checkout != ROOT):
        raise RuntimeError(f"{checkout} is not compiled as it should be: make interpreted")
    return told


def replayed(span: str) -> Cost:
    """One run over so many payments, or `all`."""
    with TemporaryDirectory() as folder:
        path = DATA / f"{HANDBOOK}.parquet"
        frame = read_history(path, mapping_of(["handbook"]), Path(folder) / "broken.csv").frame
        if span != "all":
            frame = frame.head(int(span))
        schedule = Schedule()
        with closing(DecisionFile(Path(folder) / "rows.parquet", frame["original_id"])) as decisions:
            source = ReplaySource(frame, ReplaySettings(cut_us=schedule.cut_us), decisions)
            run = DirectRun(source, schedule)
            spare_what_stays()
            run.run(unheard)
    return run.cost


def one_run(span: str) -> None:
    """Print what a run costs, for the process that asked for it."""
    cost = replayed(span)
    told: Measured = {
        "compiled": COMPILED,
        "payments": cost.payments,
        "whole_rate": cost.payments_per_second,
        "rate": cost.payments_per_second_without_refits,
        "memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        **{part: cost.cpu_seconds[part] for part in (*PARTS, "refits")},
    }
    print(json.dumps(told))


def unheard(count: int) -> None:
    """Nobody watches the progress."""


if __name__ == "__main__":
    one_run(sys.argv[1])
