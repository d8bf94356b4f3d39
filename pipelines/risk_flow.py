"""The risk dataflow: assessments, labels, payments, sign-ins, models and controls in; decisions out."""

import logging
import shutil
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
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.run import cli_main

from events.clock import Clock
from events.codec import encode
from events.crash import crash_point, declare
from events.dead_letters import refusal
from events.durable_files import make_folder_durably, sync_folder
from events.log.port import Log, Outgoing
from events.tracing import is_tracing, record_span
from models.errors import StateRowError
from pipelines.delivery import Batch
from pipelines.metrics import CHECKPOINT_SECONDS, EPOCHS, note_answers
from pipelines.order import OrderJournal
from pipelines.pacing import SpillPace
from pipelines.risk_step import Answers, RiskStep
from pipelines.root_cause import root_cause
from pipelines.share import WHOLE, Share
from pipelines.sink import Reply, ReplySink
from pipelines.source import BatchOrder, Feed, LogSource, Positions
from pipelines.state_store import StateStore

logger = logging.getLogger(__name__)

declare(
    {
        "state.recovery.making": "Bytewax's new recovery store has no name of its own yet",
        "state.recovery.made": "Bytewax's recovery store is in place, and empty",
    }
)

TOPICS = ("controls", "models", "accounts", "assessments", "payments", "labels")
"""In the order in which a poll hands them over: what came of a payment is lost on who has not met it yet."""
FIRST = ("controls", "models")
EPOCH_SECONDS = 1.0
"""How much is read again after a crash, at most; shorter costs a sync each, longer a longer restart."""

SPILL_DECISIONS = 256
"""After so many decisions changed rows are written, so that an epoch's end waits for a sync, not for more."""


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


class _Logic(StatefulBatchLogic[Batch, list[Reply], int]):
    """The step with its rows: Bytewax keeps the version number alone."""

    def __init__(self, step: RiskStep, store: StateStore, parts: Parts, version: int) -> None:
        self._step, self._store, self._version = step, store, version
        self._clock, self._after_epoch = parts.clock, parts.after_epoch
        self._pace = SpillPace(SPILL_DECISIONS)
        # The store may have committed a version whose epoch Bytewax had not closed yet.
        store.rewind(version)
        try:
            with closing(store.rows()) as rows:
                refused = step.load(rows)
        except StateRowError as error:
            raise store.unreadable(error) from error
        for control in refused:
            logger.warning("a stored control is not in force, as this build refuses it: %s", control)

    def on_batch(self, values: list[Batch]) -> tuple[Iterable[list[Reply]], bool]:
        now, began = self._clock.now(), time.perf_counter()
        answers = [self._step.handle(batch.delivered, now) for batch in values]
        if self._pace.made(sum(len(answer.decisions) for answer in answers)):
            self._store.write(self._step.changed_rows())
        replies = [replies_of(answer, now) for answer in answers]
        for answer in answers:
            note_answers(answer.decisions, len(answer.refused), time.perf_counter() - began)
            if is_tracing():
                _record_decisions(answer, now)
        return replies, StatefulBatchLogic.RETAIN

    def snapshot(self) -> int:
        began = time.perf_counter()
        self._store.write(self._step.changed_rows())
        self._version += 1
        self._store.commit(self._version)
        self._pace.written()
        self._after_epoch()
        CHECKPOINT_SECONDS.observe(time.perf_counter() - began)
        EPOCHS.set(self._version)
        return self._version


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


def risk_flow(parts: Parts, source: LogSource, sink: ReplySink, store: StateStore) -> Dataflow:
    """Wiring alone: source, step, sink."""
    flow = Dataflow("risk")
    batches = op.input("log", flow, source)

    def resumed(version: int | None) -> _Logic:
        return _Logic(parts.new_step(), store, parts, version or 0)

    answers = op.stateful_batch("step", batches, resumed)
    op.output("decisions", answers, sink)
    return flow


def run(parts: Parts, stop: threading.Event, ready: Callable[[], None]) -> None:
    """Run until `stop` is set; the state of the last epoch is then safe. Errors of the parts come through."""
    journal = OrderJournal(parts.home / "order", parts.share)
    store = StateStore(parts.home / "state.sqlite")
    sink = ReplySink(parts.log, "decisions", parts.replies_start or parts.start, share=parts.share)
    feed = Feed(
        parts.log,
        TOPICS,
        FIRST,
        start=parts.start,
        journal=journal,
        script=parts.script,
        reached=parts.reached,
        until=parts.until,
        stop=stop,
        ready=ready,
    )
    source = LogSource(feed)
    try:
        cli_main(
            risk_flow(parts, source, sink, store),
            epoch_interval=timedelta(seconds=parts.epoch_seconds),
            recovery_config=RecoveryConfig(recovery_folder(parts.home / "recovery")),
        )
    except RuntimeError as error:
        raise root_cause(error) from error
    finally:
        store.close()
        journal.close()


def recovery_folder(path: Path) -> Path:
    """Bytewax's recovery store with one partition, made once: it is there whole or not at all."""
    if not any(path.glob("*.sqlite3")):
        making = path.with_name(f".{path.name}.new")
        shutil.rmtree(making, ignore_errors=True)
        make_folder_durably(making)
        init_db_dir(making, 1)
        crash_point("state.recovery.making")
        making.replace(path)
        sync_folder(path.parent)
        crash_point("state.recovery.made")
    return path
