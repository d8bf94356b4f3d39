"""The pure heart of risk: facts in; features, scores, decisions and new state out. No clock, no I/O.

Facts are taken in the order given. A payment sees what was told before it, never itself. What time does:

- Times are the events' own. Windows are exact at each payment's own time, also for one that comes late or
  when a clock runs backwards; ages and gaps are never negative.
- A payment told again with the same id and time is a duplicate: it is answered, and not counted again. The
  same id with another time is another attempt of the same payment.
- What is told of a payment that is not remembered (`MEMORY_DAYS`) changes nothing.
- A payment that another flow answers is followed (`is_followed`): it is taken in and counted like any other,
  and gets no answer. Whoever follows and whoever answers end up with the same state.
- Labels that come twice or contradict each other are resolved by `models.labels`.

Equal facts give equal answers, bit for bit, however they are split into batches.
"""

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from models.anomaly import ColdStart
from models.blending import BOOSTING, CHAMPION
from models.controls import Control, Controls
from models.decision import decide
from models.errors import ControlError, StateRowError
from models.feature import Row
from models.features import FEATURES_VERSION
from models.observations import (
    Assessment,
    Challenge,
    Decline,
    Increment,
    Label,
    ModelSnapshot,
    Observation,
    SignIn,
)
from models.scorer import Score, Scorer
from models.state import MEMORY_DAYS, Bounds, EngineState, shard_of
from models.tables import ColdRows
from models.visits import (
    note_challenge,
    note_decline,
    note_increment,
    note_label,
    note_sign_in,
    take_in,
    visit,
)

Fact = Observation | SignIn | Decline | Challenge | Increment | Label

BATCH_MAX = 512
"""Payments scored at once: beyond it the cost per payment no longer falls, and memory grows."""

OWN_ROWS = ("model", "control", "anomaly")
"""Kinds of rows that are the engine's own; all others are those of `models.state`."""


