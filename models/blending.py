"""What the champion and the detector of the cold start each have in a score, and in its contributions.

Apart from the models, so that explaining a decision need not load the libraries that they learn with.
"""

from models.odds import log_odds
from models.online import BASE_RATE, LINEAR, BinnedLogisticRegression
from models.slots import COLUMNS

BASE_LOGIT = log_odds(BASE_RATE)
CHAMPION, BOOSTING = "champion", "boosting"
"""Names under which the learner publishes, beside `models.challenger.NAME`."""

COLD_START = "cold_start"
"""What the detector's share of the log-odds is called."""

FRAUDS_ENOUGH = 20
GENUINE_ENOUGH = 200
"""Labels of each class after which the champion speaks alone: round, not tuned."""

Contribution = tuple[str | tuple[str, ...], float]


def cold_share(learned: int, frauds: int) -> float:
    """1 without labels, 0 once there are enough: 1 - min(frauds / 20, genuine / 200, 1).

    >>> cold_share(0, 0), cold_share(210, 10), cold_share(500, 20)
    (1.0, 0.5, 0.0)
    """
    return 1.0 - min(frauds / FRAUDS_ENOUGH, (learned - frauds) / GENUINE_ENOUGH, 1.0)


def blended(logit: float, raised: float, base_logit: float, share: float) -> float:
    """Log-odds in the cold start: `share` of the detector's, the rest of the champion's."""
    return (1.0 - share) * logit + share * (base_logit + raised)


def contributions_of(
    champion: BinnedLogisticRegression, slots: list[int], linear: list[float], anomaly: float | None
) -> list[Contribution]:
    """(feature, or the features of a cross; its share), for what is active; the intercept is left out.

    In the cold start (`anomaly` not None) the champion has its part, and the detector is one more line.
    """
    shares: list[Contribution] = []
    cold = 0.0 if anomaly is None else cold_share(champion.learned, champion.frauds)
    weights, part = champion.weights, 1.0 - cold
    for names, slot in zip(COLUMNS, slots, strict=True):
        if slot and weights[slot]:
            shares.append((names[0] if len(names) == 1 else names, part * weights[slot]))
    for name, weight, value in zip(LINEAR, champion.linear, linear, strict=True):
        if weight * value:
            shares.append((name, part * weight * value))
    if anomaly and cold:
        shares.append((COLD_START, cold * anomaly))
    return shares
