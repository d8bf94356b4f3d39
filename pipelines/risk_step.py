"""The risk flow's step: batches of events in, decisions and refusals out. No log, no clock, no Bytewax.

Events are taken one after the other in the order given; runs of assessments reach the engine as one batch. An
assessment whose event id is among the last `REMEMBERED_ASSESSMENTS` is a duplicate and gets no second answer.
Anything else about time and order (clocks that run backwards, late events, labels of unknown payments) is the
engine's to define.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from events.log.port import Record
from events.types import (
    AssessmentRequested,
    ControlChanged,
    DecisionMade,
    Event,
    LabelReported,
    ModelPublished,
    PaymentAuthenticated,
    PaymentDeclined,
    PaymentIncremented,
    SignInAttempted,
)
from models.controls import Control
from models.engine import Fact
from models.errors import ControlError, StateRowError
from models.observations import Assessment, ModelSnapshot
from models.state import Bounds
from models.tables import ColdRows
from pipelines import observe
from pipelines.delivery import Delivered
from pipelines.errors import UnusableEventError
from pipelines.share import WHOLE, Share

REMEMBERED_ASSESSMENTS = 65_536
"""The window in which a duplicate is known: a relay repeats within seconds, this is minutes at 100/s."""

ASSESSMENT_BYTES_MAX = 512 * 1024
"""A request's texts stand in its decision up to six times (features, reasons), which must fit into the log.
What the API sends stays below a third of it."""

_TOLD: dict[type[Event], Callable[[Any], Fact | None]] = {
    LabelReported: observe.label,
    PaymentDeclined: observe.decline,
    PaymentIncremented: observe.increment,
    PaymentAuthenticated: observe.challenge,
    SignInAttempted: observe.sign_in,
}
"""What the engine is told of an event that asks for no answer; of others it is told nothing."""

SEEN = "seen/"
ENGINE = "engine/"


class RiskEngine(Protocol):
    """What the step needs of the engine (`models.engine.Engine`)."""

    def assess(self, batch: Sequence[Fact]) -> list[Assessment]: ...
    def use(self, snapshot: ModelSnapshot) -> None: ...
    def change(self, control: Control) -> None: ...
    def changed_rows(self) -> Mapping[str, bytes | None]: ...
    def load(self, rows: Iterable[tuple[str, bytes]]) -> list[str]: ...
    def spill_to(self, cold: ColdRows, bounds: Bounds) -> None: ...
    def rows_in_memory(self) -> Mapping[str, int]: ...


class Refused(NamedTuple):
    """A record for the dead letters, and why."""

    record: Record
    reason: str


class Answers(NamedTuple):
    """What a batch led to. Decisions, each with its request's key, stand in the order of their requests."""

    decisions: list[tuple[bytes, DecisionMade]]
    refused: list[Refused]


