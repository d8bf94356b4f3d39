"""How well fraud is found: both protocols, verdicts, drift beside plain boosting, and payments made anew.

The files are read from `../shared/data` (or `WEIR_DATA`) and never copied. Each run takes minutes.
"""

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl
from sklearn.metrics import average_precision_score

from bench.cards import made_cards
from bench.record import Figure, figure, record
from bench.replay import unheard
from models.features import POSITIONS
from models.learning import Schedule
from models.observations import Assessment
from models.windows import DAY_US
from pipelines.replay.direct import DirectRun
from pipelines.replay.file import read_history
from pipelines.replay.mapping import mapping_of
from pipelines.replay.report import report_of
from pipelines.replay.source import ReplaySettings, ReplaySource

DATA = Path(os.environ.get("WEIR_DATA", Path(__file__).parents[2] / "shared" / "data"))
HANDBOOK, DRIFT = "handbook_apr_jul", "cards_drift_s7"
PERIODS = (
    ("June and July", "2018-06-01", "2018-08-01", 0.545),
    ("August", "2018-08-01", "2018-09-01", 0.577),
    ("September", "2018-09-01", "2018-10-01", 0.565),
)
"""Name, first day, end, and the average precision that the boosting reached when it was first measured."""
SHARE_OF_BOOSTING = 0.98
DETERMINISTIC = "one run, for it is deterministic: with these versions every run gives these bits"
"""Why these figures have no median of several: there is no noise to take out."""
MADE_SEEDS = (21, 22, 23)
MADE_FROM, MADE_EVALUATED_FROM = datetime(2017, 11, 1, tzinfo=UTC), datetime(2018, 1, 1, tzinfo=UTC)


class _Watched(ReplaySource):
    """Keeps the boosting's log-odds as scored: that is the boosting alone, re-run beside the champion."""

    def __init__(self, frame: pl.DataFrame, settings: ReplaySettings) -> None:
        super().__init__(frame, settings)
        self.boosting: list[float] = []

    def take(self, assessments: Sequence[Assessment]) -> None:
        """The assessments of the last segment."""
        logits = [answer.features[POSITIONS["boosting_logit"]] for answer in assessments]
        self.boosting += [logit if isinstance(logit, float) else float("nan") for logit in logits]
        super().take(assessments)


def main() -> None:
    """Measure and record what the files at hand allow."""
    parts = [_made]
    if DATA.is_dir():
        parts += [_drift, _verdicts, _handbook]
    else:
        print(f"detection: no data in {DATA}; set WEIR_DATA for the figures of the shared files")
    figures: list[Figure] = []
    for measured in parts:
        # Recorded after each part: a run that is stopped keeps what it has measured.
        figures += measured()
        record("detection", figures)


def _replayed(name: str, verdicts: int = 0) -> tuple[pl.DataFrame, _Watched]:
    return _replayed_file(DATA / f"{name}.parquet", verdicts)


def _replayed_file(path: Path, verdicts: int = 0) -> tuple[pl.DataFrame, _Watched]:
    with TemporaryDirectory() as folder:
        frame = read_history(path, mapping_of(["handbook"]), Path(folder) / "broken.csv").frame
    schedule = Schedule()
    source = _Watched(frame, ReplaySettings(cut_us=schedule.cut_us, verdicts=verdicts))
    run = DirectRun(source, schedule)
    run.run(unheard)
    print(f"detection: {path.name} verdicts {verdicts}: {run.cost}")
    return frame, source


def _made() -> list[Figure]:
    """Payments made anew from seeds that no number was chosen on."""
    precisions, areas = [], []
    for seed in MADE_SEEDS:
        with TemporaryDirectory() as folder:
            path = Path(folder) / f"made_{seed}.parquet"
            made_cards(seed, customers=3_000, days=92, first_day=MADE_FROM).write_parquet(path)
            frame, source = _replayed_file(path)
        every = report_of(frame, source.outcomes, MADE_EVALUATED_FROM).all_payments
        if every.average_precision is None or every.roc_auc is None:
            raise ValueError(f"the payments of seed {seed} hold no fraud")
        precisions.append(every.average_precision)
        areas.append(every.roc_auc)
    note = f"seeds {', '.join(map(str, MADE_SEEDS))}; of each {DETERMINISTIC}"
    return [
        figure("made payments all AP", precisions, "AP", note=note),
        figure("made payments all AUC", areas, "AUC", note=note),
    ]


def _handbook() -> list[Figure]:
    frame, source = _replayed(HANDBOOK)
    report = report_of(frame, source.outcomes, datetime(2018, 6, 1, tzinfo=UTC))
    every, mean = report.all_payments, report.handbook
    if every.average_precision is None or every.roc_auc is None or mean is None:
        raise ValueError("the file is not the handbook's")
    return [
        figure("handbook all AP", [every.average_precision], "AP", goal=0.785, note=DETERMINISTIC),
        figure("handbook all AUC", [every.roc_auc], "AUC", goal=0.91, note=DETERMINISTIC),
        figure("handbook folds AP", [mean.average_precision], "AP", goal=0.74, note=DETERMINISTIC),
        figure("handbook folds AUC", [mean.roc_auc], "AUC", note=DETERMINISTIC),
        figure("handbook folds CP@100", [mean.card_precision], "share", note=DETERMINISTIC),
    ]


def _verdicts() -> list[Figure]:
    frame, source = _replayed(HANDBOOK, verdicts=100)
    report = report_of(frame, source.outcomes, datetime(2018, 6, 1, tzinfo=UTC))
    every, mean = report.all_payments, report.handbook
    if every.average_precision is None or mean is None:
        raise ValueError("the file is not the handbook's")
    return [
        figure(
            "handbook all AP with verdicts", [every.average_precision], "AP", goal=0.80, note=DETERMINISTIC
        ),
        figure("handbook folds AP with verdicts", [mean.average_precision], "AP", note=DETERMINISTIC),
    ]


def _drift() -> list[Figure]:
    frame, source = _replayed(DRIFT)
    frauds, moments = frame["label"].to_numpy(), frame["at_us"].to_numpy()
    scores, boosting = np.array(source.outcomes.scores), np.array(source.boosting)
    figures = []
    for name, first, end, floor in PERIODS:
        chosen = (moments >= _at_us(first)) & (moments < _at_us(end))
        alone = float(average_precision_score(frauds[chosen], boosting[chosen]))
        reached = float(average_precision_score(frauds[chosen], scores[chosen]))
        baseline = max(alone, floor)
        figures.append(
            figure(
                f"drift {name} AP",
                [reached],
                "AP",
                goal=SHARE_OF_BOOSTING * baseline,
                baseline=baseline,
                note=f"{DETERMINISTIC}; boosting re-run beside it {alone:.4f}, when first measured {floor}",
            )
        )
    return figures


def _at_us(day: str) -> int:
    return int(np.datetime64(day, "D").astype(int)) * DAY_US
