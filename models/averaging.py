"""What scores is the average of the champion's latest states, not the last one.

Stochastic gradient descent never rests: each label moves every weight that it touches, and the last ones more
than they know. Averaging the weights over the cuts (Polyak and Juditsky, SIAM Journal on Control and
Optimization 30, 1992), here with a memory of a day so that it still follows change, takes that noise off.
"""

import numpy as np

from models.online import BinnedLogisticRegression

HALF_LIFE_CUTS = 24
"""A day of hourly cuts: one whole turn of what differs by hour."""
SHARE = 1.0 - 0.5 ** (1.0 / HALF_LIFE_CUTS)


class AveragedChampion:
    """Follows a champion from cut to cut. While there are few cuts it is their plain mean.

    >>> average, champion = AveragedChampion(), BinnedLogisticRegression()
    >>> champion.intercept = -3.0
    >>> average.follow(champion)
    >>> average.model.intercept
    -3.0
    """

    def __init__(self, model: BinnedLogisticRegression | None = None, cuts: int = 0) -> None:
        """`model` and `cuts` of an earlier average go on where it stopped."""
        self.model = model or BinnedLogisticRegression()
        self.cuts = cuts

    def follow(self, champion: BinnedLogisticRegression) -> None:
        """Take the champion's state into the average."""
        self.cuts += 1
        # The plain mean until there are more cuts than the memory holds.
        share = max(SHARE, 1.0 / self.cuts)
        model = self.model
        model.intercept += share * (champion.intercept - model.intercept)
        model.linear = [
            mean + share * (value - mean) for mean, value in zip(model.linear, champion.linear, strict=True)
        ]
        means = np.frombuffer(model.weights)
        means += share * (np.frombuffer(champion.weights) - means)
        model.learned, model.frauds = champion.learned, champion.frauds