class Engine:
    """One scorer's engine: profiles, models and controls in force.

    >>> engine = Engine()
    >>> payment = Observation(
    ...     payment_id="pi_1", occurred_at_us=0, amount_minor=1200, currency="EUR", card="c", merchant="m"
    ... )
    >>> engine.assess([payment])[0].outcome
    'allow'
    """

    def __init__(
        self,
        controls: Controls | None = None,
        memory_days: int = MEMORY_DAYS,
        track_changes: bool = True,
    ) -> None:
        """`track_changes` False: `changed_rows` stays empty, for runs that keep no state."""
        self.controls = controls or Controls.builtin()
        self.state = EngineState(memory_days, track_changes)
        self.scorer = Scorer()
        self._track = track_changes
        self._own_rows: dict[str, bytes | None] = {}
        self._cold_changed = False

    def assess(self, batch: Sequence[Fact]) -> list[Assessment]:
        """Take facts in, in order; one assessment for each observation that is not followed, in order."""
        answers: list[Assessment] = []
        waiting: list[tuple[Observation, Row]] = []
        # While the detector of the cold start speaks, it learns from every payment, whoever answers it.
        follows_lightly = self.scorer.cold_share == 0.0
        for fact in batch:
            if isinstance(fact, Observation):
                if fact.is_followed and follows_lightly:
                    take_in(self.state, fact, self.controls.rates)
                    self._number(fact)
                    continue
                waiting.append((fact, visit(self.state, fact, self.controls.rates)))
                if len(waiting) == BATCH_MAX:
                    answers += self._scored(waiting)
                    waiting = []
            else:
                self._note(fact)
        return answers + self._scored(waiting)

    def use(self, snapshot: ModelSnapshot) -> None:
        """Take a model in force, unless it is not newer. Raises `StateRowError` where it cannot be read."""
        if self.scorer.use(snapshot):
            self._changed(f"model/{snapshot.name}", snapshot)

    def change(self, control: Control) -> None:
        """Take a control in force, unless it is older. Raises `ControlError`: the one before stays."""
        changed = self._with(control)
        if changed is not self.controls:
            self.controls = changed
            self._changed(f"control/{control.name}", control)

    def changed_rows(self) -> dict[str, bytes | None]:
        """Rows changed since the last call, by `kind/key`; None removes one."""
        changed, self._own_rows = self._own_rows, {}
        if self._cold_changed:
            # Only here: its state is large beside what one payment changes.
            changed["anomaly/cold_start"] = self.scorer.cold.encode()
            self._cold_changed = False
        changed.update(self.state.changed_rows())
        return changed

    def spill_to(self, cold: ColdRows, bounds: Bounds) -> None:
        """Keep few profiles and payments in memory, as all are in `cold`; the engine must be new.

        From then on `assess` raises `StateRowError` where a row cannot be read.
        """
        self.state.spill_to(cold, bounds)

    def rows_in_memory(self) -> dict[str, int]:
        """How many profiles are there as objects (`hot`) and as bytes (`packed`), and how many payments."""
        return self.state.rows_in_memory()

    def load(self, rows: Iterable[tuple[str, bytes]]) -> list[str]:
        """Take in rows of an earlier state; the engine must be new. Raises `StateRowError`.

        All of them, or, after `spill_to`, at least those that are of no entity and no payment.

        Gives, in words, the controls that this build refuses, as `change` would: what is shipped under their
        names stays in force, and their rows stay for a build that takes them.
        """
        profiles: list[tuple[str, bytes]] = []
        refused: list[str] = []
        for row, value in rows:
            kind = row.partition("/")[0]
            if kind in OWN_ROWS:
                refused += self._load_own(kind, value)
            else:
                profiles.append((row, value))
        self.state.load(profiles)
        return refused

    def _load_own(self, kind: str, value: bytes) -> Iterator[str]:
        try:
            if kind == "model":
                self.scorer.use(msgspec.msgpack.decode(value, type=ModelSnapshot))
            elif kind == "control":
                control = msgspec.msgpack.decode(value, type=Control)
                try:
                    self.controls = self._with(control)
                except ControlError as error:
                    yield f"{control.name}, version {control.version}: {error.reason}"
            else:
                self.scorer.cold = ColdStart.decode(value)
        except (msgspec.DecodeError, ValueError):
            raise StateRowError(kind) from None

    def _with(self, control: Control) -> Controls:
        return self.controls.changed(control.name, control.kind, control.version, control.body)

    def _changed(self, row: str, value: ModelSnapshot | Control) -> None:
        if self._track:
            self._own_rows[row] = msgspec.msgpack.encode(value)

    def _note(self, fact: SignIn | Decline | Challenge | Increment | Label) -> None:
        if isinstance(fact, Label):
            note_label(self.state, fact)
        elif isinstance(fact, Decline):
            note_decline(self.state, fact)
        elif isinstance(fact, Challenge):
            note_challenge(self.state, fact)
        elif isinstance(fact, Increment):
            note_increment(self.state, fact, self.controls.rates)
        else:
            note_sign_in(self.state, fact)

    def _scored(self, waiting: Sequence[tuple[Observation, Row]]) -> list[Assessment]:
        if not waiting:
            return []
        if self._track and self.scorer.cold_share > 0.0:
            self._cold_changed = True
        scores = self.scorer.score([row for _, row in waiting])
        versions = self.scorer.version(CHAMPION), self.scorer.version(BOOSTING)
        answers: list[Assessment] = []
        for (seen, row), score in zip(waiting, scores, strict=True):
            if seen.is_followed:
                self._number(seen)
            else:
                answers.append(self._decided(seen, row, score, versions))
        return answers

    def _number(self, seen: Observation) -> tuple[int, int]:
        """The payment's shard, and its number there."""
        shard = shard_of(seen.card or seen.payment_id, seen.partition)
        return shard, self.state.next_sequence(shard)

    def _decided(self, seen: Observation, row: Row, score: Score, versions: tuple[int, int]) -> Assessment:
        decision = decide(
            probability=score.probability,
            observation=seen,
            row=row,
            controls=self.controls,
            # Most payments are allowed without a reason, and need none of it.
            contributions=lambda: self.scorer.contributions(row, score.anomaly),
        )
        shard, sequence = self._number(seen)
        return Assessment(
            payment_id=seen.payment_id,
            occurred_at_us=seen.occurred_at_us,
            probability=score.probability,
            risk_score=decision.risk_score,
            outcome=decision.outcome,
            reasons=decision.reasons,
            rules=decision.rules,
            costs_minor=decision.costs_minor,
            challenged_by=decision.challenged_by,
            challenged_by_model=decision.challenged_by_model,
            features=row,
            challengers=score.challengers,
            anomaly=score.anomaly,
            features_version=FEATURES_VERSION,
            online_version=versions[0],
            batch_version=versions[1],
            controls_versions=self.controls.versions,
            sequence=sequence,
            shard=shard,
        )
