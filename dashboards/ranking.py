"""Average precision of scores against known truth, ties and all."""

from collections.abc import Iterable
from itertools import groupby


def average_precision(scored: Iterable[tuple[float, bool]]) -> float | None:
    """Sum over the ranks of precision times gain in recall; None without a single fraud.

    Payments with equal scores enter together, so that their order cannot matter (as scikit-learn has it).

    >>> average_precision([(0.9, True), (0.8, False), (0.7, True)])
    0.8333333333333333
    >>> average_precision([(0.5, True), (0.5, False)])
    0.5
    """
    ranked = sorted(scored, key=lambda pair: -pair[0])
    frauds = sum(fraud for _, fraud in ranked)
    if frauds == 0:
        return None
    seen = found = 0
    total = 0.0
    for _, ties in groupby(ranked, key=lambda pair: pair[0]):
        verdicts = [fraud for _, fraud in ties]
        seen += len(verdicts)
        gained = sum(verdicts)
        found += gained
        total += gained * found / seen
    return total / frauds
