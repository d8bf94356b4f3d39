"""The champion: logistic regression over active bins and crosses, learned one label at a time.

It keeps River's interface (`learn_one`, `predict_proba_one`, `clone`, River's own checks) and adds what the
engine needs: many rows at once, with the same bits as one by one, and a compact state without pickle.
"""

from array import array
from collections.abc import MutableSequence, Sequence
from itertools import pairwise
from typing import Any
from zlib import crc32

import msgspec
import numpy as np
from river import base

from models.descent import Step, descend
from models.feature import Row
from models.features import BY_NAME, FEATURES_VERSION, POSITIONS
from models.odds import LOGIT_MAX, log_odds, sigmoid
from models.slots import NUMBER_COLUMNS, SLOT_COUNT, Matrix, Slots, sequential_sums, slots_of_one

BASE_RATE = 0.01
"""Share of fraud before any label: the order of magnitude of card fraud."""
LEARNING_RATE = 0.01
"""River's own default; with one weight per bin it needs no schedule and no scaler, and keeps adapting."""
LINEAR = ("boosting_logit",)
"""Features that enter as their value too, beside their bins."""
STATE_VERSION = 3
"""Of what the encoded weights mean; another version is refused, not read wrongly.

1: the boosting's value entered limited and scaled. 2: it enters as it is. 3: weights name their catalogue.
"""
EXTRA_SLOTS = 4_096
"""Slots for names that the catalogue does not have: the estimator takes any dictionary, as River's do."""

_linear_columns = [NUMBER_COLUMNS[name] for name in LINEAR]
_linear_positions = [POSITIONS[name] for name in LINEAR]


class _State(msgspec.Struct, array_like=True):
    version: int
    features_version: int
    intercept: float
    linear: list[float]
    slots: list[int]
    weights: list[float]
    learned: int
    frauds: int

    def check(self) -> None:
        """Raise `msgspec.ValidationError` where no model can have come from `encode` so."""
        if self.version != STATE_VERSION:
            raise msgspec.ValidationError(f"weights of version {self.version}, not {STATE_VERSION}")
        if self.features_version != FEATURES_VERSION:
            raise msgspec.ValidationError(f"weights of features of version {self.features_version}")
        if len(self.linear) != len(LINEAR) or len(self.slots) != len(self.weights):
            raise msgspec.ValidationError("not as many weights as the model has")
        # Each once, and none for slot 0, which stands for what is missing.
        if any(low >= high for low, high in pairwise([0, *self.slots, SLOT_COUNT + EXTRA_SLOTS])):
            raise msgspec.ValidationError("weights of slots that the model does not have")
        if not all(abs(weight) <= LOGIT_MAX for weight in (self.intercept, *self.linear, *self.weights)):
            raise msgspec.ValidationError("a weight that is no number, or too large")
        if not 0 <= self.frauds <= self.learned < 2**63:
            raise msgspec.ValidationError("counts of labels that cannot be")


