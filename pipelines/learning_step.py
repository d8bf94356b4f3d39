"""The learner's step: events in, matured labels and model snapshots out, through the store's outbox.

Decisions bring features as scored, captures say which payments are real, labels teach. Event time advances
with the events of payments and labels themselves; what nobody reported within its horizon then becomes a
genuine label, published like any other and learned when it comes back from the log.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from events.codec import encode
from events.dead_letters import refusal
from events.log.port import Outgoing
from events.moments import microseconds, moment
from events.types import (
    DecisionMade,
    LabelReported,
    ModelPublished,
    PaymentCaptured,
    PaymentDecidedLate,
    PaymentEvent,
    PaymentRefunded,
    PaymentRefundFailed,
    PaymentReviewed,
)
from events.vocabulary import ModelKind
from models.errors import StateRowError
from models.feature import VALUE_MAX, Value
from models.features import CATALOGUE, FEATURES_VERSION
from models.learning import Learner
from models.observations import Label, ModelSnapshot
from models.odds import LOGIT_MAX
from models.scored import Captured, Scored
from models.windows import HOUR_US
from pipelines import observe
from pipelines.delivery import Batch
from pipelines.errors import UnusableEventError
from pipelines.learning_store import LearningStore
from pipelines.metrics import EVENT_TIME, LABELS, REFUSED, SNAPSHOTS

VERSIONS_KEPT: dict[ModelKind, int] = {"online": 240, "batch": 24, "challenger": 2}
"""Snapshots of a kind that stay in the compacted topic: the online ones for ten days of hourly cuts, so that
decisions of that time can be made again; a challenger decides nothing, so only its newest matter."""

MATURING_US = HOUR_US
"""Event time between two looks for payments that have matured."""

TakenBack = PaymentDecidedLate | PaymentReviewed | PaymentRefunded | PaymentRefundFailed
"""After which the money of a payment may go back."""


class LearningStep:
    """Everything is put into the store's open transaction; `commit` makes it durable."""

    def __init__(self, learner: Learner, store: LearningStore, matures: bool = True) -> None:
        """`matures` False: someone else says what matured. Raises `StateFormatError`."""
        self._learner = learner
        self._store = store
        self._matures = matures
        self._positions = store.positions()
        self._now_us = 0
        self._looked_us = 0
        self.publishes = False
        """Whether something to be published waits for the next commit."""
        kept = store.learner()
        if kept is not None:
            try:
                learner.load(kept[0])
            except StateRowError as error:
                raise store.unreadable(error) from error
            self._now_us = kept[1]

    def handle(self, batch: Batch, at: datetime) -> None:
        """Take a batch in; `at` is the learner's own time, for what it refuses."""
        scored: list[Scored] = []
        captured: list[Captured] = []
        returned: list[Captured] = []
        for record, event, reason in batch.delivered:
            self._positions[f"{record.topic}/{record.partition}"] = record.offset + 1
            if isinstance(event, DecisionMade):
                try:
                    scored += _scored(event)
                except UnusableEventError as error:
                    REFUSED.labels("learning").inc()
                    self._publish([refusal(record, error.reason, now=at)])
            elif isinstance(event, PaymentCaptured):
                self._reach(microseconds(event.occurred_at))
                captured.append(_moved(event))
            elif isinstance(event, TakenBack):
                returned += _returned(event)
            elif isinstance(event, LabelReported):
                # The label may be of a payment in this very batch.
                self._take_in(scored)
                scored = []
                self._note_label(observe.label(event))
            elif reason is not None and record.topic == "decisions":  # the risk flow refuses the others
                self._publish([refusal(record, reason, now=at)])
        self._take_in(scored)
        self._store.note_captured(captured)
        self._store.note_returned(returned)
        if batch.labels_until_us is not None:
            self._publish_models(self._learner.cut(batch.labels_until_us))
        self._mature()

    def commit(self) -> None:
        """Make all of it durable."""
        self._store.commit(self._learner.encode(), self._now_us, self._positions)
        self.publishes = False

    def _take_in(self, scored: list[Scored]) -> None:
        if scored:
            self._reach(max(payment.occurred_at_us for payment in scored))
            self._learner.note_scored(scored)

    def _note_label(self, label: Label) -> None:
        self._reach(label.arrived_at_us)
        # A dispute about goods says nothing of fraud: its payment may still mature.
        if label.fraud is not None:
            self._store.note_reported([label.payment_id])
        LABELS.labels(label.kind).inc()
        EVENT_TIME.set(self._now_us / 1e6)
        self._publish_models(self._learner.note_label(label))

    def _reach(self, at_us: int) -> None:
        self._now_us = max(self._now_us, at_us)

    def _mature(self) -> None:
        if not self._matures or self._now_us < self._looked_us + MATURING_US:
            return
        self._looked_us = self._now_us
        while labels := self._learner.matured(self._now_us):
            self._store.note_reported(label.payment_id for label in labels)
            self._publish([_reported(label) for label in labels])

    def _publish_models(self, snapshots: Iterable[ModelSnapshot]) -> None:
        for one in snapshots:
            SNAPSHOTS.labels(one.kind).inc()
            self._publish(published(one, self._positions))

    def _publish(self, records: Sequence[Outgoing]) -> None:
        if records:
            self._store.publish(records)
            self.publishes = True


