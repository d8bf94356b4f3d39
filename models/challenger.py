"""The challenger in shadow: a plain River pipeline on raw values, scored beside the champion.

It answers the question whether bins, crosses and boosting are worth their keep.
"""

from typing import Any

import msgspec
from river import compose, linear_model, optim, preprocessing

from models.feature import VALUE_MAX, Row
from models.features import POSITIONS
from models.odds import LOGIT_MAX

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
"""One or two of each entity: enough for a second opinion, at about 10 µs."""

_positions = [(name, POSITIONS[name]) for name in FEATURES]


def scaled_logistic() -> compose.Pipeline:
    """Standard scaler, then logistic regression with River's own learning rate."""
    return preprocessing.StandardScaler() | linear_model.LogisticRegression(optimizer=optim.SGD(0.01))


class _State(msgspec.Struct, array_like=True):
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


class Challenger:
    """The pipeline with the engine's rows in front and a state without pickle.

    >>> challenger, usual, large = Challenger(), [100.0] * len(POSITIONS), [900.0] * len(POSITIONS)
    >>> for _ in range(100):
    ...     challenger.learn(usual, fraud=False)
    ...     challenger.learn(large, fraud=True)
    >>> challenger.probability(usual) < 0.1 < 0.9 < challenger.probability(large)
    True
    """

    def __init__(self) -> None:
        self.pipeline = scaled_logistic()
        self._parts = self.pipeline["StandardScaler"], self.pipeline["LogisticRegression"]

    def learn(self, row: Row, fraud: bool) -> None:
        """Learn one label: the scaler first, then the model on what it scaled, as the pipeline would."""
        scaler, model = self._parts
        x = _given(row)
        scaler.learn_one(x)
        model.learn_one(scaler.transform_one(x), fraud)

    def probability(self, row: Row) -> float:
        """The probability of fraud. Does not change the pipeline."""
        scaler, model = self._parts
        return float(model.predict_proba_one(scaler.transform_one(_given(row)))[True])

    def encode(self) -> bytes:
        """The state as bytes."""
        scaler, model = self._parts
        return msgspec.msgpack.encode(
            _State(
                dict(scaler.counts),
                dict(scaler.means),
                dict(scaler.vars),
                dict(model.weights),
                model.intercept,
            )
        )

    @classmethod
    def decode(cls, state: bytes) -> "Challenger":
        """The challenger of `encode`.

        Raises `msgspec.DecodeError` where the state is damaged, or no challenger's.
        """
        decoded = msgspec.msgpack.decode(state, type=_State)
        decoded.check()
        made = cls()
        scaler, model = made._parts
        scaler.counts.update(decoded.counts)
        scaler.means.update(decoded.means)
        scaler.vars.update(decoded.variances)
        _set_weights(model, decoded.weights)
        model.intercept = decoded.intercept
        return made


def _set_weights(model: Any, weights: dict[str, float]) -> None:
    model._weights.update(weights)


def _given(row: Row) -> dict[str, float]:
    return {name: value for name, position in _positions if isinstance(value := row[position], float)}
