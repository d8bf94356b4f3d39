"""The learner: labels in, model snapshots out. Pure: vectors wait in a store that is a parameter.

- A label counts when it arrives. `models.labels` resolves duplicates, contradictions and revocations: the
  step of a revoked label is taken back (a step of weight -1), then the new label is learned.
- A label of a payment that was not scored yet waits for it, the latest `WAITING_MAX` at most.
- A payment without a report gets a genuine label of kind `matured` at its time plus the horizon: `matured`
  names them, the caller publishes them like any label.
- Snapshots are cut at boundaries of event time (the first at or after the labels that they learned), from
  what arrived up to the boundary, in its order. A label that comes with a time before the last cut is learned
  with the next. No clock and no payment moves a boundary: the same labels give the same snapshots.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
import numpy.typing as npt

from events.vocabulary import ModelKind
from models.averaging import AveragedChampion
from models.blending import BOOSTING, CHAMPION
from models.boosting import Boosting, fit
from models.challenger import COLUMNS, Challenger
from models.challenger import NAME as CHALLENGER
from models.challenger_learning import ChallengerLearner
from models.descent import Step
from models.errors import StateRowError
from models.labels import HORIZON_DAYS, Effect, Standing, resolve
from models.learner_state import LearnerState, News, Published
from models.observations import Label, ModelSnapshot
from models.online import BinnedLogisticRegression, linear_values
from models.scored import Kept, Labeled, Scored, ScoredStore, in_history, kept
from models.slots import Matrix
from models.vectors import numbers_of_vectors, unpacked
from models.windows import DAY_US, HOUR_US

WAITING_MAX = 10_000
"""Labels of payments that were not scored yet: far more than are under way at once, and a few megabytes."""
Flags = npt.NDArray[np.bool_]
Fit = Callable[[Matrix, Flags], Boosting]
Taught = tuple[str, Standing | None, bool]
"""A payment, the label that was in force, and whether the one that takes its place says fraud."""


@dataclass(frozen=True)
class Schedule:
    """When models are cut. `cut_us` divides a day; refits fall on every `refit_days`-th midnight UTC."""

    cut_us: int = HOUR_US
    refit_days: int = 3
    history_days: int = 60
    horizon_days: float = HORIZON_DAYS
    refit_frauds_min: int = 100
    refit_genuine_min: int = 1_000
    """Of the thinned genuine payments. A boosting on fewer labels would learn the payments by heart.

    Round, not tuned: a hundred frauds fill a few leaves of forty payments.
    """


class Learner:
    """Learns the champion, its challenger and the boosting. `counts` tells what labels did.

    The champion is published as the average of its latest states (`models.averaging`).

    >>> from models.features import CATALOGUE
    >>> from models.scored import MemoryStore
    >>> learner = Learner(MemoryStore())
    >>> learner.note_scored([Scored("pi_1", 0, [None] * len(CATALOGUE))])
    >>> told = {"payment_id": "pi_1", "kind": "fraud_dispute", "source": "network", "fraud": True}
    >>> learner.note_label(Label(arrived_at_us=1, **told))
    []
    >>> [(snapshot.name, snapshot.labels) for snapshot in learner.cut(HOUR_US)]
    [('champion', 1), ('scaled_logistic', 1)]
    """

    def __init__(self, store: ScoredStore, schedule: Schedule | None = None, fit: Fit = fit) -> None:
        """`fit` makes a boosting of thinned history: a parameter, so that a caller may time it."""
        self.store = store
        self._fit = fit
        self.schedule = schedule or Schedule()
        self.champion = BinnedLogisticRegression()
        self.average = AveragedChampion()
        self.challenger = ChallengerLearner()
        self.counts = dict.fromkeys([*(effect.value for effect in Effect), "waiting", "dropped"], 0)
        self._cut_at_us: int | None = None
        self._due_us: int | None = None
        """`_next_boundary`, kept."""
        self._online_version = 0
        self._batch_version = 0
        self._unpublished = False
        self._unfitted = False
        self._pending: list[Label] = []
        self._latest_us = 0
        self._waiting: dict[str, list[Label]] = {}

    def note_scored(self, scored: Sequence[Scored]) -> None:
        """Payments were scored; labels that waited for them are taken up."""
        self.note_kept(kept(scored))

    def note_kept(self, payments: Sequence[Kept]) -> None:
        """The same for payments whose vectors are packed already."""
        self.store.remember(payments)
        if self._waiting:
            for payment in payments:
                for label in self._waiting.pop(payment.payment_id, ()):
                    self._queue(label)

    def note_label(self, label: Label) -> list[ModelSnapshot]:
        """A label arrived; the snapshots of the boundaries that it passes, cut before it is learned."""
        snapshots = self._cut_before(label.arrived_at_us)
        self._queue(label)
        return snapshots

    def cut(self, boundary_us: int) -> list[ModelSnapshot]:
        """The snapshots of every boundary up to this one, where the labels brought anything new.

        The caller promises that every label up to the boundary was noted; it gets what a later label would
        have brought about.
        """
        return self._cut_before(boundary_us + 1)

    def matured(self, now_us: int, limit: int = 10_000) -> list[Label]:
        """Genuine labels for payments that nobody reported within the horizon, at most `limit` at once.

        The caller publishes them, notes them in the store as reported, and asks again until there are none.
        """
        horizon_us = int(self.schedule.horizon_days * DAY_US)
        return [
            Label(
                payment_id=payment_id,
                arrived_at_us=occurred_at_us + horizon_us,
                kind="matured",
                source="horizon",
                fraud=False,
                mode=mode,
            )
            for payment_id, occurred_at_us, mode in self.store.silent(now_us - horizon_us, limit)
        ]

    def encode(self) -> bytes:
        """The learner's own state; rows stay in the store."""
        waiting = [label for labels in self._waiting.values() for label in labels]
        return msgspec.msgpack.encode(
            LearnerState(
                self.champion.encode(),
                self.average.model.encode(),
                self.average.cuts,
                self.challenger.learned.encode(),
                self._cut_at_us,
                Published(self._online_version, self._batch_version),
                News(self._unpublished, self._unfitted),
                self._pending,
                waiting,
            )
        )

    def load(self, state: bytes) -> None:
        """Take up an earlier state; the learner must be new. Raises `StateRowError`."""
        try:
            decoded = msgspec.msgpack.decode(state, type=LearnerState)
            self.champion = BinnedLogisticRegression.decode(decoded.champion)
            average = BinnedLogisticRegression.decode(decoded.average)
            self.challenger = ChallengerLearner.of(Challenger.decode(decoded.challenger))
        except (msgspec.DecodeError, ValueError, IndexError):
            raise StateRowError("learner") from None
        self.average = AveragedChampion(average, decoded.average_cuts)
        self._cut_at_us = decoded.cut_at_us
        self._online_version, self._batch_version = decoded.published.online, decoded.published.batch
        self._unpublished, self._unfitted = decoded.news.unpublished, decoded.news.unfitted
        self._due_us = self._next_boundary()
        for label in decoded.pending:
            self._queue(label)
        for label in decoded.waiting:
            self._waiting.setdefault(label.payment_id, []).append(label)

    def _queue(self, label: Label) -> None:
        at_us, due_us = label.arrived_at_us, self._due_us if self._pending else None
        self._latest_us = max(self._latest_us, at_us) if self._pending else at_us
        self._pending.append(label)
        # Up to the boundary that is due anyway, a later label moves none.
        if due_us is None or at_us > due_us:
            self._due_us = self._next_boundary()

    def _cut_before(self, end_us: int) -> list[ModelSnapshot]:
        snapshots: list[ModelSnapshot] = []
        while self._due_us is not None and self._due_us < end_us:
            snapshots += self._cut(self._due_us)
            self._due_us = self._next_boundary()
        return snapshots

    def _next_boundary(self) -> int | None:
        """The first boundary at which anything would be new."""
        cut_us, refit_us = self.schedule.cut_us, self.schedule.refit_days * DAY_US
        earliest_us = -1 if self._cut_at_us is None else self._cut_at_us + 1
        due = []
        if self._pending:
            due.append(_rounded_up(max(self._latest_us, earliest_us), cut_us))
        if self._unfitted:
            due.append(_rounded_up(earliest_us, refit_us))
        return min(due) if due else None

    def _cut(self, boundary_us: int) -> list[ModelSnapshot]:
        self._cut_at_us = boundary_us
        self._learn()
        snapshots = []
        if self._unfitted and boundary_us % (self.schedule.refit_days * DAY_US) == 0:
            snapshots += self._refitted(boundary_us)
        if self._unpublished:
            self._unpublished = False
            self._online_version += 1
            version, labels = self._online_version, self.champion.learned
            # Only at cuts that brought something new: an hour without labels weighs nothing.
            self.average.follow(self.champion)
            champion, challenger = self.average.model.encode(), self.challenger.learned.encode()
            snapshots += [
                _snapshot(CHAMPION, "online", version, boundary_us, labels, champion),
                _snapshot(CHALLENGER, "challenger", version, boundary_us, labels, challenger),
            ]
        return snapshots

    def _learn(self) -> None:
        """Learn what is pending, in order, from the vectors as scored."""
        pending, self._pending = self._pending, []
        found = self.store.find(list(dict.fromkeys([label.payment_id for label in pending])))
        taught: list[Taught] = []
        labeled: dict[str, Labeled] = {}
        for label in pending:
            payment_id = label.payment_id
            payment = found.get(payment_id)
            if payment is None:
                self._wait(label)
                continue
            before = labeled[payment_id].standing if payment_id in labeled else payment.standing
            effect, after = resolve(before, label)
            self.counts[effect.value] += 1
            if after is None or after == before:
                continue
            if effect in (Effect.TAUGHT, Effect.REVOKED):
                taught.append((payment_id, before, after.fraud))
            vector = payment.vector if in_history(payment_id, after.fraud) else None
            labeled[payment_id] = Labeled(payment_id, after, vector)
        self._step(taught, {payment_id: found[payment_id].vector for payment_id, _, _ in taught})
        self.store.label(list(labeled.values()))

    def _step(self, taught: Sequence[Taught], vectors: dict[str, bytes]) -> None:
        if not taught:
            return
        active, numbers = unpacked(list(vectors.values()))
        linear, raw = linear_values(numbers).tolist(), numbers[:, COLUMNS].tolist()
        places = {payment_id: place for place, payment_id in enumerate(vectors)}
        steps = []
        told = []
        for payment_id, before, fraud in taught:
            place = places[payment_id]
            if before is not None:
                # Not the inverse of the step that was taken, for the weights have moved since: what the label
                # would do now, backwards.
                steps.append(Step(active[place], linear[place], before.fraud, weight=-1.0))
            steps.append(Step(active[place], linear[place], fraud))
            # River's pipeline has no step back: the challenger learns the new label on top of the old one.
            told.append(raw[place])
        self.challenger.learn_all(told, [fraud for _, _, fraud in taught])
        self.champion.learn_all(steps)
        self._unpublished = self._unfitted = True

    def _wait(self, label: Label) -> None:
        self.counts["waiting"] += 1
        self._waiting.setdefault(label.payment_id, []).append(label)
        if len(self._waiting) > WAITING_MAX:
            # The one that has waited longest goes: its payment is the least likely to come still.
            self.counts["dropped"] += len(self._waiting.pop(next(iter(self._waiting))))

    def _refitted(self, boundary_us: int) -> list[ModelSnapshot]:
        """The boosting from the labels of the last `history_days`, where there are enough."""
        self._unfitted = False
        history = self.store.history(boundary_us - self.schedule.history_days * DAY_US, boundary_us)
        frauds = np.array([fraud for _, fraud in history], dtype=np.bool_)
        count = int(frauds.sum())
        if count < self.schedule.refit_frauds_min or len(frauds) - count < self.schedule.refit_genuine_min:
            return []
        numbers = numbers_of_vectors([vector for vector, _ in history])
        self._batch_version += 1
        state = self._fit(numbers, frauds).encode()
        return [_snapshot(BOOSTING, "batch", self._batch_version, boundary_us, len(frauds), state)]


def _rounded_up(moment_us: int, step_us: int) -> int:
    return -(-moment_us // step_us) * step_us


def _snapshot(
    name: str, kind: ModelKind, version: int, in_force_from_us: int, labels: int, state: bytes
) -> ModelSnapshot:
    return ModelSnapshot(
        name=name, kind=kind, version=version, in_force_from_us=in_force_from_us, labels=labels, state=state
    )
