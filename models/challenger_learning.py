"""The challenger's learning: what a plain River pipeline on raw values learns, bit for bit, without its cost.

The pipeline is `scaled_logistic`. Its steps over named dictionaries took more than half of a label's time;
here is the same arithmetic, in the same order, over a few lists. A test holds the two equal to the last bit.
"""

from collections.abc import Sequence
from math import exp

from river import compose, linear_model, optim, preprocessing

from models.challenger import FEATURES, Challenger

LEARNING_RATE = 0.01
"""River's own, for weights and intercept alike."""
FLAT = 18.0
"""From so large a margin on River takes the loss for flat, or for a line."""


def scaled_logistic() -> compose.Pipeline:
    """Standard scaler, then logistic regression with River's own learning rate."""
    return preprocessing.StandardScaler() | linear_model.LogisticRegression(
        optimizer=optim.SGD(LEARNING_RATE)
    )


class ChallengerLearner:
    """The pipeline's state as lists in the order of `FEATURES`.

    >>> from models.features import POSITIONS
    >>> learner = ChallengerLearner()
    >>> for _ in range(100):
    ...     learner.learn([100.0] * len(FEATURES), fraud=False)
    ...     learner.learn([900.0] * len(FEATURES), fraud=True)
    >>> [learner.learned.probability([value] * len(POSITIONS)) > 0.9 for value in (100.0, 900.0)]
    [False, True]
    """

    def __init__(self) -> None:
        self._counts = [0] * len(FEATURES)
        self._means = [0.0] * len(FEATURES)
        self._variances = [0.0] * len(FEATURES)
        self._weights = [0.0] * len(FEATURES)
        self._intercept = 0.0
        self._met: list[int] = []
        """Places of the features in the order in which they were first seen, as the pipeline keeps them."""

    def learn(self, values: Sequence[float], fraud: bool) -> None:
        """Learn one label; `values` as `models.challenger.values_of` gives them."""
        self.learn_all([values], [fraud])

    def learn_all(self, rows: Sequence[Sequence[float]], frauds: Sequence[bool]) -> None:
        """Learn many labels in order: the same bits as one by one.

        Mean and variance of a feature depend on its own values alone, so each is scaled through all rows
        first, with plain numbers in hand in place of lists.
        """
        self._note_first_met(rows)
        scaled = [self._scaled(place, column) for place, column in enumerate(zip(*rows, strict=True))]
        weights, intercept = self._weights, self._intercept
        for row, fraud in zip(zip(*scaled, strict=True), frauds, strict=True):
            logit = 0.0
            for weight, value in zip(weights, row, strict=True):
                logit += weight * value
            gradient = _gradient(logit + intercept, fraud)
            intercept -= LEARNING_RATE * gradient
            # What is missing is 0 here, and neither adds nor takes away: so not one bit is another.
            weights = [
                weight - LEARNING_RATE * (value * gradient)
                for weight, value in zip(weights, row, strict=True)
            ]
        self._weights, self._intercept = weights, intercept

    def _note_first_met(self, rows: Sequence[Sequence[float]]) -> None:
        if len(self._met) == len(FEATURES):
            return
        met = set(self._met)
        for row in rows:
            for place, value in enumerate(row):
                if value == value and place not in met:
                    met.add(place)
                    self._met.append(place)

    def _scaled(self, place: int, column: Sequence[float]) -> list[float]:
        """Takes a feature's values into mean and variance, and gives them in deviations from the mean; 0 for
        what is missing.
        """
        count, mean, variance = self._counts[place], self._means[place], self._variances[place]
        scaled: list[float] = []
        for value in column:
            if value != value:
                scaled.append(0.0)
                continue
            count += 1
            before = mean
            mean = before + (value - before) / count
            variance += ((value - before) * (value - mean) - variance) / count
            scaled.append((value - mean) / variance**0.5 if variance else 0.0)
        self._counts[place], self._means[place], self._variances[place] = count, mean, variance
        return scaled

    @property
    def learned(self) -> Challenger:
        """What it has learned so far, ready to score."""
        counts = {FEATURES[place]: self._counts[place] for place in self._met}
        means, variances, weights = (
            {FEATURES[place]: part[place] for place in self._met}
            for part in (self._means, self._variances, self._weights)
        )
        return Challenger(counts, means, variances, weights, self._intercept)

    @classmethod
    def of(cls, learned: Challenger) -> "ChallengerLearner":
        """A learner that goes on from there."""
        made = cls()
        for name, count in learned.counts.items():
            place = FEATURES.index(name)
            made._met.append(place)
            made._counts[place] = count
            made._means[place] = learned.means.get(name, 0.0)
            made._variances[place] = learned.variances.get(name, 0.0)
            made._weights[place] = learned.weights.get(name, 0.0)
        made._intercept = learned.intercept
        return made


def _gradient(logit: float, fraud: bool) -> float:
    """Of the log loss, as River's `losses.Log` has it."""
    side = 1.0 if fraud else -1.0
    margin = logit * side
    if margin > FLAT:
        return exp(-margin) * -side
    if margin < -FLAT:
        return -side
    return -side / (exp(margin) + 1.0)