class RiskStep:
    """State: the engine's, and which assessments came last. It answers its `share` and follows the others."""

    def __init__(self, engine: RiskEngine, share: Share = WHOLE) -> None:
        self._engine = engine
        self._share = share
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._seen_count = 0
        self._changed: dict[str, bytes | None] = {}

    def answer_for(self, share: Share) -> None:
        """From now on answer this share: the state is the same, whoever answers."""
        self._share = share

    def handle(self, batch: Iterable[Delivered], assessed_at: datetime) -> Answers:
        """Take a batch in; `assessed_at` is the scorer's time.

        Raises `StateRowError` where a row of the state cannot be read.
        """
        answers = Answers([], [])
        facts = _Facts()
        for record, event, reason in batch:
            if event is None:
                if reason is not None:
                    self._refuse(answers, record, reason)
                continue
            try:
                if isinstance(event, (ModelPublished, ControlChanged)):
                    # What was told before a model or control is scored without it.
                    self._assess(facts, assessed_at, answers)
                    facts = _Facts()
                    self._take(event)
                else:
                    self._collect(event, record, facts)
            except (UnusableEventError, ControlError) as error:
                self._refuse(answers, record, error.reason)
        self._assess(facts, assessed_at, answers)
        return answers

    def changed_rows(self) -> dict[str, bytes | None]:
        """Rows that changed since the last call; None removes one."""
        changed, self._changed = self._changed, {}
        changed.update({ENGINE + key: value for key, value in self._engine.changed_rows().items()})
        return changed

    def spill_to(self, cold: ColdRows, bounds: Bounds) -> None:
        """Keep few rows in memory, where all of them are in `cold`; the step must be new.

        `cold` must give of each row what `changed_rows` gave last.
        """
        self._engine.spill_to(_EngineRows(cold), bounds)

    def rows_in_memory(self) -> Mapping[str, int]:
        """How many of the engine's rows are in memory, by place."""
        return self._engine.rows_in_memory()

    def load(self, rows: Iterable[tuple[str, bytes]]) -> list[str]:
        """Take in rows of an earlier state; the step must be new. Raises `StateRowError`.

        All of them, or, after `spill_to`, at least those that are of no entity and no payment.

        Gives, in words, the controls among them that this build refuses.
        """
        seen: list[tuple[int, str]] = []
        engine_rows: list[tuple[str, bytes]] = []
        for key, value in rows:
            if key.startswith(SEEN):
                try:
                    seen.append((int(value), key.removeprefix(SEEN)))
                except ValueError:
                    raise StateRowError("seen") from None
            else:
                engine_rows.append((key.removeprefix(ENGINE), value))
        refused = self._engine.load(engine_rows)
        seen.sort()
        self._seen = OrderedDict((event_id, None) for _, event_id in seen)
        self._seen_count = seen[-1][0] if seen else 0
        return refused

    def _refuse(self, answers: Answers, record: Record, reason: str) -> None:
        # Every flow meets the record; one of them says so.
        if self._share.has(record.partition):
            answers.refused.append(Refused(record, reason))

    def _collect(self, event: Event, record: Record, facts: "_Facts") -> None:
        """Add a fact for the engine; duplicates, and events that it does not care about, pass by."""
        if isinstance(event, AssessmentRequested):
            self._ask(event, record, facts)
            return
        told = _TOLD.get(type(event))
        fact = None if told is None else told(event)
        if fact is not None:
            facts.told.append(fact)

    def _ask(self, event: AssessmentRequested, record: Record, facts: "_Facts") -> None:
        if len(record.value or b"") > ASSESSMENT_BYTES_MAX:
            raise UnusableEventError("the request is too large")
        if not self._is_first(event.id):
            return
        is_followed = not self._share.has(record.partition)
        facts.told.append(observe.observation(event, record.partition, is_followed=is_followed))
        if not is_followed:
            facts.requests.append((event, record))

    def _take(self, event: ModelPublished | ControlChanged) -> None:
        if isinstance(event, ModelPublished):
            try:
                self._engine.use(observe.snapshot(event))
            except StateRowError:
                raise UnusableEventError("the model snapshot cannot be read") from None
        else:
            self._engine.change(observe.control(event))

    def _assess(self, facts: "_Facts", assessed_at: datetime, answers: Answers) -> None:
        assessments = self._engine.assess(facts.told)
        for (event, record), assessment in zip(facts.requests, assessments, strict=True):
            decision = observe.decision(event, assessment, record.position, assessed_at)
            answers.decisions.append((record.key, decision))

    def _is_first(self, event_id: str) -> bool:
        if event_id in self._seen:
            return False
        self._seen_count += 1
        self._seen[event_id] = None
        self._changed[SEEN + event_id] = b"%d" % self._seen_count
        if len(self._seen) > REMEMBERED_ASSESSMENTS:
            oldest, _ = self._seen.popitem(last=False)
            self._changed[SEEN + oldest] = None
        return True


class _EngineRows(NamedTuple):
    """The engine's rows among the step's."""

    cold: ColdRows

    def get(self, row: str) -> bytes | None:
        return self.cold.get(ENGINE + row)


class _Facts:
    """What waits to be told to the engine, and the requests among it."""

    def __init__(self) -> None:
        self.told: list[Fact] = []
        self.requests: list[tuple[AssessmentRequested, Record]] = []
