"""The batch model: scikit-learn's histogram gradient boosting, refitted from history, kept as plain arrays.

Prediction does not walk trees. Every condition `feature <= threshold` that is false rules out the leaves of
its left side; per feature the masks of all its conditions are folded by threshold beforehand, so that a row
costs one table row per feature, and the first leaf left of each tree is its answer (QuickScorer, Lucchese et
al., SIGIR 2015). The result equals scikit-learn's own raw prediction.
"""

from bisect import bisect_left
from collections.abc import Sequence
from math import isnan, log
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import numpy.typing as npt
from threadpoolctl import threadpool_limits

from models.features import FEATURES_VERSION
from models.odds import LOGIT_MAX
from models.slots import NUMBER_COLUMNS, Matrix, sequential_sums

if TYPE_CHECKING:
    from sklearn.ensemble import HistGradientBoostingClassifier

TREES, LEARNING_RATE = 150, 0.07
"""A hundred and fifty small steps fit in seconds. The one setting that was measured (`cards_drift_s7`), not
searched over: so were all numbers of the fit below."""
LEAVES_MAX = 12
"""Three or four conditions meet in a leaf, and sixteen bits hold a tree's."""
LEAF_SAMPLES_MIN = 40
"""A leaf tells its share from at least forty payments; from fewer it would learn them by heart."""
L2 = 1.0
"""A little shrinkage of small leaves: round, not tuned."""
GENUINE_SHARE = 0.3
"""Genuine payments are thinned to this share before a fit; the intercept is corrected for it."""

LEAVES = 16
"""Bits of a mask: the next power of two that holds `LEAVES_MAX`."""
TREES_MAX = 1_000
"""Of a model that is taken: far above `TREES`, and its tables are a few megabytes."""
_lowest_bit = np.array(
    [0] + [(mask & -mask).bit_length() - 1 for mask in range(1, 1 << LEAVES)], dtype=np.uint8
)


class Boosting(msgspec.Struct, frozen=True):
    """Trees as plain arrays.

    `features`, `thresholds`, `missing_left`, `trees`, `masks` have one entry per condition; `masks` keeps the
    leaves that stay possible when it is false. `leaves` holds trees × 16 values, `intercept` the baseline
    with the correction for thinning. `features_version` is of the catalogue whose columns `features` are.
    """

    intercept: float
    tree_count: int
    features: list[int]
    thresholds: list[float]
    missing_left: list[bool]
    trees: list[int]
    masks: list[int]
    leaves: bytes
    features_version: int

    def check(self) -> None:
        """Raise `msgspec.ValidationError` where no model can have come from `encode` so."""
        if self.features_version != FEATURES_VERSION:
            raise msgspec.ValidationError(f"trees on features of version {self.features_version}")
        conditions = self.features, self.thresholds, self.missing_left, self.trees, self.masks
        if not 0 <= self.tree_count <= TREES_MAX or len(self.leaves) != self.tree_count * LEAVES * 8:
            raise msgspec.ValidationError("not as many leaves as its trees have")
        if len({len(part) for part in conditions}) > 1 or len(self.masks) > self.tree_count * LEAVES:
            raise msgspec.ValidationError("conditions that do not match")
        for values, end in (
            (self.features, len(NUMBER_COLUMNS)),
            (self.trees, self.tree_count),
            (self.masks, 1 << LEAVES),
        ):
            if not all(0 <= value < end for value in values):
                raise msgspec.ValidationError("a condition on what is not there")
        # Infinite ones are scikit-learn's way to part what is missing from what is given.
        if any(isnan(threshold) for threshold in self.thresholds):
            raise msgspec.ValidationError("a threshold that is no number")
        largest = np.abs(np.frombuffer(self.leaves)).reshape(-1, LEAVES).max(axis=1)
        if not (largest <= LOGIT_MAX).all() or not abs(self.intercept) + largest.sum() <= LOGIT_MAX:
            raise msgspec.ValidationError("leaves that are no numbers, or too large")

    def encode(self) -> bytes:
        """The state as bytes."""
        return msgspec.msgpack.encode(self)

    @classmethod
    def decode(cls, state: bytes) -> "Boosting":
        """The model of `encode`, bit for bit.

        Raises `msgspec.DecodeError` where the state is damaged, or no model's.
        """
        decoded = msgspec.msgpack.decode(state, type=cls)
        decoded.check()
        return decoded


def fit(numbers: Matrix, frauds: npt.NDArray[np.bool_], genuine_share: float = GENUINE_SHARE) -> Boosting:
    """Fit on rows whose genuine part was thinned to `genuine_share`. Deterministic: no sampling inside.

    The boosting never sees its own log-odds, nor what is the same in every row: that costs and tells nothing.
    """
    # Only a fit needs it, and it takes longer to load than all else that scores.
    from sklearn.ensemble import HistGradientBoostingClassifier

    first = numbers[0]
    varies = ~((numbers == first) | (np.isnan(numbers) & np.isnan(first))).all(axis=0)
    columns = [
        place for place in np.flatnonzero(varies).tolist() if place != NUMBER_COLUMNS["boosting_logit"]
    ]
    model = HistGradientBoostingClassifier(
        max_iter=TREES,
        learning_rate=LEARNING_RATE,
        max_leaf_nodes=LEAVES_MAX,
        min_samples_leaf=LEAF_SAMPLES_MIN,
        l2_regularization=L2,
        # Stopping early would hold labels back to judge by, drawn at random.
        early_stopping=False,
        random_state=0,
    )
    # Sums over threads depend on their number: one thread gives the same bits on every machine.
    with threadpool_limits(limits=1, user_api="openmp"):
        model.fit(numbers[:, columns], frauds)
    return exported(model, columns, log(genuine_share))


