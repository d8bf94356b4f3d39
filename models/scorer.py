"""The models in force: boosting, champion, challenger in shadow, and the detector of the cold start."""

from collections.abc import Sequence
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
from models.challenger import NAME as CHALLENGER
from models.challenger import Challenger
from models.errors import StateRowError
from models.feature import Row
from models.features import POSITIONS
from models.observations import ModelSnapshot
from models.odds import sigmoid
from models.online import BinnedLogisticRegression, linear_values
from models.slots import NUMBER_COLUMNS, Matrix, Slots, numbers_of, slots_of

LOGIT_POSITION = POSITIONS["boosting_logit"]
LOGIT_COLUMN = NUMBER_COLUMNS["boosting_logit"]

NAMES: dict[ModelKind, str] = {"online": CHAMPION, "batch": BOOSTING, "challenger": CHALLENGER}
"""The one name of each kind: under another a model would be in force and have no version."""


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

    >>> scores, _, _ = Scorer().score([[None] * len(POSITIONS)])
    >>> round(scores[0].probability, 6)  # nothing learned: the base rate
    0.01
    """

    def __init__(self) -> None:
        self.champion = BinnedLogisticRegression()
        self.boosting: BoostingScorer | None = None
        self.challenger: Challenger | None = None
        self.cold: ColdStart = ColdStart()
        self.snapshots: dict[str, ModelSnapshot] = {}

    def use(self, snapshot: ModelSnapshot) -> bool:
        """Take a model in force; one that is not newer than the one in force is left (False).

        Raises `StateRowError` where its state cannot be read; then the one before stays.
        """
        present = self.snapshots.get(snapshot.name)
        if present is not None and snapshot.version <= present.version:
            return False
        if snapshot.name != NAMES[snapshot.kind]:
            raise StateRowError("model")
        try:
            if snapshot.kind == "online":
                self.champion = BinnedLogisticRegression.decode(snapshot.state)
            elif snapshot.kind == "batch":
                self.boosting = BoostingScorer(Boosting.decode(snapshot.state))
            else:
                self.challenger = Challenger.decode(snapshot.state)
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

    def score(self, rows: Sequence[Row]) -> tuple[list[Score], Slots, Matrix]:
        """Scores in order, with the active slots and the linear values that explain them.

        Sets `boosting_logit` in the rows: that is the vector as scored.
        """
        numbers = numbers_of(rows)
        if self.boosting is not None and rows:
            logits = self.boosting.logits(numbers)
            numbers[:, LOGIT_COLUMN] = logits
            for row, value in zip(rows, logits.tolist(), strict=True):
                row[LOGIT_POSITION] = value
        slots = slots_of(rows, numbers)
        scores = []
        share = self.cold_share
        for row, logit in zip(rows, self.champion.logits(numbers, slots).tolist(), strict=True):
            unusual = None
            if share > 0.0:
                # Row by row, for the detector judges each by those before it.
                _, unusual = self.cold.score_and_learn(row)
                logit = blended(logit, unusual, BASE_LOGIT, share)
            challengers = {} if self.challenger is None else {CHALLENGER: self.challenger.probability(row)}
            scores.append(Score(sigmoid(logit), unusual, challengers))
        return scores, slots, linear_values(numbers)

    def contributions(
        self, slots: list[int], linear: list[float], anomaly: float | None
    ) -> list[Contribution]:
        """Each feature's and cross's share of the log-odds, and the detector's."""
        return contributions_of(self.champion, slots, linear, anomaly)
