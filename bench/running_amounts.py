"""The engine's running statistics of amounts, of many entities side by side: equal to it in every bit.

`models.intake.note_amount` takes one amount of one entity at a time. Here step `n` takes the `n`-th amount of
all entities, by the same operations in the same order; logarithms alone are taken one by one, as numpy's own
differ in the last bit.
"""

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt

from models.histories import (
    CLIP_DEVIATIONS,
    RELATIVE_DEVIATION_PRIOR,
    Amounts,
)
from models.windows import PRIOR_WEIGHT

Numbers = npt.NDArray[np.float64]


class RunningAmounts:
    """Of amounts entities × payments, whole numbers in minor units, each entity's in the order of time.

    >>> amounts = RunningAmounts(np.array([[900, 1_000, 1_100, 50_000]]))
    >>> [one] = amounts.ends()
    >>> round(one.mean), amounts.unusual.tolist()
    (1271, [[False, False, False, True]])
    """

    def __init__(self, amounts_minor: npt.NDArray[np.int64]) -> None:
        self.unusual = np.zeros(amounts_minor.shape, bool)
        """Whether each amount lay three deviations or more above what its entity had paid before."""
        entities = len(amounts_minor)
        self._count = 0
        self._mean, self._squares = np.zeros(entities), np.zeros(entities)
        self._log_mean, self._log_squares = np.zeros(entities), np.zeros(entities)
        self._largest = np.zeros(entities)
        for step in range(amounts_minor.shape[1]):
            self._take(step, amounts_minor[:, step].astype(np.float64))

    def ends(self) -> Iterator[Amounts]:
        """What each entity's profile holds after all of them."""
        count = self._count
        columns = (self._mean, self._squares, self._log_mean, self._log_squares, self._largest)
        for mean, squares, log_mean, log_squares, largest in zip(
            *(column.tolist() for column in columns), strict=True
        ):
            yield Amounts(
                count=count,
                mean=mean,
                squares=squares,
                log_mean=log_mean,
                log_squares=log_squares,
                largest=largest,
            )

    def _take(self, step: int, amounts: Numbers) -> None:
        if self._count:
            deviation = self._deviation()
            self.unusual[:, step] = (amounts - self._mean) / deviation >= CLIP_DEVIATIONS
            amounts = np.minimum(amounts, self._mean + CLIP_DEVIATIONS * deviation)
        self._count += 1
        self._mean, self._squares = _added(self._count, self._mean, self._squares, amounts)
        logs = np.array([math.log(amount + 1.0) for amount in amounts.tolist()])
        self._log_mean, self._log_squares = _added(self._count, self._log_mean, self._log_squares, logs)
        self._largest = np.maximum(self._largest, amounts)

    def _deviation(self) -> Numbers:
        prior = RELATIVE_DEVIATION_PRIOR * self._mean + 1.0
        spread: Numbers = np.sqrt(
            (self._squares + PRIOR_WEIGHT * prior * prior) / (self._count - 1 + PRIOR_WEIGHT)
        )
        return spread


def _added(count: int, mean: Numbers, squares: Numbers, values: Numbers) -> tuple[Numbers, Numbers]:
    delta = values - mean
    mean = mean + delta / count
    return mean, squares + delta * (values - mean)
