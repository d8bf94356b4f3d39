"""The risk flow's step: batches of events in, decisions and refusals out. No log, no clock, no Bytewax.

Events are taken one after the other in the order given; runs of assessments reach the engine as one batch. An
assessment whose event id is among the last `REMEMBERED_ASSESSMENTS` is a duplicate and gets no second answer.
Anything else about time and order (clocks that run backwards, late events, labels of unknown payments) is the
engine's to define.
"""

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from events.log.port import Record
from events.types import (
    AssessmentRequested,
    ControlChanged,
    DecisionMade,
    Event,
    LabelReported,
    ModelPublished,
    PaymentDeclined,
    SignInAttempted,
)
from models.observations import Assessment, Decline, Label, ModelSnapshot, Observation, SignIn
from pipelines import observe
from pipelines.delivery import Delivered
from pipelines.errors import UnusableEventError

REMEMBERED_ASSESSMENTS = 65_536
"""The window in which a duplicate is known: a relay repeats within seconds, this is minutes at 100/s."""

SEEN = "seen/"
ENGINE = "engine/"


class RiskEngine(Protocol):
    """What the step needs of the engine (`models.engine.Engine`)."""

    def assess(self, batch: Sequence[Observation]) -> list[Assessment]: ...
    def note_sign_in(self, event: SignIn) -> None: ...
    def note_decline(self, event: Decline) -> None: ...
    def note_label(self, event: Label) -> None: ...
    def use(self, snapshot: ModelSnapshot) -> None: ...
    def change(self, control: ControlChanged) -> None: ...
    def changed_rows(self) -> Mapping[str, bytes | None]: ...
    def load(self, rows: Iterable[tuple[str, bytes]]) -> None: ...


class Refused(NamedTuple):
    """A record for the dead letters, and why."""

    record: Record
    reason: str


class Answers(NamedTuple):
    """What a batch led to. Decisions, each with its request's key, stand in the order of their requests."""

    decisions: list[tuple[bytes, DecisionMade]]
    refused: list[Refused]


class _Waiting(NamedTuple):
    event: AssessmentRequested
    record: Record
    observation: Observation


class RiskStep:
    """State: the engine's, and which assessments came last."""

    def __init__(self, engine: RiskEngine) -> None:
        self._engine = engine
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._seen_count = 0
        self._changed: dict[str, bytes | None] = {}

    def handle(self, batch: Iterable[Delivered], assessed_at: datetime) -> Answers:
        """Take a batch in; `assessed_at` is the scorer's time."""
        answers = Answers([], [])
        waiting: list[_Waiting] = []
        for record, event, reason in batch:
            if event is None:
                if reason is not None:
                    answers.refused.append(Refused(record, reason))
                continue
            try:
                if isinstance(event, AssessmentRequested):
                    if self._is_first(event.id):
                        waiting.append(_Waiting(event, record, observe.observation(event)))
                else:
                    self._assess(waiting, assessed_at, answers)
                    waiting = []
                    self._note(event)
            except UnusableEventError as error:
                answers.refused.append(Refused(record, error.reason))
        self._assess(waiting, assessed_at, answers)
        return answers

    def changed_rows(self) -> dict[str, bytes | None]:
        """Rows that changed since the last call; None removes one."""
        changed, self._changed = self._changed, {}
        changed.update({ENGINE + key: value for key, value in self._engine.changed_rows().items()})
        return changed

    def load(self, rows: Iterable[tuple[str, bytes]]) -> None:
        """Take in all rows of an earlier state; the step must be new."""
        seen: list[tuple[int, str]] = []

        def engine_rows() -> Iterable[tuple[str, bytes]]:
            for key, value in rows:
                if key.startswith(SEEN):
                    seen.append((int(value), key[len(SEEN) :]))
                else:
                    yield key[len(ENGINE) :], value

        self._engine.load(engine_rows())
        seen.sort()
        self._seen = OrderedDict((event_id, None) for _, event_id in seen)
        self._seen_count = seen[-1][0] if seen else 0

    def _assess(self, waiting: Sequence[_Waiting], assessed_at: datetime, answers: Answers) -> None:
        if not waiting:
            return
        assessments = self._engine.assess([one.observation for one in waiting])
        for one, assessment in zip(waiting, assessments, strict=True):
            made = observe.decision(one.event, assessment, one.record.position, assessed_at)
            answers.decisions.append((one.record.key, made))

    def _note(self, event: Event) -> None:
        """Events that are no assessment; those that the engine does not care about pass by."""
        if isinstance(event, LabelReported):
            self._engine.note_label(observe.label(event))
        elif isinstance(event, PaymentDeclined):
            self._engine.note_decline(observe.decline(event))
        elif isinstance(event, SignInAttempted):
            self._engine.note_sign_in(observe.sign_in(event))
        elif isinstance(event, ModelPublished):
            self._engine.use(observe.snapshot(event))
        elif isinstance(event, ControlChanged):
            self._engine.change(event)

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
