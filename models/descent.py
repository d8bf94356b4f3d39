"""The champion's step: stochastic gradient descent on log loss, where every active slot has the value 1.

A label touches some fifty weights twice, so this loop is most of what learning costs. It is apart from the
model, which keeps River's interface, so that it can be compiled.
"""

from collections.abc import MutableSequence, Sequence
from typing import NamedTuple

from models.odds import sigmoid


class Step(NamedTuple):
    """One label: active slots (no slot 0), linear values, whether fraud.

    A negative weight takes a label back.
    """

    slots: Sequence[int]
    linear: Sequence[float]
    fraud: bool
    weight: float = 1.0


def descend(
    weights: MutableSequence[float],
    linear: MutableSequence[float],
    intercept: float,
    steps: Sequence[Step],
    learning_rate: float,
) -> float:
    """Take steps in order; weights change in place, the new intercept is given back.

    The log-odds are added up from left to right, as scoring does: sums of another order have other bits.

    >>> weights, linear = [0.0, 0.0, 0.0], [0.0]
    >>> descend(weights, linear, 0.0, [Step((2,), (3.0,), True)], 0.1)
    0.05
    >>> weights, [round(weight, 2) for weight in linear]
    ([0.0, 0.0, 0.05], [0.15])
    """
    for slots, values, fraud, weight in steps:
        logit = intercept
        for slot in slots:
            logit += weights[slot]
        for place, value in enumerate(values):
            logit += linear[place] * value
        step = weight * learning_rate * ((1.0 if fraud else 0.0) - sigmoid(logit))
        intercept += step
        for slot in slots:
            weights[slot] += step
        for place, value in enumerate(values):
            linear[place] += step * value
    return intercept