class BinnedLogisticRegression(base.Classifier):  # type: ignore[misc]  # River ships no types
    """Stochastic gradient descent on log loss; every active slot is a feature with value 1.

    >>> model = BinnedLogisticRegression()
    >>> for _ in range(200):
    ...     model.learn_one({"card_amount_z": 9.0}, True)
    ...     model.learn_one({"card_amount_z": 0.1}, False)
    >>> model.predict_proba_one({"card_amount_z": 9.2})[True] > 0.5
    True
    """

    def __init__(self, learning_rate: float = LEARNING_RATE, base_rate: float = BASE_RATE) -> None:
        self.learning_rate = learning_rate
        self.base_rate = base_rate
        self.intercept = log_odds(base_rate)
        self.linear = [0.0] * len(LINEAR)
        self.weights = array("d", bytes(8 * (SLOT_COUNT + EXTRA_SLOTS)))
        self.learned = 0
        """Labels in force that were learned; `frauds` are those of fraud."""
        self.frauds = 0

    def learn_one(self, x: dict[Any, Any], y: Any) -> None:
        """Learn from one dictionary of features; `y` is true for fraud."""
        slots, linear = self._encoded(x)
        self.learn(slots, linear, bool(y))

    def predict_proba_one(self, x: dict[Any, Any]) -> dict[bool, float]:
        """Probabilities of genuine (False) and fraud (True)."""
        slots, linear = self._encoded(x)
        fraud = sigmoid(self.logit(slots, linear))
        return {False: 1.0 - fraud, True: fraud}

    def learn(self, slots: Sequence[int], linear: Sequence[float], fraud: bool, weight: float = 1.0) -> None:
        """One step; `slots` holds no slot 0. A negative weight takes a label back."""
        self._take(self.weights, [Step(slots, linear, fraud, weight)])

    def learn_all(self, steps: Sequence[Step]) -> None:
        """Many steps in order: the same bits as one by one.

        Meanwhile the weights are a plain list: an array makes a new number of each that is read.
        """
        weights = self.weights.tolist()
        self._take(weights, steps)
        self.weights = array("d", weights)

    def _take(self, weights: MutableSequence[float], steps: Sequence[Step]) -> None:
        self.intercept = descend(weights, self.linear, self.intercept, steps, self.learning_rate)
        for _, _, fraud, weight in steps:
            counted = 1 if weight > 0 else -1
            self.learned += counted
            self.frauds += counted * fraud

    def logit(self, slots: Sequence[int], linear: Sequence[float]) -> float:
        """Log-odds of one row of active slots; slot 0, what is missing, may stand among them."""
        logit = self.intercept
        weights = self.weights
        for slot in slots:
            logit += weights[slot]
        for weight, value in zip(self.linear, linear, strict=True):
            logit += weight * value
        return logit

    def logits(self, numbers: Matrix, slots: Slots) -> Matrix:
        """Log-odds of many rows: the same bits as `predict_proba_one` of each."""
        terms = np.empty((len(slots), slots.shape[1] + 1 + len(LINEAR)))
        terms[:, 0] = self.intercept
        terms[:, 1 : slots.shape[1] + 1] = np.frombuffer(self.weights)[slots]
        terms[:, slots.shape[1] + 1 :] = linear_values(numbers) * np.array(self.linear)
        return sequential_sums(terms)

    def encode(self) -> bytes:
        """The state, compact: only weights that are not zero."""
        weights = np.frombuffer(self.weights)
        slots = np.flatnonzero(weights)
        told = (slots.tolist(), weights[slots].tolist(), self.learned, self.frauds)
        state = _State(STATE_VERSION, FEATURES_VERSION, self.intercept, self.linear, *told)
        return msgspec.msgpack.encode(state)

    @classmethod
    def decode(cls, state: bytes) -> "BinnedLogisticRegression":
        """The model of `encode`, bit for bit.

        Raises `msgspec.DecodeError` where the state is of another version or damaged, or no model's.
        """
        decoded = msgspec.msgpack.decode(state, type=_State)
        decoded.check()
        model = cls()
        model.intercept, model.linear = decoded.intercept, decoded.linear
        model.learned, model.frauds = decoded.learned, decoded.frauds
        for slot, weight in zip(decoded.slots, decoded.weights, strict=True):
            model.weights[slot] = weight
        return model

    def _encoded(self, x: dict[Any, Any]) -> tuple[list[int], list[float]]:
        known, extra = _sorted_out(x)
        return slots_of_one(known) + extra, [float(known.get(name, 0.0)) for name in LINEAR]


def linear_values(numbers: Matrix) -> Matrix:
    """Rows × linear features, 0 where missing."""
    return np.nan_to_num(numbers[:, _linear_columns], nan=0.0)


def linear_values_of_row(row: Row) -> list[float]:
    """The linear features of one row, 0 where missing."""
    return [
        value if isinstance(value := row[position], float) and value == value else 0.0
        for position in _linear_positions
    ]


def _sorted_out(x: dict[Any, Any]) -> tuple[dict[str, float | str], list[int]]:
    """What the models know of a dictionary, and slots for names or types that the catalogue does not have."""
    known: dict[str, float | str] = {}
    extra = []
    for name, value in x.items():
        feature = BY_NAME.get(name)
        if feature is None or isinstance(value, str) != (feature.type == "text"):
            extra.append(SLOT_COUNT + crc32(f"{name}={_coarse(value)}".encode()) % EXTRA_SLOTS)
        elif feature.modeled and value == value:
            known[name] = value if isinstance(value, str) else float(value)
    return known, sorted(extra)


def _coarse(value: Any) -> str:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return f"{value:.1g}"
    return str(value)