def published(snapshot: ModelSnapshot, positions: dict[str, int]) -> list[Outgoing]:
    """The snapshot under a key of its own, and the end of the oldest one kept.

    Keys are `NAME@VERSION`: compaction keeps a stretch of versions, so that a recent decision can be made
    again, and a new reader still finds the newest of each.
    """
    key, from_when = _key(snapshot.name, snapshot.version), moment(snapshot.in_force_from_us)
    event = ModelPublished(
        id=observe.derived_id("model", key.decode(), from_when),
        occurred_at=from_when,
        name=snapshot.name,
        kind=snapshot.kind,
        version=snapshot.version,
        learned_to=dict(positions),
        labels=snapshot.labels,
        state=snapshot.state,
    )
    records = [Outgoing("models", key, encode(event))]
    ended = snapshot.version - VERSIONS_KEPT[snapshot.kind]
    if ended > 0:
        records.append(Outgoing("models", _key(snapshot.name, ended), None))
    return records


def _moved(event: PaymentEvent) -> Captured:
    return Captured(event.payment_id, microseconds(event.occurred_at), event.mode)


def _returned(event: TakenBack) -> list[Captured]:
    """A payment whose money goes back: that nobody reports it says no more than of one never captured."""
    if isinstance(event, PaymentDecidedLate):
        goes_back = event.ruling.outcome == "block"
    elif isinstance(event, PaymentReviewed):
        # Of a part that was captured before the hold.
        goes_back = event.verdict == "rejected"
    else:
        goes_back = True
    return [_moved(event)] if goes_back else []


def _key(name: str, version: int) -> bytes:
    return f"{name}@{version}".encode()


def _scored(event: DecisionMade) -> list[Scored]:
    """A vector of another catalogue can't be learned by this one's models; raises `UnusableEventError`."""
    if event.versions.features != FEATURES_VERSION:
        return []
    row = event.features
    if len(row) != len(CATALOGUE) or not all(map(_fits, _LARGEST, row)):
        raise UnusableEventError("the features are not those of the catalogue")
    return [Scored(event.payment_id, microseconds(event.occurred_at), row)]


# None for a text. Beyond it one label would carry the weights off for good.
_LARGEST = [
    None if feature.type == "text" else LOGIT_MAX if feature.kind == "logit" else VALUE_MAX
    for feature in CATALOGUE
]


def _fits(largest: float | None, value: Value) -> bool:
    if value is None or isinstance(value, str):
        return value is None or largest is None
    return largest is not None and abs(value) <= largest


def _reported(label: Label) -> Outgoing:
    at = moment(label.arrived_at_us)
    event = LabelReported(
        id=observe.derived_id("matured", label.payment_id, at),
        occurred_at=at,
        payment_id=label.payment_id,
        kind="matured",
        source=label.source,
        fraud=label.fraud,
        mode=label.mode,
    )
    return Outgoing("labels", label.payment_id.encode(), encode(event))
