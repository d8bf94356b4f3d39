"""Replay through log and dataflows: byte for byte what the plain loop writes, as often as it is run."""

import random
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from events.log import open_log
from events.types import ModelPublished
from models.learning import Schedule
from pipelines.replay.decisions import DecisionFile
from pipelines.replay.direct import DirectRun
from pipelines.replay.file import History, read_history
from pipelines.replay.flow import FlowRun
from pipelines.replay.mapping import mapping_of
from pipelines.replay.source import ReplaySettings, ReplaySource
from tests.integration.flow_process import events_of

DAY_US = 86_400_000_000
ROWS = 3000
SCHEDULE = Schedule(cut_us=6 * 3_600_000_000, refit_days=2, refit_frauds_min=40, refit_genuine_min=150)
"""Small enough that refits happen in a file of a few thousand rows."""


def history(folder: Path) -> History:
    """Forty days of cards with habits, some of which are stolen; many payments share a second."""
    dice = random.Random(8)
    start = datetime(2025, 3, 1, tzinfo=UTC)
    rows = []
    for number in range(ROWS):
        fraud = dice.random() < 0.06
        at = start + timedelta(seconds=int(40 * 86_400 * number / ROWS) // 900 * 900)
        rows.append(
            {
                "id": f"t{number}",
                "at": at.isoformat(),
                "amount": round(dice.lognormvariate(5.5 if fraud else 3, 0.8), 2),
                "card": f"c{dice.randint(0, 60)}",
                "device": f"d{dice.randint(0, 80)}" if dice.random() < 0.7 else None,
                "shop": f"m{dice.randint(0, 12)}",
                "funding": dice.choice(["credit", "debit", None]),
                "fraud": int(fraud),
            }
        )
    path = folder / "rows.csv"
    pl.DataFrame(rows).write_csv(path)
    words = (
        "id=id time=at amount=amount card=card device=device merchant=shop card_funding=funding label=fraud"
    )
    return read_history(path, mapping_of(words.split()), folder / "rejected.csv")


def written(run_of: Callable[[ReplaySource], DirectRun | FlowRun], frame: pl.DataFrame, path: Path) -> bytes:
    settings = ReplaySettings(cut_us=SCHEDULE.cut_us, label_delay_us=2 * DAY_US, verdicts=5)
    with closing(DecisionFile(path, frame["original_id"])) as decisions:
        run_of(ReplaySource(frame, settings, decisions)).run(lambda _count: None)
    return path.read_bytes()


@pytest.mark.timeout(600)
def test_the_flow_writes_the_same_bytes_as_the_loop_each_time(tmp_path: Path) -> None:
    frame = history(tmp_path).frame
    log_url = f"sqlite:///{tmp_path}/log.sqlite?synchronous=OFF"

    direct = written(lambda source: DirectRun(source, SCHEDULE), frame, tmp_path / "direct.parquet")
    first = written(lambda source: FlowRun(source, SCHEDULE), frame, tmp_path / "first.parquet")
    again = written(lambda source: FlowRun(source, SCHEDULE, log_url), frame, tmp_path / "again.parquet")
    after = written(lambda source: FlowRun(source, SCHEDULE, log_url), frame, tmp_path / "after.parquet")

    scores = pl.read_parquet(tmp_path / "direct.parquet")["score"]
    assert scores.n_unique() > ROWS / 2
    with closing(open_log(log_url)) as log:
        kinds = {event.kind for event in events_of(log, "models") if isinstance(event, ModelPublished)}
    assert kinds == {"online", "challenger", "batch"}
    assert first == direct
    assert again == direct
    assert after == direct
