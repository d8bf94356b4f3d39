"""How good scores were: two protocols that are never mixed, and calibration.

- **all**: average precision and ROC AUC over all payments from a day on.
- **handbook**: the Fraud Detection Handbook's. A fold is named by its start S, its test days are S + 14 …
  S + 20. On test day d every card that had a fraud on any of the days S … d - 8 is left out: known by then.
  AP and AUC are over the rest of the fold's test days; card precision (CP@100) is the mean over days of the
  share of the 100 cards with the day's highest scores that had a fraud that day, cards found once being left
  out later.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
from sklearn.metrics import average_precision_score, roc_auc_score

from models.windows import DAY_US

FOLDS = 4
TEST_OFFSET_DAYS, TEST_DAYS, DELAY_DAYS = 14, 7, 7
CARDS_PER_DAY = 100
"""The protocol of the Fraud Detection Handbook: nothing here is ours to choose."""

Flags = npt.NDArray[np.bool_]
Numbers = npt.NDArray[np.float64]
Days = npt.NDArray[np.int64]


class Scores(NamedTuple):
    """Payments whose truth is known: UTC day since 1970, card (-1: none), calibrated score 0–1, fraud."""

    days: Days
    cards: Days
    scores: Numbers
    frauds: Flags

    def only(self, chosen: Flags) -> "Scores":
        """Those chosen."""
        return Scores(self.days[chosen], self.cards[chosen], self.scores[chosen], self.frauds[chosen])


class Quality(msgspec.Struct, frozen=True):
    """Figures over a set of payments; None where a class is missing. `brier` is the mean squared error."""

    payments: int
    frauds: int
    average_precision: float | None
    roc_auc: float | None
    brier: float | None


class Fold(msgspec.Struct, frozen=True):
    """Figures of one fold of the handbook's protocol, or their mean over folds."""

    average_precision: float
    roc_auc: float
    card_precision: float


class Bucket(msgspec.Struct, frozen=True):
    """Payments with a score in [low, high): how many, their mean score, and their share of fraud."""

    low: float
    high: float
    payments: int
    mean_score: float
    fraud_share: float


def quality(given: Scores) -> Quality:
    """Average precision, ROC AUC and Brier score."""
    payments, frauds = len(given.frauds), int(given.frauds.sum())
    brier = float(np.mean((given.scores - given.frauds) ** 2)) if payments else None
    if frauds == 0 or frauds == payments:
        return Quality(payments, frauds, None, None, brier)
    precision = float(average_precision_score(given.frauds, given.scores))
    return Quality(payments, frauds, precision, float(roc_auc_score(given.frauds, given.scores)), brier)


def by_week(given: Scores, first_day: int) -> list[tuple[int, Quality]]:
    """(first day, figures) of each week from `first_day` on."""
    if not len(given.days):
        return []
    weeks = range(first_day, int(np.max(given.days)) + 1, 7)
    return [(day, quality(given.only((given.days >= day) & (given.days < day + 7)))) for day in weeks]


def fold_starts(last_day: int, count: int = FOLDS) -> list[int]:
    """Starts of the folds whose test weeks are the last ones, a week apart."""
    last_start = last_day - TEST_OFFSET_DAYS - TEST_DAYS + 1
    return [last_start - 7 * back for back in reversed(range(count))]


def fold(given: Scores, start: int) -> Fold | None:
    """One fold; None where its test days have no fraud left, or nothing else, or cards are unknown."""
    tested = given.only((given.days >= start) & (given.days < start + TEST_OFFSET_DAYS + TEST_DAYS))
    days = range(start + TEST_OFFSET_DAYS, start + TEST_OFFSET_DAYS + TEST_DAYS)
    if not len(tested.days) or (tested.cards < 0).any():
        return None
    kept = np.zeros(len(tested.days), dtype=np.bool_)
    for day in days:
        known = tested.cards[tested.frauds & (tested.days < day - DELAY_DAYS)]
        kept |= (tested.days == day) & ~np.isin(tested.cards, known)
    left = tested.only(kept)
    figures = quality(left)
    if figures.average_precision is None or figures.roc_auc is None:
        return None
    return Fold(figures.average_precision, figures.roc_auc, _card_precision(left, days))


def _card_precision(left: Scores, days: Sequence[int]) -> float:
    found = np.zeros(0, dtype=np.int64)
    shares = []
    for day in days:
        today = left.only((left.days == day) & ~np.isin(left.cards, found))
        cards, places = np.unique(today.cards, return_inverse=True)
        highest, frauds = np.zeros(len(cards)), np.zeros(len(cards), dtype=np.bool_)
        np.maximum.at(highest, places, today.scores)
        np.logical_or.at(frauds, places, today.frauds)
        chosen = np.argsort(-highest, kind="stable")[:CARDS_PER_DAY]
        shares.append(frauds[chosen].sum() / CARDS_PER_DAY)
        found = np.concatenate([found, cards[chosen][frauds[chosen]]])
    return float(np.mean(shares))


def handbook(given: Scores, starts: Sequence[int]) -> tuple[Fold | None, list[tuple[int, Fold]]]:
    """The mean over folds, and each fold by its start."""
    folds = [(start, figures) for start in starts if (figures := fold(given, start)) is not None]
    if not folds:
        return None, []
    columns = zip(*(msgspec.structs.astuple(figures) for _, figures in folds), strict=True)
    return Fold(*(float(np.mean(column)) for column in columns)), folds


CALIBRATION_EDGES = (0.0, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0)
"""Finer where most payments are, at small probabilities. Round, not tuned."""


def calibration(given: Scores) -> list[Bucket]:
    """Mean score beside the share of fraud, in buckets of the score; empty buckets are left out."""
    buckets = []
    for low, high in pairwise(CALIBRATION_EDGES):
        chosen = given.only((given.scores >= low) & ((given.scores < high) | (high == 1.0)))
        if len(chosen.days):
            mean, share = float(chosen.scores.mean()), float(chosen.frauds.mean())
            buckets.append(Bucket(low, high, len(chosen.days), mean, share))
    return buckets


def day_of(at_us: int) -> int:
    """UTC day since 1970."""
    return at_us // DAY_US
