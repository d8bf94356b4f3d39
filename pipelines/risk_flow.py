"""The risk dataflow: assessments, labels, payments, sign-ins, models and controls in; decisions out."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from queue import Queue

import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.operators import StatefulBatchLogic
from bytewax.run import cli_main

from events.clock import Clock
from events.codec import encode
from events.dead_letters import refusal
from events.log.port import Log, Outgoing
from events.tracing import is_tracing, record_span
from models.errors import StateRowError
from models.state import Bounds
from pipelines.delivery import Batch
from pipelines.errors import StateCorruptError, StateFormatError
from pipelines.metrics import CHECKPOINT_SECONDS, EPOCHS, note_answers, note_rows
from pipelines.order import OrderJournal
from pipelines.pacing import SpillPace
from pipelines.rebuilding import set_aside, usable_store
from pipelines.risk_step import Answers, RiskStep
from pipelines.root_cause import root_cause
from pipelines.share import WHOLE, Share
from pipelines.sink import Reply, ReplySink
from pipelines.source import BatchOrder, Feed, LogSource, Positions, written_positions
from pipelines.state_store import Point, StateStore

logger = logging.getLogger(__name__)

TOPICS = ("controls", "models", "accounts", "assessments", "payments", "labels")
"""In the order in which a poll hands them over: what came of a payment is lost on who has not met it yet."""
FIRST = ("controls", "models")
EPOCH_SECONDS = 1.0
"""How much is read again after a crash, about twice; shorter costs a sync each, longer a longer restart."""

SPILL_DECISIONS = 256
"""After so many decisions changed rows are encoded, so that an epoch's end has no more to do than that."""


@dataclass(frozen=True)
class Parts:
    """What the flow is made of; `new_step` makes a step without state.

    `start`, `script` and `until`: see `pipelines.source.Feed`. `replies_start`: see `start` of
    `pipelines.sink.ReplySink`; without it the same `start`. `share`: what it answers, where several flows
    share the work; its steps are made for the same.
    """

    log: Log
    home: Path
    clock: Clock
    new_step: Callable[[], RiskStep]
    epoch_seconds: float = EPOCH_SECONDS
    start: Mapping[str, int] = field(default_factory=dict)
    script: "Queue[BatchOrder] | None" = None
    reached: Positions = field(default_factory=dict)
    """Filled with where the flow is, for whoever looks from another thread."""
    replies_start: Mapping[str, int] = field(default_factory=dict)
    share: Share = WHOLE
    until: Mapping[str, int] | None = None
    after_epoch: Callable[[], None] = lambda: None
    """Called at the end of each epoch, when its rows are written."""
    bounds: Bounds = field(default_factory=Bounds)
    """How much of the state is in memory."""


class _Logic(StatefulBatchLogic[Batch, list[Reply], None]):
    """The step with its rows. Bytewax says when an epoch ends and keeps nothing: the store has it all."""

    def __init__(self, step: RiskStep, store: StateStore, parts: Parts, sink: ReplySink) -> None:
        self._step, self._store, self._sink = step, store, sink
        self._clock, self._after_epoch = parts.clock, parts.after_epoch
        self._pace = SpillPace(SPILL_DECISIONS)
        self._last: Batch | None = None
        try:
            step.spill_to(store, parts.bounds)
            with closing(store.own_rows()) as rows:
                refused = step.load(rows)
        except StateRowError as error:
            raise store.unreadable(error) from error
        for control in refused:
            logger.warning("a stored control is not in force, as this build refuses it: %s", control)

    def on_batch(self, values: list[Batch]) -> tuple[Iterable[list[Reply]], bool]:
        now, began = self._clock.now(), time.perf_counter()
        try:
            answers = [self._step.handle(batch.delivered, now) for batch in values]
        except StateRowError as error:
            raise self._store.unreadable(error) from error
        self._last = values[-1]
        if self._pace.made(sum(len(answer.decisions) for answer in answers)):
            self._store.write(self._step.changed_rows())
        replies = [replies_of(answer, now) for answer in answers]
        for answer in answers:
            note_answers(answer.decisions, len(answer.refused), time.perf_counter() - began)
            if is_tracing():
                _record_decisions(answer, now)
        return replies, StatefulBatchLogic.RETAIN

    def snapshot(self) -> None:
        if self._last is None:
            return
        began = time.perf_counter()
        self._store.write(self._step.changed_rows())
        point = Point(
            version=self._store.version + 1,
            batch=self._last.number,
            positions=written_positions(self._last.reached),
            replies=self._sink.places,
        )
        self._store.commit(point)
        self._last = None
        self._pace.written()
        self._after_epoch()
        CHECKPOINT_SECONDS.observe(time.perf_counter() - began)
        EPOCHS.set(point.version)
        note_rows(self._step.rows_in_memory())


def _record_decisions(answer: Answers, taken_up: datetime) -> None:
    began_ns, ended_ns = int(taken_up.timestamp() * 1e9), time.time_ns()
    for _, decision in answer.decisions:
        if decision.trace:
            told = {"weir.outcome": decision.outcome, "weir.shard": decision.shard}
            record_span("decision", decision.trace, began_ns, ended_ns, told)


def replies_of(answers: Answers, now: datetime) -> list[Reply]:
    """Decisions into the partitions of their requests, in order; refusals to the dead letters."""
    replies = [
        Reply(
            decision.request_offset, Outgoing("decisions", key, encode(decision), decision.request_partition)
        )
        for key, decision in answers.decisions
    ]
    replies += [Reply(None, refusal(*refused, now=now)) for refused in answers.refused]
    return replies


def risk_flow(source: LogSource, logic: _Logic, sink: ReplySink) -> Dataflow:
    """Wiring alone: source, step, sink."""
    flow = Dataflow("risk")
    batches = op.input("log", flow, source)
    answers = op.stateful_batch("step", batches, lambda _: logic)
    op.output("decisions", answers, sink)
    return flow


def run(parts: Parts, stop: threading.Event, ready: Callable[[], None]) -> None:
    """Run until `stop` is set; the state of the last epoch is then safe. Errors of the parts come through.

    A state that cannot be used is set aside, once, and made again from the log.
    """
    with closing(OrderJournal(parts.home / "order", parts.share)) as journal:
        store = usable_store(parts.home, journal.sync)
        try:
            _run(parts, store, journal, stop, ready)
        except (StateFormatError, StateCorruptError) as error:
            if store.fault is None:  # the recorded order, without which nothing could be made again
                raise
            set_aside(parts.home, error)
            parts.reached.clear()
            _run(parts, usable_store(parts.home, journal.sync), journal, stop, ready)


def _run(
    parts: Parts, store: StateStore, journal: OrderJournal, stop: threading.Event, ready: Callable[[], None]
) -> None:
    with closing(store):
        point = store.point
        replies = parts.replies_start or parts.start
        sink = ReplySink(parts.log, "decisions", {**replies, **point.replies}, share=parts.share)
        feed = Feed(
            parts.log,
            TOPICS,
            FIRST,
            start=point.positions if point.version else parts.start,
            batch=point.batch,
            journal=journal,
            script=parts.script,
            reached=parts.reached,
            until=parts.until,
            stop=stop,
            ready=ready,
        )
        # Made here and not by the first batch, which need not wait for the loading of rows.
        logic = _Logic(parts.new_step(), store, parts, sink)
        flow = risk_flow(LogSource(feed), logic, sink)
        try:
            cli_main(flow, epoch_interval=timedelta(seconds=parts.epoch_seconds))
        except RuntimeError as error:
            raise root_cause(error) from error
