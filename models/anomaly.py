"""The cold start: while labels have taught little, an unsupervised detector says what is unusual.

Half-space trees over a few bins in [0, 1]. Their score is compared with the scores so far, so that
`log-odds = log-odds of the base rate + deviations above the usual score`, and blended with the champion by
the share of labels that are still missing (`models.blending.cold_share`). At 0 the detector rests.

Until the trees have seen a whole window, and some scores after it, it says nothing: rules alone watch then.
"""

from bisect import bisect_right

import msgspec

from models.bins import EDGES
from models.errors import StateRowError
from models.feature import Row
from models.features import BY_NAME, POSITIONS
from models.half_space import HalfSpaceTrees
from models.windows import RunningStats

FEATURES = (
    "amount_reference_minor",
    "card_amount_z",
    "card_count_1h",
    "card_count_1d_to_usual",
    "card_gap_days",
    "card_new_merchants_1h",
    "device_cards_1d",
    "ip_cards_1d",
    "customer_failed_sign_ins_1h",
    "merchant_amount_z",
)
TREES, HEIGHT, WINDOW = 10, 6, 250
"""Trees and window as River has them by default; 64 leaves a tree are enough for ten features, and cheap."""
SCORES_MIN = 50
"""Scores after the first window before one is called unusual: their spread is known to a tenth."""
SEED = 7
"""Any seed does; a fixed one makes the same trees everywhere, so that only their masses need to be kept."""
DEVIATION_PRIOR = 0.05
"""Scores lie between 0 and 1 and mostly near each other; until they tell, a twentieth. Round, not tuned."""
LOGIT_LIMIT = 4.0
"""The detector may raise the log-odds by so much: an unusual payment is rarely fraud.

From the base rate of 1 % it reaches about 36 %: enough for a review, hardly for a block. Not tuned.
"""

_scaled = [
    (POSITIONS[name], edges, [bin_ / len(edges) for bin_ in range(len(edges) + 1)])
    for name, edges in ((name, EDGES[BY_NAME[name].kind]) for name in sorted(FEATURES))
]


class _State(msgspec.Struct, array_like=True):
    masses: list[tuple[int, int]]
    counter: int
    first_window: bool
    scores: RunningStats


class ColdStart:
    """Half-space trees with the distribution of their scores.

    >>> detector, row = ColdStart(), [None] * len(POSITIONS)
    >>> for number in range(WINDOW + SCORES_MIN):
    ...     row[POSITIONS["amount_reference_minor"]] = 2_000.0 + number
    ...     row[POSITIONS["card_count_1h"]] = 0.0
    ...     _, raised = detector.score_and_learn(row)
    >>> row[POSITIONS["card_count_1h"]] = 30.0
    >>> _, unusual = detector.score_and_learn(row)
    >>> raised < 0.5 < unusual <= LOGIT_LIMIT
    True
    """

    def __init__(self) -> None:
        self._trees = _new_trees()
        self._scores = RunningStats()

    def score_and_learn(self, row: Row) -> tuple[float, float]:
        """The detector's score (0–1, higher is more unusual) and by how much it raises the log-odds."""
        first_window = self._trees.first_window
        score = self._trees.score_and_learn(scaled(row))
        if first_window:
            return 0.0, 0.0
        deviation = (score - self._scores.mean) / self._scores.deviation(DEVIATION_PRIOR)
        told = self._scores.count >= SCORES_MIN
        self._scores.add(score)
        return score, min(max(deviation, 0.0), LOGIT_LIMIT) if told else 0.0

    def encode(self) -> bytes:
        """The state as bytes, without pickle."""
        trees = self._trees
        return msgspec.msgpack.encode(_State(trees.masses, trees.counter, trees.first_window, self._scores))

    @classmethod
    def decode(cls, state: bytes) -> "ColdStart":
        """The detector of `encode`: the trees grow the same from their seed, and take the masses.

        Raises `msgspec.DecodeError` or `StateRowError` where it is another's.
        """
        decoded = msgspec.msgpack.decode(state, type=_State)
        made = cls()
        try:
            made._trees.masses = decoded.masses
        except ValueError:
            raise StateRowError("anomaly") from None
        made._trees.counter, made._trees.first_window = decoded.counter, decoded.first_window
        made._scores = decoded.scores
        return made


def scaled(row: Row) -> list[float | None]:
    """The features' bins as numbers from 0 to 1, None where a feature is missing."""
    return [
        steps[bisect_right(edges, value)] if isinstance(value := row[position], float) else None
        for position, edges, steps in _scaled
    ]


def _new_trees() -> HalfSpaceTrees:
    trees = HalfSpaceTrees(features=len(FEATURES), trees=TREES, height=HEIGHT, window=WINDOW, seed=SEED)
    # The trees' first point is one in the middle.
    trees.score_and_learn([0.5] * len(FEATURES))
    return trees
