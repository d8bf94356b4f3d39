"""Replay through the engine in a plain loop: no log, no Bytewax, as fast as it goes.

The rows are the same as those of the flow, bit for bit: both take the same segments from `ReplaySource`.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from models.boosting import Boosting, fit
from models.controls import Controls
from models.engine import Engine
from models.learning import Flags, Learner, Schedule
from models.observations import Label
from models.scored import MemoryStore, Scored
from models.slots import Matrix
from models.windows import DAY_US
from pipelines.replay.source import Outcomes, ReplaySource

Progress = Callable[[int], None]
"""Told how many payments were assessed since the last call."""


@dataclass
class Cost:
    """CPU-seconds of this process by what they were spent on, and wall seconds of the whole run."""

    scoring_seconds: float = 0.0
    learning_seconds: float = 0.0
    refits_seconds: float = 0.0
    wall_seconds: float = 0.0
    payments: int = 0

    @property
    def payments_per_second(self) -> float:
        """Payments per wall second."""
        return self.payments / self.wall_seconds if self.wall_seconds else 0.0


@dataclass
class DirectRun:
    """One engine and one learner over a source."""

    source: ReplaySource
    schedule: Schedule
    controls: Controls = field(default_factory=Controls.builtin)
    cost: Cost = field(default_factory=Cost)

    def run(self, progress: Progress) -> Outcomes:
        """Assess every payment; the answers stand in the order of the source's frame."""
        memory_days = self.source.label_lag_us // DAY_US + 1
        engine = Engine(self.controls, memory_days, track_changes=False)
        learner = Learner(MemoryStore(keep_days=memory_days), self.schedule, fit=self._timed_fit)
        started = time.monotonic()
        for segment in self.source.segments():
            self._learned(engine, learner, segment.start_us)
            before = time.process_time()
            assessments = engine.assess(segment.facts)
            self.source.take(assessments)
            scored = time.process_time()
            learner.note_scored([Scored(a.payment_id, a.occurred_at_us, a.features) for a in assessments])
            # After the rows: a label may be of a payment in the same segment.
            for fact in segment.facts:
                if isinstance(fact, Label):
                    learner.note_label(fact)
            self.cost.scoring_seconds += scored - before
            self.cost.learning_seconds += time.process_time() - scored
            self.cost.payments += len(assessments)
            progress(len(assessments))
        self.cost.wall_seconds = time.monotonic() - started
        return self.source.outcomes

    def _learned(self, engine: Engine, learner: Learner, boundary_us: int) -> None:
        """Everything that the labels up to the boundary teach is in force before its segment is scored."""
        before, refits = time.process_time(), self.cost.refits_seconds
        for snapshot in learner.cut(boundary_us):
            engine.use(snapshot)
        # Refits happen inside of it and are counted apart.
        self.cost.learning_seconds += time.process_time() - before - (self.cost.refits_seconds - refits)

    def _timed_fit(self, numbers: Matrix, frauds: Flags) -> Boosting:
        before = time.process_time()
        fitted = fit(numbers, frauds)
        self.cost.refits_seconds += time.process_time() - before
        return fitted


def write_outcomes(frame: pl.DataFrame, outcomes: Outcomes, path: Path) -> None:
    """One row per payment, in time order, with the transaction_id of the file.

    CSV holds no lists: there the reasons are one text, parted by semicolons.
    """
    answers = {
        "score": pl.Series(outcomes.scores, dtype=pl.Float64),
        "risk_score": pl.Series(outcomes.risk_scores, dtype=pl.Int32),
        "outcome": pl.Series(outcomes.outcomes, dtype=pl.String),
        "reasons": pl.Series(outcomes.reasons, dtype=pl.List(pl.String)),
    }
    rows = frame.select(transaction_id="original_id").with_columns(**answers)
    if path.suffix.lower() == ".csv":
        rows.with_columns(pl.col("reasons").list.join("; ")).write_csv(path)
    else:
        rows.write_parquet(path)
