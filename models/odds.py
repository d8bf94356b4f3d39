"""Probabilities and their log-odds."""

from math import exp, log

LOGIT_MAX = 1_000.0
"""Log-odds, weights and leaves of a model lie within ±1,000: e^-1000 is no float any more, honest ones stay
below 40, and within it no sum of theirs overflows."""

_HELD_MIN, _HELD_MAX = 1e-15, 1.0 - 1e-15


def sigmoid(logit: float) -> float:
    """1 / (1 + e^-x) without overflow."""
    if logit >= 0:
        return 1.0 / (1.0 + exp(-logit))
    grown = exp(logit)
    return grown / (1.0 + grown)


def log_odds(probability: float) -> float:
    """The log-odds of a probability, which is first held within 1e-15 of 0 and 1.

    >>> log_odds(0.5)
    0.0
    """
    if probability < _HELD_MIN:
        probability = _HELD_MIN
    elif probability > _HELD_MAX:
        probability = _HELD_MAX
    return log(probability / (1.0 - probability))
