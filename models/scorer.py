"""The models in force: boosting, champion, challengers in shadow, and the detector of the cold start."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from events.vocabulary import ModelKind
from models.anomaly import ColdStart
from models.blending import (
    BASE_LOGIT,
    BOOSTING,
    CHAMPION,
    Contribution,
    blended,
    cold_share,
    contributions_of,
)
from models.boosting import Boosting, BoostingScorer
from models.errors import StateRowError
from models.feature import Row
from models.features import POSITIONS
from models.observations import ModelSnapshot
from models.odds import sigmoid
from models.online import BinnedLogisticRegression, linear_values_of_row
from models.shadows import NAME, RowParts, Shadows
from models.slots import NUMBER_COLUMNS, Matrix, Slots, numbers_of, numbers_of_row, slots_of, slots_of_row

LOGIT_POSITION = POSITIONS["boosting_logit"]
LOGIT_COLUMN = NUMBER_COLUMNS["boosting_logit"]
Watch = Callable[[Matrix, Slots], None]

DECIDING: dict[str, ModelKind] = {CHAMPION: "online", BOOSTING: "batch"}
"""The names that decide, each with its kind; under any other a model is a challenger in shadow."""

FEW_ROWS = 12
"""Up to so many rows are scored one by one: there NumPy's cost per call is higher than what it saves."""


class Score(NamedTuple):
    """What the models say of one row.

    `anomaly`: by how much the detector of the cold start raises the log-odds, None: it rests. Stored with the
    decision, it is all that scoring the vector again needs of the detector.
    """

    probability: float
    anomaly: float | None
    challengers: dict[str, float]


class Scorer:
    """Scores rows and writes the boosting's log-odds into them. Its models change by snapshots alone.

    >>> score = Scorer().score([[None] * len(POSITIONS)])[0]
    >>> round(score.probability, 6)  # nothing learned: the base rate
    0.01
    """

    def __init__(self) -> None:
        self.champion = BinnedLogisticRegression()
        self.boosting: BoostingScorer | None = None
        self.shadows = Shadows()
        self.cold: ColdStart = ColdStart()
        self.snapshots: dict[str, ModelSnapshot] = {}
        self.watch: Watch | None = None
        """Told numbers and active slots of all rows as scored, in order, where someone in the same process
        learns from them: so neither is made twice. They are its to read until it returns.
        """

    def use(self, snapshot: ModelSnapshot) -> bool:
        """Take a model in force; one that is not newer than the one in force is left (False).

        Raises `StateRowError` where its state cannot be read; then the one before stays.
        """
        present = self.snapshots.get(snapshot.name)
        if present is not None and snapshot.version <= present.version:
            return False
        decides = DECIDING.get(snapshot.name)
        if decides not in (None, snapshot.kind) or not NAME.fullmatch(snapshot.name):
            raise StateRowError("model")
        try:
            if snapshot.name == CHAMPION:
                self.champion = BinnedLogisticRegression.decode(snapshot.state)
            elif snapshot.name == BOOSTING:
                self.boosting = BoostingScorer(Boosting.decode(snapshot.state))
            else:
                self.shadows.use(snapshot.name, snapshot.kind, snapshot.state)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise StateRowError("model") from None
        self.snapshots[snapshot.name] = snapshot
        return True

    def version(self, name: str) -> int:
        """The version in force, 0 for none yet."""
        snapshot = self.snapshots.get(name)
        return snapshot.version if snapshot else 0

    @property
    def cold_share(self) -> float:
        """The detector's share of the score."""
        return cold_share(self.champion.learned, self.champion.frauds)

    def score(self, rows: Sequence[Row]) -> list[Score]:
        """Scores in order, with the same bits however the rows are split.

        Sets `boosting_logit` in the rows: that is the vector as scored.
        """
        if len(rows) <= FEW_ROWS and self.watch is None:
            return [self._score_of(row) for row in rows]
        numbers = numbers_of(rows)
        if self.boosting is not None:
            logits = self.boosting.logits(numbers)
            numbers[:, LOGIT_COLUMN] = logits
            for row, value in zip(rows, logits.tolist(), strict=True):
                row[LOGIT_POSITION] = value
        slots = slots_of(rows, numbers)
        if self.watch is not None:
            self.watch(numbers, slots)
        linear_logits = self.champion.logits(numbers, slots).tolist()
        challengers = self.shadows.of_many(numbers, slots)
        share = self.cold_share
        if share > 0.0:
            # Row by row, for the detector judges each by those before it.
            return [self._cold(*given, share) for given in zip(rows, linear_logits, challengers, strict=True)]
        return [
            Score(sigmoid(logit), None, others)
            for logit, others in zip(linear_logits, challengers, strict=True)
        ]

    def _score_of(self, row: Row) -> Score:
        """One row alone: for a few rows NumPy costs more than it saves."""
        numbers = numbers_of_row(row)
        if self.boosting is not None:
            row[LOGIT_POSITION] = self.boosting.logit(numbers)
        parts = RowParts(row, numbers, slots_of_row(row), linear_values_of_row(row))
        logit = self.champion.logit(parts.slots, parts.linear)
        challengers = self.shadows.of_one(parts)
        share = self.cold_share
        if share > 0.0:
            return self._cold(row, logit, challengers, share)
        return Score(sigmoid(logit), None, challengers)

    def _cold(self, row: Row, logit: float, challengers: dict[str, float], share: float) -> Score:
        _, unusual = self.cold.score_and_learn(row)
        return Score(sigmoid(blended(logit, unusual, BASE_LOGIT, share)), unusual, challengers)

    def contributions(self, row: Row, anomaly: float | None) -> list[Contribution]:
        """Each feature's and cross's share of the log-odds of a row as scored, and the detector's."""
        return contributions_of(self.champion, slots_of_row(row), linear_values_of_row(row), anomaly)
