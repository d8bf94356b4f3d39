"""Replay through the engine in a plain loop: no log, no Bytewax, as fast as it goes.

The rows are the same as those of the flow, bit for bit: both take the same segments from `ReplaySource`.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from models.boosting import Boosting, fit
from models.controls import Controls
from models.engine import Engine
from models.learning import Flags, Learner, Schedule
from models.observations import Assessment, Label
from models.scored import Kept, MemoryStore
from models.slots import Matrix, Slots
from models.vectors import packed_matrices
from models.windows import DAY_US
from pipelines.replay.cost import Cost
from pipelines.replay.source import Outcomes, ReplaySource, Segment

Progress = Callable[[int], None]
"""Told how many payments were assessed since the last call."""


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
        vectors = _Vectors(self.cost)
        engine.scorer.watch = vectors.take
        started = time.monotonic()
        for segment in self._told():
            self._learned(engine, learner, segment.start_us)
            with self.cost.of("scoring"):
                assessments = engine.assess(segment.facts)
            with self.cost.of("writing"):
                self.source.take(assessments)
            with self.cost.of("learning"):
                learner.note_kept(vectors.kept(assessments))
                # After the payments: a label may be of one in the same segment.
                for fact in segment.facts:
                    if isinstance(fact, Label):
                        learner.note_label(fact)
            self.cost.payments += len(assessments)
            progress(len(assessments))
        with self.cost.of("writing"):
            self.source.finish()
        self.cost.wall_seconds = time.monotonic() - started
        return self.source.outcomes

    def _told(self) -> Iterator[Segment]:
        segments = self.source.segments()
        while True:
            with self.cost.of("telling"):
                segment = next(segments, None)
            if segment is None:
                return
            yield segment

    def _learned(self, engine: Engine, learner: Learner, boundary_us: int) -> None:
        """Everything that the labels up to the boundary teach is in force before its segment is scored."""
        with self.cost.of("learning"):
            for snapshot in learner.cut(boundary_us):
                engine.use(snapshot)

    def _timed_fit(self, numbers: Matrix, frauds: Flags) -> Boosting:
        with self.cost.of("refits"):
            return fit(numbers, frauds)


class _Vectors:
    """What the scorer makes of each payment, packed for the learner, which then need not make it again."""

    def __init__(self, cost: Cost) -> None:
        self._cost = cost
        self._packed: list[bytes] = []

    def take(self, numbers: Matrix, slots: Slots) -> None:
        """Rows as scored."""
        with self._cost.of("learning"):
            self._packed += packed_matrices(numbers, slots)

    def kept(self, assessments: Sequence[Assessment]) -> list[Kept]:
        """With the payments whose they are: all that were assessed since the last call."""
        vectors, self._packed = self._packed, []
        return [
            Kept(answer.payment_id, answer.occurred_at_us, vector)
            for answer, vector in zip(assessments, vectors, strict=True)
        ]
