"""What the live page shows, kept up to date from the events of the log, in bounded memory.

It holds no personal field: surrogates, sealed members and addresses are never copied out of an event. Latency
is what the log shows: the time from seeing a question to seeing its answer.
"""

from collections import Counter, OrderedDict
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import singledispatchmethod
from typing import TypeVar

from dashboards.in_force import AttemptKey, InForce
from dashboards.latest import Latest
from dashboards.ranking import average_precision
from dashboards.rows import AttemptRow, asked, marked, row, sentence
from dashboards.seconds import Seconds
from events.types import (
    AssessmentRequested,
    DecisionMade,
    Event,
    LabelReported,
    ModelPublished,
    PaymentAuthorized,
    PaymentBlocked,
    PaymentCaptured,
    PaymentDecidedLate,
    PaymentDeclined,
    PaymentRefunded,
    PaymentRefundFailed,
)
from events.vocabulary import Ruling

EARLY_MAX = 25
WAITING_MAX = 5_000
SCORES_MAX = 20_000
LABELED_MAX = 4_000
CURVE_POINTS_MAX = 400
LABELS_OF_EACH_KIND_MIN = 10
"""Fewer known frauds, or fewer known genuine payments, say nothing of how well fraud is found."""
LESSON = timedelta(hours=1)
"""The learner learns at full hours of event time (`models.learning.Schedule.cut_us`)."""

K = TypeVar("K")
V = TypeVar("V")


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


class LiveView:
    """All that the page shows. Not shared between threads without a lock."""

    def __init__(self) -> None:
        self.changes = 0
        self.rows = Latest()
        self.payments: Counter[str] = Counter()
        self.seconds = Seconds()
        self.learning = Learning()
        self._waiting: OrderedDict[AttemptKey, tuple[AssessmentRequested, float | None]] = OrderedDict()
        # Topics are read side by side: an answer may be seen before its question.
        self._early: OrderedDict[AttemptKey, DecisionMade] = OrderedDict()
        self._in_force = InForce()
        self._rulings: OrderedDict[AttemptKey, Ruling] = OrderedDict()
        self._scores: OrderedDict[str, float] = OrderedDict()
        self._labeled: OrderedDict[str, tuple[float, bool]] = OrderedDict()
        self._now = 0.0
        self._live = True
        self._stale_precision = False

    def take(self, event: Event, now_seconds: float, *, live: bool = True) -> None:
        """Take one event in, seen at `now_seconds` (monotonic).

        Not `live`: it was on the log before anyone looked, so that seeing it tells no latency and no rate.
        """
        self._now, self._live = now_seconds, live
        self.changes += 1
        self._take(event)

    def refresh(self) -> None:
        """Bring what is costly up to date; call before showing."""
        if self._stale_precision:
            self._stale_precision = False
            self.learning.judge(self._labeled.values())

    @property
    def outcomes(self) -> Counter[str]:
        """Attempts by the outcome that is in force."""
        return self._in_force.counted

    @property
    def decided(self) -> int:
        """All attempts with an outcome so far."""
        return self.outcomes.total()

    @singledispatchmethod
    def _take(self, event: Event) -> None:
        """Other events change nothing here."""

    @_take.register
    def _(self, event: AssessmentRequested) -> None:
        attempt = (event.payment_id, event.attempt)
        decision = self._early.pop(attempt, None)
        if decision is None:
            _keep(self._waiting, attempt, (event, self._now if self._live else None), WAITING_MAX)
        else:
            self._add(row(event, decision, None))

    @_take.register
    def _(self, event: DecisionMade) -> None:
        attempt = (event.payment_id, event.attempt)
        question = self._waiting.pop(attempt, None)
        _keep(self._scores, event.payment_id, event.probability, SCORES_MAX)
        latency_ms = self._since(question[1]) if question else None
        if latency_ms is not None:
            self.seconds.answered(self._now, latency_ms)
        # What was done without it stands until a late decision acts.
        if attempt not in self._in_force:
            self._put_in_force(attempt, event.outcome)
        if question is None:
            _keep(self._early, attempt, event, EARLY_MAX)
        else:
            self._add(row(question[0], event, latency_ms))

    @_take.register
    def _(self, event: PaymentAuthorized) -> None:
        self.payments["authorized"] += 1
        self.payments["fallback"] += not event.assessed
        self._rule(event, event.ruling)

    @_take.register
    def _(self, event: PaymentDeclined) -> None:
        self.payments["declined"] += 1
        self._rule(event, event.ruling)

    @_take.register
    def _(self, event: PaymentBlocked) -> None:
        self._rule(event, event.ruling)

    @_take.register
    def _(self, event: PaymentDecidedLate) -> None:
        if event.effect == "marked":
            self.payments["marked"] += 1
            self.rows.mark(marked(event))
        else:
            self._rule(event, event.ruling)

    @_take.register
    def _(self, event: PaymentRefunded) -> None:  # noqa: ARG002  # dispatch is by type
        self.payments["refunded"] += 1

    @_take.register
    def _(self, event: PaymentRefundFailed) -> None:
        self.payments["marked"] += 1
        self.rows.mark(marked(event))

    @_take.register
    def _(self, event: PaymentCaptured) -> None:  # noqa: ARG002  # dispatch is by type
        self.payments["captured"] += 1

    @_take.register
    def _(self, event: LabelReported) -> None:
        self.learning.counted[event.kind] += 1
        self.learning.latest_at = max(self.learning.latest_at or event.occurred_at, event.occurred_at)
        score = self._scores.get(event.payment_id)
        if event.fraud is not None and score is not None:
            _keep(self._labeled, event.payment_id, (score, event.fraud), LABELED_MAX)
            self._stale_precision = True

    @_take.register
    def _(self, event: ModelPublished) -> None:
        self.learning.versions[event.name] = event.version
        if event.kind == "online":
            self.learning.labels = event.labels
            self._stale_precision = True
            self.refresh()

    def _rule(
        self,
        event: PaymentAuthorized | PaymentDeclined | PaymentBlocked | PaymentDecidedLate,
        ruling: Ruling | None,
    ) -> None:
        """Show what was done where that is not what the engine said in time."""
        attempt = (event.payment_id, event.attempt)
        if ruling is not None:
            self._put_in_force(attempt, ruling.outcome)
        if ruling is None or (ruling.by == "engine" and not isinstance(event, PaymentDecidedLate)):
            return
        _keep(self._rulings, attempt, ruling, WAITING_MAX)
        if attempt in self._waiting and attempt not in self.rows:
            self._add(asked(self._waiting[attempt][0]))
        else:
            self._show(attempt)

    def _put_in_force(self, attempt: AttemptKey, outcome: str) -> None:
        before = self._in_force.put(attempt, outcome)
        # What was decided before anyone looked belongs to no second of the page's own clock.
        if self._live:
            self.seconds.decided(self._now, attempt, outcome, before)

    def _add(self, line: AttemptRow) -> None:
        self.rows.add(line)
        self._show((line.payment, line.attempt))

    def _show(self, attempt: AttemptKey) -> None:
        if (ruling := self._rulings.get(attempt)) is not None:
            self.rows.change(
                attempt,
                outcome=ruling.outcome,
                risk_score=ruling.risk_score,
                reasons=(sentence(ruling.text),),
            )

    def _since(self, seen_at: float | None) -> float | None:
        return None if seen_at is None or not self._live else (self._now - seen_at) * 1000


def _keep(kept: OrderedDict[K, V], key: K, value: V, size_max: int) -> None:
    kept[key] = value
    kept.move_to_end(key)
    while len(kept) > size_max:
        kept.popitem(last=False)
