"""Live decisions, proved from the record: rescored from their vectors, and made again in recorded order.

Each flow's record is replayed by itself, from its first batch, through a new engine. What the flow answered
is compared with the log bit by bit, all but `assessed_at`, which is the scorer's clock.
"""

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

import msgspec

from events.log.port import Log
from events.types import AssessmentRequested, ControlChanged, DecisionMade, ModelPublished
from models.engine import BATCH_MAX, Engine
from models.observations import Observation
from models.rescoring import rescored
from pipelines import observe
from pipelines.recorded.batches import RecordedBatch, RecordedBatches, RecordedOrder, recorded_orders
from pipelines.recorded.stored import StoredDecisions
from pipelines.recorded.versions import PublishedVersions
from pipelines.risk_step import RiskStep

_NO_TIME = datetime.fromtimestamp(0, UTC)
_bits = msgspec.json.Encoder(order="deterministic").encode
"""Floats as the shortest text that gives the same bits; the order of names in a dictionary says nothing."""


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """Where a decision and what was made again part: the first member that differs."""

    way: Literal["rescored", "replayed"]
    payment_id: str
    attempt: int
    request_partition: int
    request_offset: int
    flow: int
    batch: int
    member: str
    stored: Any
    again: Any


class Proof(msgspec.Struct, kw_only=True):
    """What was compared. `first` are the first differences of each way.

    `gone`: not rescored, as a model or control of its versions is in no record. `unanswered`: requests that
    were read and have no decision yet; `lost`: those while a later one of their partition has.
    `unrecorded`: decisions on the log that no record leads to.
    """

    orders: int = 0
    batches: int = 0
    records: int = 0
    requests: int = 0
    rescored: int = 0
    rescored_different: int = 0
    gone: int = 0
    replayed: int = 0
    replayed_different: int = 0
    unanswered: int = 0
    lost: int = 0
    unrecorded: int = 0
    seconds: float = 0.0
    first: dict[str, Difference] = {}

    @property
    def holds(self) -> bool:
        """Whether every decision of the log was made again, and equal both ways."""
        wrong = self.rescored_different + self.replayed_different + self.lost + self.unrecorded + self.gone
        return wrong == 0 and self.rescored == self.replayed


def prove(home: Path, log: Log, progress: Callable[[int], None] = lambda _decisions: None) -> Proof:
    """Compare all decisions of the log with what the records of the home's flows lead to.

    The flows may run: what they have not answered yet is counted as such. `progress` is told of so many
    decisions more. Raises `NotInLogError`, `StateError`, `LogError`.
    """
    proof = Proof()
    began = time.monotonic()
    with closing(StoredDecisions(log)) as stored:
        for order in recorded_orders(home):
            stored.begin_again()
            _OneRecord(order, stored, proof, progress).follow(log)
            proof.orders += 1
        proof.unrecorded = stored.count - proof.replayed
    proof.seconds = time.monotonic() - began
    return proof


class _Waiting(NamedTuple):
    """A stored decision that waits to be rescored, with what it was on and its batch."""

    decision: DecisionMade
    observation: Observation
    batch: int


class _OneRecord:
    """One flow's record, replayed through an engine of its own."""

    def __init__(
        self, order: RecordedOrder, stored: StoredDecisions, proof: Proof, progress: Callable[[int], None]
    ) -> None:
        self._order, self._stored, self._proof, self._progress = order, stored, proof, progress
        self._step = RiskStep(Engine(track_changes=False))
        self._versions = PublishedVersions()
        self._waiting: list[_Waiting] = []

    def follow(self, log: Log) -> None:
        missing: list[tuple[int, int]] = []
        for batch in RecordedBatches(log, self._order):
            missing += self._replayed(batch)
        self._rescore()
        for request in missing:
            self._count_missing(*request)

    def _replayed(self, batch: RecordedBatch) -> list[tuple[int, int]]:
        """Take a batch in and compare; gives the requests without a decision."""
        self._step.answer_for(batch.share)
        made = self._step.handle(batch.delivered, _NO_TIME).decisions
        self._step.changed_rows()  # nobody keeps them: they are let go
        for one in batch.delivered:
            if isinstance(one.event, (ModelPublished, ControlChanged)):
                self._rescore()  # a version's later body would speak for what was decided before it
                self._versions.note(one.event)
        if batch.answered is None:
            return []
        self._proof.batches += 1
        self._proof.records += len(batch.delivered)
        self._proof.requests += len(made)
        pairs: list[tuple[DecisionMade, DecisionMade]] = []
        missing: list[tuple[int, int]] = []
        for _, again in made:
            place = (again.request_partition, again.request_offset)
            stored = self._stored.answer_to(*place)
            if stored is None:
                missing.append(place)
            else:
                pairs.append((stored, again))
        self._compare_replayed(batch.number, pairs)
        self._rescore_later(batch, [stored for stored, _ in pairs])
        self._progress(len(pairs))
        return missing

    def _compare_replayed(self, batch: int, pairs: Sequence[tuple[DecisionMade, DecisionMade]]) -> None:
        for stored, again in pairs:
            self._proof.replayed += 1
            again = msgspec.structs.replace(again, assessed_at=stored.assessed_at)
            if _bits(stored) != _bits(again):
                self._proof.replayed_different += 1
                self._tell("replayed", batch, stored, stored, again)

    def _rescore_later(self, batch: RecordedBatch, decisions: Sequence[DecisionMade]) -> None:
        """Many at once: live batches are small, and a few rows cost nearly what many do."""
        requests = {
            (one.record.partition, one.record.offset): one.event
            for one in batch.delivered
            if isinstance(one.event, AssessmentRequested)
        }
        for decision in decisions:
            if self._waiting and self._waiting[0].decision.versions != decision.versions:
                self._rescore()
            event = requests[decision.request_partition, decision.request_offset]
            self._waiting.append(_Waiting(decision, observe.observation(event), batch.number))
        if len(self._waiting) >= BATCH_MAX:
            self._rescore()

    def _rescore(self) -> None:
        """Those that wait: all are of the same versions."""
        waiting, self._waiting = self._waiting, []
        if not waiting:
            return
        versions = waiting[0].decision.versions
        scorer, controls = self._versions.scorer(versions), self._versions.controls(versions)
        if scorer is None or controls is None:
            self._proof.gone += len(waiting)
            return
        stored = [observe.assessment(one.decision) for one in waiting]
        again = rescored(stored, [one.observation for one in waiting], scorer, controls)
        for one, was, new in zip(waiting, stored, again, strict=True):
            self._proof.rescored += 1
            if _bits(was) != _bits(new):
                self._proof.rescored_different += 1
                self._tell("rescored", one.batch, one.decision, was, new)

    def _tell(
        self,
        way: Literal["rescored", "replayed"],
        batch: int,
        of: DecisionMade,
        stored: msgspec.Struct,
        again: Any,
    ) -> None:
        if way in self._proof.first:
            return
        member = next(
            name
            for name in stored.__struct_fields__
            if _bits(getattr(stored, name)) != _bits(getattr(again, name))
        )
        self._proof.first = self._proof.first | {
            way: Difference(
                way=way,
                payment_id=of.payment_id,
                attempt=of.attempt,
                request_partition=of.request_partition,
                request_offset=of.request_offset,
                flow=self._order.flow,
                batch=batch,
                member=member,
                stored=getattr(stored, member),
                again=getattr(again, member),
            )
        }

    def _count_missing(self, partition: int, request_offset: int) -> None:
        if self._stored.has_passed(partition, request_offset):
            self._proof.lost += 1
        else:
            self._proof.unanswered += 1
