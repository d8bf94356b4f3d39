"""The challenger in shadow: standard scores of raw values under one logistic regression, beside the champion.

It answers the question whether bins, crosses and boosting are worth their keep. What a plain River pipeline
would learn is learned by `models.challenger_learning`; here is what was learned, which scores without River:
the flow that scores starts without loading it, after a crash, too.
"""

import msgspec
import numpy as np

from models.feature import VALUE_MAX, Row
from models.features import POSITIONS
from models.odds import LOGIT_MAX, sigmoid
from models.slots import NAN, NUMBER_COLUMNS, Matrix, sequential_sums

NAME = "scaled_logistic"
FEATURES = (
    "amount_reference_minor",
    "card_amount_z",
    "card_count_1h",
    "card_count_1d_to_usual",
    "card_new_merchants_1d",
    "device_cards_1d",
    "ip_cards_1d",
    "customer_failed_sign_ins_1h",
    "merchant_amount_z",
    "merchant_fraud_share_30d",
)
"""One or two of each entity: enough for a second opinion."""

COLUMNS = [NUMBER_COLUMNS[name] for name in FEATURES]
"""Where they stand in a matrix of numbers."""
_positions = [(name, POSITIONS[name]) for name in FEATURES]


class Challenger(msgspec.Struct, array_like=True):
    """What the pipeline has learned: of each feature count, mean, variance and weight, and an intercept.

    >>> fitted = Challenger({}, {"card_count_1h": 2.0}, {"card_count_1h": 4.0}, {"card_count_1h": 1.0}, -1.0)
    >>> row = [None] * len(POSITIONS)
    >>> row[POSITIONS["card_count_1h"]] = 4.0
    >>> fitted.probability(row)
    0.5
    """

    counts: dict[str, int]
    means: dict[str, float]
    variances: dict[str, float]
    weights: dict[str, float]
    intercept: float

    def check(self) -> None:
        """Raise `msgspec.ValidationError` where no model can have come from `encode` so."""
        told = (self.counts, self.means, self.variances, self.weights)
        if any(not part.keys() <= set(FEATURES) for part in told):
            raise msgspec.ValidationError("values of features that the challenger does not have")
        if any(not 0 <= count < 2**63 for count in self.counts.values()):
            raise msgspec.ValidationError("a count that cannot be")
        if not all(abs(mean) <= VALUE_MAX for mean in self.means.values()):
            raise msgspec.ValidationError("a mean that is no number, or too large")
        if not all(0.0 <= variance <= VALUE_MAX**2 for variance in self.variances.values()):
            raise msgspec.ValidationError("a variance that is no number, negative or too large")
        if not all(abs(weight) <= LOGIT_MAX for weight in (self.intercept, *self.weights.values())):
            raise msgspec.ValidationError("a weight that is no number, or too large")

    def probability(self, row: Row) -> float:
        """The probability of fraud."""
        logit = self.intercept
        for name, value in given(row):
            if variance := self.variances.get(name, 0.0):
                scaled = (value - self.means.get(name, 0.0)) / variance**0.5
                logit += self.weights.get(name, 0.0) * scaled
        return sigmoid(logit)

    def encode(self) -> bytes:
        """The state as bytes."""
        return msgspec.msgpack.encode(self)

    @classmethod
    def decode(cls, state: bytes) -> "Challenger":
        """The challenger of `encode`.

        Raises `msgspec.DecodeError` where the state is damaged, or no challenger's.
        """
        decoded = msgspec.msgpack.decode(state, type=cls)
        decoded.check()
        return decoded


class ChallengerScorer:
    """A `Challenger` ready to score many rows at once or one alone, with the bits of its `probability`.

    >>> fitted = Challenger({}, {"card_count_1h": 2.0}, {"card_count_1h": 4.0}, {"card_count_1h": 1.0}, -1.0)
    >>> row = [None] * len(POSITIONS)
    >>> row[POSITIONS["card_count_1h"]] = 4.0
    >>> ChallengerScorer(fitted).logit(row)
    0.0
    """

    def __init__(self, challenger: Challenger) -> None:
        # What never varied says nothing.
        names = [name for name in FEATURES if challenger.variances.get(name, 0.0)]
        self._intercept = challenger.intercept
        self._means = [challenger.means.get(name, 0.0) for name in names]
        self._deviations = [challenger.variances[name] ** 0.5 for name in names]
        self._weights = [challenger.weights.get(name, 0.0) for name in names]
        positions = [POSITIONS[name] for name in names]
        self._terms = list(zip(positions, self._means, self._deviations, self._weights, strict=True))
        self._columns = [NUMBER_COLUMNS[name] for name in names]

    def logit(self, row: Row) -> float:
        """Log-odds of one row."""
        logit = self._intercept
        for position, mean, deviation, weight in self._terms:
            value = row[position]
            if isinstance(value, float) and value == value:
                logit += weight * ((value - mean) / deviation)
        return logit

    def logits(self, numbers: Matrix) -> Matrix:
        """Log-odds of many rows."""
        terms = np.empty((len(numbers), len(self._columns) + 1))
        terms[:, 0] = self._intercept
        terms[:, 1:] = (numbers[:, self._columns] - self._means) / self._deviations * self._weights
        terms[np.isnan(terms)] = 0.0
        return sequential_sums(terms)


def given(row: Row) -> list[tuple[str, float]]:
    """The challenger's features that the row has."""
    return [(name, value) for name, position in _positions if isinstance(value := row[position], float)]


def values_of(row: Row) -> list[float]:
    """The challenger's features in their order, NaN where the row lacks one."""
    return [value if isinstance(value := row[position], float) else NAN for _, position in _positions]