def exported(
    model: "HistGradientBoostingClassifier", columns: list[int], correction: float = 0.0
) -> Boosting:
    """A fitted two-class model as plain arrays; `correction` is added to its log-odds.

    `columns` says which place of the full row each of the model's own features has.
    """
    predictors = [stage[0] for stage in model._predictors]
    conditions: list[tuple[int, float, bool, int, int]] = []
    leaves = np.zeros((len(predictors), LEAVES))
    for tree, predictor in enumerate(predictors):
        _export_tree(predictor.nodes, 0, tree, conditions, leaves, [0])
    baseline = float(np.ravel(model._baseline_prediction)[0])
    return Boosting(
        intercept=baseline + correction,
        tree_count=len(predictors),
        features=[columns[condition[0]] for condition in conditions],
        thresholds=[condition[1] for condition in conditions],
        missing_left=[condition[2] for condition in conditions],
        trees=[condition[3] for condition in conditions],
        masks=[condition[4] for condition in conditions],
        leaves=leaves.tobytes(),
        features_version=FEATURES_VERSION,
    )


def _export_tree(
    nodes: Any, node: int, tree: int, conditions: list[Any], leaves: Matrix, next_leaf: list[int]
) -> None:
    """Number the leaves from left to right; a false condition keeps all but those of its left side."""
    record = nodes[node]
    if record["is_leaf"]:
        leaves[tree, next_leaf[0]] = record["value"]
        next_leaf[0] += 1
        return
    first = next_leaf[0]
    _export_tree(nodes, int(record["left"]), tree, conditions, leaves, next_leaf)
    left = (1 << next_leaf[0]) - (1 << first)
    mask = (1 << LEAVES) - 1 - left
    conditions.append(
        (
            int(record["feature_idx"]),
            float(record["num_threshold"]),
            bool(record["missing_go_to_left"]),
            tree,
            mask,
        )
    )
    _export_tree(nodes, int(record["right"]), tree, conditions, leaves, next_leaf)


class BoostingScorer:
    """A `Boosting` ready to score: many rows at once by `logits`, a few one by one by `logit`, the same bits.

    >>> numbers = np.zeros((200, len(NUMBER_COLUMNS)))
    >>> numbers[:, NUMBER_COLUMNS["amount_reference_minor"]] = range(200)
    >>> fitted = BoostingScorer(fit(numbers, numbers.sum(axis=1) >= 120))
    >>> low, high = fitted.logits(numbers[[0, 199]]).tolist()
    >>> low < 0.0 < high, fitted.logit(numbers[0].tolist()) == low
    (True, True)
    """

    def __init__(self, boosting: Boosting) -> None:
        self.boosting = boosting
        self._leaves = np.frombuffer(boosting.leaves)
        self._tree_starts = np.arange(boosting.tree_count) * LEAVES
        self._mask_bytes = boosting.tree_count * LEAVES // 8
        by_feature: dict[int, list[int]] = {}
        for place, feature in enumerate(boosting.features):
            by_feature.setdefault(feature, []).append(place)
        self._tables = [(feature, *self._table(places)) for feature, places in sorted(by_feature.items())]
        # The same tables for one row: all masks of a table row as one long integer.
        self._long_tables = [
            (
                feature,
                thresholds[:-1].tolist(),
                [int.from_bytes(masks.tobytes(), "little") for masks in table],
            )
            for feature, thresholds, table in self._tables
        ]

    def _table(self, places: list[int]) -> tuple[Matrix, npt.NDArray[np.uint16]]:
        """Sorted thresholds, and the folded masks by how many of them lie below the value (last: missing).

        An endless threshold comes last, and behind it NumPy sorts what is missing.
        """
        boosting = self.boosting
        places = sorted(places, key=lambda place: boosting.thresholds[place])
        full = (1 << LEAVES) - 1
        table = np.full((len(places) + 2, boosting.tree_count), full, dtype=np.uint16)
        for rank, place in enumerate(places, 1):
            table[rank] = table[rank - 1]
            table[rank, boosting.trees[place]] &= boosting.masks[place]
            if not boosting.missing_left[place]:
                table[-1, boosting.trees[place]] &= boosting.masks[place]
        return np.array([*(boosting.thresholds[place] for place in places), np.inf]), table

    def logits(self, numbers: Matrix) -> Matrix:
        """Log-odds of each row; a row's bits do not depend on the rows beside it."""
        alive = np.full((len(numbers), self.boosting.tree_count), (1 << LEAVES) - 1, dtype=np.uint16)
        ruled_out = np.empty_like(alive)
        for feature, thresholds, table in self._tables:
            # No rank lies outside of the table: "clip" only spares NumPy a copy in case one did.
            table.take(thresholds.searchsorted(numbers[:, feature]), axis=0, out=ruled_out, mode="clip")
            alive &= ruled_out
        leaves = _lowest_bit[alive] + self._tree_starts
        terms = np.empty((len(numbers), self.boosting.tree_count + 1))
        terms[:, 0] = self.boosting.intercept
        terms[:, 1:] = self._leaves[leaves]
        return sequential_sums(terms)

    def logit(self, numbers: Sequence[float | None]) -> float:
        """Log-odds of one row (NaN or None: missing), without NumPy's costs for each feature."""
        alive = -1
        for feature, thresholds, table in self._long_tables:
            value = numbers[feature]
            if value is None or value != value:
                alive &= table[-1]
            else:
                alive &= table[bisect_left(thresholds, value)]
        if alive < 0:
            alive = (1 << self._mask_bytes * 8) - 1
        masks = np.frombuffer(alive.to_bytes(self._mask_bytes, "little"), dtype=np.uint16)
        logit = self.boosting.intercept
        for term in self._leaves[_lowest_bit[masks] + self._tree_starts].tolist():
            logit += term
        return logit
