"""How fast a replay goes on one core: all models, rules and learning, and every decision written.

Each run is a process of its own, on one core, with what `weir replay` does between reading the file and its
report. Refits cost by the day, not by the payment: the rate leaves them out, and their CPU stands beside it.
With `WEIR_BENCH_FIRST=1` the commit of the first recorded result runs in turn with this one, from a worktree:
its rate is the baseline. It kept its decisions in memory and wrote none.
"""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.detection import DATA, HANDBOOK
from bench.record import Figure, figure, record
from events.programs import spare_what_stays
from models.learning import Schedule
from pipelines.replay.cost import Cost
from pipelines.replay.decisions import DecisionFile
from pipelines.replay.direct import DirectRun
from pipelines.replay.file import read_history
from pipelines.replay.mapping import mapping_of
from pipelines.replay.source import ReplaySettings, ReplaySource

ROOT = Path(__file__).parents[1]
SPANS = os.environ.get("WEIR_BENCH_PAYMENTS", "200000,all").split(",")
"""The first three weeks of the file, with labels from the second on and four refits; and all of it."""
RUNS = int(os.environ.get("WEIR_BENCH_RUNS", "3"))
FIRST = "e3cdb20"
"""The commit that first recorded how fast a replay is."""
WITH_FIRST = bool(os.environ.get("WEIR_BENCH_FIRST"))
GOAL = 10_000
ONE = """
import json
from bench.replay import _run
cost = _run()
print(json.dumps({"rate": cost.payments / (cost.wall - cost.refits)}))
"""

Measured = dict[str, float]


def main() -> None:
    """Measure and record."""
    if not DATA.is_dir():
        print(f"replay: no data in {DATA}; set WEIR_DATA")
        return
    figures: list[Figure] = []
    with TemporaryDirectory(prefix="weir-first-") as folder:
        first = _worktree(Path(folder) / "first") if WITH_FIRST else None
        try:
            for span in SPANS:
                figures += _figures(span, first)
                record("replay", figures)
        finally:
            if first is not None:
                _git("worktree", "remove", "--force", str(first))


def _figures(span: str, first: Path | None) -> list[Figure]:
    runs: list[Measured] = []
    firsts: list[Measured] = []
    for _ in range(RUNS):
        runs.append(_measured(["-m", "bench.replay", span], ROOT, span))
        # Of the first commit the short span alone: the whole file would take it ten minutes a run.
        if first is not None and span != "all":
            firsts.append(_measured(["-c", ONE], first, span))
    count = int(runs[0]["payments"])
    name = "replay" if span != "all" else "replay of the whole file"
    note = f"{count:,} payments of {HANDBOOK}, every decision written, on one core, without refits"
    baseline = sorted(one["rate"] for one in firsts)[len(firsts) // 2] if firsts else None
    if baseline is not None:
        note += f"; baseline: commit {FIRST}, the first that was recorded, in turn with it"
    rate = figure(
        f"{name} payments/s", _of(runs, "rate"), "payments/s", goal=GOAL, baseline=baseline, note=note
    )
    parts = [
        figure(f"{name} {part}", [run[part] / count * 1e6 for run in runs], "CPU-µs per payment")
        for part in ("telling", "scoring", "learning", "writing")
    ]
    return [
        rate,
        *parts,
        figure(f"{name} refits", _of(runs, "refits"), "CPU-seconds in all"),
        figure(f"{name} memory", _of(runs, "memory_mib"), "MiB at most, the file's rows included"),
    ]


def _of(runs: Sequence[Measured], name: str) -> list[float]:
    return [run[name] for run in runs]


def _measured(arguments: Sequence[str], root: Path, span: str) -> Measured:
    environment: Mapping[str, str] = {
        **os.environ,
        "PYTHONPATH": str(root),
        "WEIR_DATA": str(DATA),
        "WEIR_BENCH_PAYMENTS": span,
        # One core is what is measured: threads beside it would only wait for it.
        "POLARS_MAX_THREADS": "1",
    }
    command = ["taskset", "--cpu-list", "0", sys.executable, *arguments]
    done = subprocess.run(command, cwd=root, env=environment, check=True, capture_output=True, text=True)
    told: Measured = json.loads(done.stdout.splitlines()[-1])
    return told


def _worktree(path: Path) -> Path:
    _git("worktree", "add", "--detach", str(path), FIRST)
    return path


def _git(*arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True)


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
            run.run(_unheard)
    return run.cost


def one_run(span: str) -> None:
    """Print what a run costs, for the process that asked for it."""
    cost = replayed(span)
    memory_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rate = cost.payments_per_second_without_refits
    print(json.dumps({"rate": rate, "payments": cost.payments, "memory_mib": memory_mib, **cost.cpu_seconds}))


def _unheard(count: int) -> None:
    """Nobody watches the progress."""


if __name__ == "__main__":
    one_run(sys.argv[1])
