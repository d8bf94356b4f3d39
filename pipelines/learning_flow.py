"""The learning dataflow: decisions, captures and labels in; matured labels and model snapshots out.

Positions live in the learner's own database, in the transaction that holds what the events led to, so Bytewax
keeps no recovery for this flow.
"""

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter
from queue import Queue
from typing import NamedTuple

import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.operators import StatefulBatchLogic
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.run import cli_main

from events.clock import Clock
from events.crash import crash_point, declare
from events.log.port import Log
from pipelines.delivery import Batch
from pipelines.learning_step import LearningStep
from pipelines.learning_store import LearningStore, Unsent
from pipelines.pacing import CommitPace
from pipelines.root_cause import root_cause
from pipelines.source import BatchOrder, Feed, LogSource, Positions

declare(
    {
        "learning.outbox.sending": "what is to be published is durable in the outbox, not in the log",
        "learning.outbox.sent": "it is in the log and still in the outbox: it will be sent again",
    }
)

TOPICS = ("decisions", "payments", "labels")

COMMIT_SECONDS = 0.25
"""Longest stretch of events in one transaction: at most so many syncs, and as much to learn again."""


@dataclass(frozen=True)
class LearningParts:
    """What the flow is made of. `handled` hears how many batches are through, published things included;
    `reached` is filled with where the flow is."""

    log: Log
    clock: Clock
    store: LearningStore
    step: LearningStep
    start: Mapping[str, int] = field(default_factory=dict)
    script: "Queue[BatchOrder] | None" = None
    handled: Callable[[int], None] = lambda _count: None
    rest_seconds: float | None = None
    reached: Positions = field(default_factory=dict)


class Through(NamedTuple):
    """So many batches are learned; what they led to is durable in the outbox."""

    batches: int
    unsent: list[Unsent]


class _Logic(StatefulBatchLogic[Batch, Through, None]):
    """The step with its commits: at once where something is to be published, else now and then."""

    def __init__(self, parts: LearningParts) -> None:
        self._parts = parts
        self._pace = CommitPace(COMMIT_SECONDS)
        self._batches = 0

    def on_batch(self, values: list[Batch]) -> tuple[Iterable[Through], bool]:
        now = self._parts.clock.now()
        for batch in values:
            self._parts.step.handle(batch, now)
        self._batches += len(values)
        # Snapshots are waited for by scorers, and every batch of a script by who wrote it.
        urgent = self._parts.step.publishes or self._parts.script is not None
        due = self._pace.taken_in(now, urgent=urgent)
        return (self._committed() if due else []), StatefulBatchLogic.RETAIN

    def on_notify(self) -> tuple[Iterable[Through], bool]:
        return self._committed(), StatefulBatchLogic.RETAIN

    def on_eof(self) -> tuple[Iterable[Through], bool]:
        return (self._committed() if self._pace.due_at is not None else []), StatefulBatchLogic.RETAIN

    def notify_at(self) -> datetime | None:
        return self._pace.due_at

    def snapshot(self) -> None:
        """The state is in the learner's own database."""

    def _committed(self) -> list[Through]:
        self._parts.step.commit()
        self._pace.committed()
        return [Through(self._batches, self._parts.store.unsent())]


class OutboxSink(DynamicSink[Through]):
    """Sends the outbox and takes it out of the store. One worker, as the store has one writer."""

    def __init__(self, parts: LearningParts) -> None:
        self._parts = parts

    def build(self, step_id: str, worker_index: int, worker_count: int) -> "_OutboxPart":
        del step_id, worker_index, worker_count
        return _OutboxPart(self._parts)


class _OutboxPart(StatelessSinkPartition[Through]):
    def __init__(self, parts: LearningParts) -> None:
        self._parts = parts
        send(parts.log, parts.store, parts.store.unsent())

    def write_batch(self, items: list[Through]) -> None:
        for through in items:
            send(self._parts.log, self._parts.store, through.unsent)
            self._parts.handled(through.batches)


def send(log: Log, store: LearningStore, unsent: list[Unsent]) -> None:
    """Append the outbox, in order, and forget it; after a crash between the two it is sent again."""
    if not unsent:
        return
    crash_point("learning.outbox.sending")
    log.append([record.outgoing for record in unsent])
    crash_point("learning.outbox.sent")
    store.sent(unsent[-1].number)


def learning_flow(parts: LearningParts, source: LogSource) -> Dataflow:
    """Wiring alone: source, step, outbox."""
    flow = Dataflow("learning")
    batches = op.input("log", flow, source)

    def begun(_state: None) -> _Logic:
        return _Logic(parts)

    through = op.stateful_batch("step", batches, begun)
    op.output("outbox", op.map("value", through, itemgetter(1)), OutboxSink(parts))
    return flow


def run(parts: LearningParts, stop: threading.Event, ready: Callable[[], None]) -> None:
    """Run until `stop` is set; everything read by then is committed. Errors of the parts come through."""
    feed = Feed(
        parts.log,
        TOPICS,
        start={**parts.start, **parts.store.positions()},
        script=parts.script,
        rest_seconds=parts.rest_seconds,
        reached=parts.reached,
        stop=stop,
        ready=ready,
    )
    try:
        cli_main(learning_flow(parts, LogSource(feed)))
    except RuntimeError as error:
        raise root_cause(error) from error
