"""How fast a replay goes: payments a second, and the CPU of scoring, learning and refits apart."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.detection import DATA, HANDBOOK
from bench.record import figure, record
from models.learning import Schedule
from pipelines.replay.direct import Cost, DirectRun
from pipelines.replay.file import read_history
from pipelines.replay.mapping import mapping_of
from pipelines.replay.source import ReplaySettings, ReplaySource

PAYMENTS = int(os.environ.get("WEIR_BENCH_PAYMENTS", "200000"))
"""About three weeks of the file: with labels from the second on and four refits."""
RUNS = 3


def main() -> None:
    """Measure and record."""
    if not DATA.is_dir():
        print(f"replay: no data in {DATA}; set WEIR_DATA")
        return
    costs = [_run() for _ in range(RUNS)]
    note = f"the first {PAYMENTS:,} payments of {HANDBOOK}"
    per, unit = 1e6 / PAYMENTS, "CPU-µs per payment"
    record(
        "replay",
        [
            figure("replay payments/s", [c.payments_per_second for c in costs], "payments/s", note=note),
            figure("replay scoring", [c.scoring_seconds * per for c in costs], unit, note=note),
            figure("replay learning", [c.learning_seconds * per for c in costs], unit, note=note),
            figure("replay refits", [c.refits_seconds * per for c in costs], unit, note=note),
        ],
    )


def _run() -> Cost:
    with TemporaryDirectory() as folder:
        path = DATA / f"{HANDBOOK}.parquet"
        history = read_history(path, mapping_of(["handbook"]), Path(folder) / "broken.csv")
    schedule = Schedule()
    source = ReplaySource(history.frame.head(PAYMENTS), ReplaySettings(cut_us=schedule.cut_us))
    run = DirectRun(source, schedule)
    run.run(_unheard)
    return run.cost


def _unheard(count: int) -> None:
    """Nobody watches the progress."""
