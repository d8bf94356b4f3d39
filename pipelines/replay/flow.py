"""Replay through the log and the real dataflows, row for row what the plain loop gives.

What makes the rows independent of scheduling: the order of the facts (the flows are told which records make
up each batch, in the way in which they read again after a crash), and the boundaries of the models (the
learner is told up to which event time it knows all labels, and the scorer gets a segment's payments only
after the snapshots of that boundary). Everything else is what runs in production.
"""

import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from queue import Queue
from tempfile import TemporaryDirectory

from events.clock import SystemClock
from events.codec import decode
from events.log import open_log
from events.log.port import Log, Position, Record, TopicPartition
from events.types import DecisionMade
from models.controls import Controls
from models.engine import Engine
from models.learning import Learner, Schedule
from models.observations import Assessment
from models.windows import DAY_US
from pipelines import learning_flow, observe, risk_flow
from pipelines.errors import ReplayError
from pipelines.learning_step import LearningStep
from pipelines.learning_store import LearningStore
from pipelines.order_file import Run, runs_of
from pipelines.replay.cost import Cost
from pipelines.replay.direct import Progress
from pipelines.replay.facts import outgoing
from pipelines.replay.source import Outcomes, ReplaySource, Segment
from pipelines.risk_step import RiskStep
from pipelines.source import BatchOrder

PATIENCE_SECONDS = 600.0
"""A flow that has not moved for so long is stuck. A refit of a large history takes tens of seconds."""

EPOCH_SECONDS = 10.0
"""Nobody resumes a replay, so an epoch only costs its sync: ten seconds make that unnoticeable. Not tuned."""

WATCHED = ("assessments", "decisions", "labels", "models", "payments", "accounts", "controls")
"""Topics that the flows read or write."""


@dataclass
class FlowRun:
    """Both flows over a source, one segment after the other. `log_url` None: a log of its own, then gone."""

    source: ReplaySource
    schedule: Schedule
    log_url: str | None = None
    controls: Controls = field(default_factory=Controls.builtin)
    cost: Cost = field(default_factory=Cost)

    def run(self, progress: Progress) -> Outcomes:
        """Assess every payment; the answers stand in the order of the source's frame."""
        started = time.monotonic()
        with TemporaryDirectory(prefix="weir-replay-") as folder:
            # A log of its own goes with the run: nothing on it need outlive a power loss.
            url = self.log_url or f"sqlite:///{folder}/log.sqlite?synchronous=OFF"
            with closing(open_log(url)) as log, closing(self._flows(log, Path(folder))) as flows:
                for segment in self.source.segments():
                    assessments = flows.assess(segment)
                    self.source.take(assessments)
                    self.cost.payments += len(assessments)
                    progress(len(assessments))
        self.source.finish()
        self.cost.wall_seconds = time.monotonic() - started
        return self.source.outcomes

    def _flows(self, log: Log, home: Path) -> "_Flows":
        memory_days = self.source.label_lag_us // DAY_US + 1
        store = LearningStore(home / "learning.sqlite", keep_days=memory_days)
        step = LearningStep(Learner(store, self.schedule), store, matures=False)
        return _Flows(log, home, lambda: RiskStep(Engine(self.controls, memory_days)), store, step)


class _Flows:
    """The risk flow and the learning flow, each in a thread of its own, told batch by batch what to read."""

    def __init__(
        self, log: Log, home: Path, new_step: Callable[[], RiskStep], store: LearningStore, step: LearningStep
    ) -> None:
        self._log = log
        self._store = store
        self._models_end = log.ends("models")[0]
        places = [
            (TopicPartition("decisions", number), end) for number, end in enumerate(log.ends("decisions"))
        ]
        self._answers = log.reader(dict(places))
        self._risk_script: Queue[BatchOrder] = Queue()
        self._learning_script: Queue[BatchOrder] = Queue()
        self._learning_asked = 0
        self._learning_through = 0
        self._moved = threading.Condition()
        self._failure: BaseException | None = None
        self._stop = threading.Event()
        clock, start = SystemClock(), _ends(log)
        risk = risk_flow.Parts(
            log, home / "risk", clock, new_step, EPOCH_SECONDS, start=start, script=self._risk_script
        )
        learning = learning_flow.LearningParts(
            log, clock, store, step, start=start, script=self._learning_script, handled=self._handled
        )
        self._threads = [
            threading.Thread(target=self._run, args=(lambda: risk_flow.run(risk, self._stop, _nothing),)),
            threading.Thread(
                target=self._run, args=(lambda: learning_flow.run(learning, self._stop, _nothing),)
            ),
        ]
        for thread in self._threads:
            thread.start()

    def assess(self, segment: Segment) -> list[Assessment]:
        """A segment through both flows; the answers to its payments, in order."""
        self._teach(BatchOrder([], segment.start_us))
        self._until(lambda: self._learning_through >= self._learning_asked)
        models = self._new_models()
        positions = self._log.append([outgoing(fact) for fact in segment.facts])
        self._risk_script.put(BatchOrder(models + runs_of(positions)))
        asked = [position for position in positions if position.topic == "assessments"]
        answers = self._answered(asked)
        order = [records.position for records, _ in answers]
        self._teach(BatchOrder(runs_of(order) + runs_of([p for p in positions if p.topic == "labels"])))
        return [observe.assessment(decision) for _, decision in answers]

    def close(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self._answers.close()
        self._store.close()

    def _teach(self, order: BatchOrder) -> None:
        self._learning_asked += 1
        self._learning_script.put(order)

    def _new_models(self) -> list[Run]:
        """What the learner published since the last call."""
        start, self._models_end = self._models_end, self._log.ends("models")[0]
        return [Run("models", 0, start, self._models_end - 1)] if start < self._models_end else []

    def _answered(self, asked: list[Position]) -> list[tuple[Record, DecisionMade]]:
        """The decisions on these requests, in their order."""
        found: dict[tuple[int, int], tuple[Record, DecisionMade]] = {}
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(found) < len(asked):
            self._check(deadline)
            for record in self._answers.poll(4096, 0.05):
                event = decode(record.value)
                if isinstance(event, DecisionMade):
                    found[event.request_partition, event.request_offset] = (record, event)
        return [found[position.partition, position.offset] for position in asked]

    def _handled(self, count: int) -> None:
        with self._moved:
            self._learning_through = count
            self._moved.notify_all()

    def _until(self, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        with self._moved:
            while not self._moved.wait_for(lambda: done() or self._failure is not None, 1.0):
                self._check(deadline)
        self._check(deadline)

    def _check(self, deadline: float) -> None:
        if self._failure is not None:
            raise ReplayError(f"a flow stopped: {self._failure}") from self._failure
        if time.monotonic() > deadline:
            raise ReplayError(f"a flow has not moved for {PATIENCE_SECONDS:.0f} s")

    def _run(self, flow: Callable[[], None]) -> None:
        try:
            flow()
        except BaseException as error:
            with self._moved:
                self._failure = error
                self._moved.notify_all()


def _ends(log: Log) -> dict[str, int]:
    """Where every topic ends now: a replay begins there, also in a log that is in use."""
    return {f"{topic}/{number}": end for topic in WATCHED for number, end in enumerate(log.ends(topic))}


def _nothing() -> None:
    """Nobody waits for the flows of a replay to be ready: they are told what to read anyway."""
