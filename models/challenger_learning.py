"""The challenger's learning: a plain River pipeline on raw values."""

from typing import Any

from river import compose, linear_model, optim, preprocessing

from models.challenger import Challenger, given
from models.feature import Row


def scaled_logistic() -> compose.Pipeline:
    """Standard scaler, then logistic regression with River's own learning rate."""
    return preprocessing.StandardScaler() | linear_model.LogisticRegression(optimizer=optim.SGD(0.01))


class ChallengerLearner:
    """The pipeline with the engine's rows in front and a state without pickle.

    >>> from models.features import POSITIONS
    >>> learner, usual, large = ChallengerLearner(), [100.0] * len(POSITIONS), [900.0] * len(POSITIONS)
    >>> for _ in range(100):
    ...     learner.learn(usual, fraud=False)
    ...     learner.learn(large, fraud=True)
    >>> learner.learned.probability(usual) < 0.1 < 0.9 < learner.learned.probability(large)
    True
    """

    def __init__(self) -> None:
        self.pipeline = scaled_logistic()
        self._parts = self.pipeline["StandardScaler"], self.pipeline["LogisticRegression"]

    def learn(self, row: Row, fraud: bool) -> None:
        """Learn one label: the scaler first, then the model on what it scaled, as the pipeline would."""
        scaler, model = self._parts
        x = dict(given(row))
        scaler.learn_one(x)
        model.learn_one(scaler.transform_one(x), fraud)

    @property
    def learned(self) -> Challenger:
        """What it has learned so far, ready to score."""
        scaler, model = self._parts
        counts, means, variances = dict(scaler.counts), dict(scaler.means), dict(scaler.vars)
        return Challenger(counts, means, variances, dict(model.weights), model.intercept)

    @classmethod
    def of(cls, learned: Challenger) -> "ChallengerLearner":
        """A learner that goes on from there."""
        made = cls()
        scaler, model = made._parts
        scaler.counts.update(learned.counts)
        scaler.means.update(learned.means)
        scaler.vars.update(learned.variances)
        _set_weights(model, learned.weights)
        model.intercept = learned.intercept
        return made


def _set_weights(model: Any, weights: dict[str, float]) -> None:
    model._weights.update(weights)
