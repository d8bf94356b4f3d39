"""How far learning is, as the live page shows it."""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from dashboards.ranking import average_precision

CURVE_POINTS_MAX = 400
LABELS_OF_EACH_KIND_MIN = 10
"""Fewer known frauds, or fewer known genuine payments, say nothing of how well fraud is found."""
LESSON = timedelta(hours=1)
"""The learner learns at full hours of event time (`models.learning.Schedule.cut_us`)."""


@dataclass(frozen=True)
class CurvePoint:
    """How far learning was at one moment: labels in the snapshot, and average precision of known payments."""

    labels: int
    average_precision: float | None


@dataclass
class Learning:
    """What is known of the models."""

    labels: int = 0
    versions: dict[str, int] = field(default_factory=dict)
    counted: Counter[str] = field(default_factory=Counter)
    """Labels by kind, also those that matured without a report."""
    latest_at: datetime | None = None
    known_frauds: int = 0
    known_genuine: int = 0
    average_precision: float | None = None
    curve: list[CurvePoint] = field(default_factory=list)

    @property
    def reported(self) -> int:
        """Labels that someone reported."""
        return self.counted.total() - self.counted["matured"]

    @property
    def reported_learned(self) -> int:
        """How many of these are learned, at least: a snapshot counts matured labels too."""
        return min(self.reported, max(0, self.labels - self.counted["matured"]))

    @property
    def next_lesson(self) -> datetime | None:
        """The full hour from which on the next label brings a lesson; None before the first label."""
        if self.latest_at is None:
            return None
        return self.latest_at.replace(minute=0, second=0, microsecond=0) + LESSON

    @property
    def enough_known(self) -> bool:
        """Whether enough is known for an average precision to mean anything."""
        return min(self.known_frauds, self.known_genuine) >= LABELS_OF_EACH_KIND_MIN

    def judge(self, labeled: Collection[tuple[float, bool]]) -> None:
        """Measure how well fraud is found among payments whose truth is known, and put it on the curve."""
        self.known_frauds = sum(fraud for _, fraud in labeled)
        self.known_genuine = len(labeled) - self.known_frauds
        self.average_precision = average_precision(labeled) if self.enough_known else None
        self.mark()

    def mark(self) -> None:
        """Put where learning stands on the curve; the latest point of as many labels gives way to it."""
        point = CurvePoint(self.labels, self.average_precision)
        if self.curve and self.curve[-1].labels == point.labels:
            self.curve.pop()
        self.curve.append(point)
        if len(self.curve) > CURVE_POINTS_MAX:
            # Every second point goes, so that the curve keeps its whole length.
            del self.curve[1::2]
