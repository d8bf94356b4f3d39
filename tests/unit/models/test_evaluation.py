"""Both protocols and calibration, on sets small enough to count by hand."""

import numpy as np
import pytest

from models.evaluation import (
    CARDS_PER_DAY,
    Scores,
    by_week,
    calibration,
    fold,
    fold_starts,
    handbook,
    quality,
)


def scores(*payments: tuple[int, int, float, bool]) -> Scores:
    """(day, card, score, fraud)"""
    days, cards, given, frauds = zip(*payments, strict=True)
    return Scores(np.array(days), np.array(cards), np.array(given), np.array(frauds))


def test_average_precision_and_area_are_those_of_the_ranking() -> None:
    found = quality(scores((0, 1, 0.9, True), (0, 2, 0.8, False), (0, 3, 0.7, True), (0, 4, 0.1, False)))

    assert found.average_precision == pytest.approx((1 + 2 / 3) / 2)
    assert found.roc_auc == pytest.approx(0.75)
    assert found.brier == pytest.approx((0.01 + 0.64 + 0.09 + 0.01) / 4)


def test_without_both_classes_there_is_no_ranking() -> None:
    found = quality(scores((0, 1, 0.9, False)))

    assert (found.average_precision, found.roc_auc) == (None, None)


def test_weeks_count_from_the_first_day() -> None:
    given = scores(*((day, 1, 0.5, False) for day in range(10, 20)))

    assert [(day, week.payments) for day, week in by_week(given, 10)] == [(10, 7), (17, 3)]


def test_the_last_folds_are_a_week_apart_and_end_with_the_file() -> None:
    assert fold_starts(100) == [59, 66, 73, 80]


def test_cards_known_as_fraud_a_week_before_a_test_day_are_left_out() -> None:
    """Card 1 is known by day 14 (fraud on day 6), card 2 is not (fraud on day 7)."""
    found = fold(
        scores(
            (6, 1, 0.5, True),
            (7, 2, 0.5, True),
            (14, 1, 0.9, False),
            (14, 2, 0.2, False),
            (14, 3, 0.8, True),
            (14, 4, 0.1, False),
        ),
        start=0,
    )

    assert found is not None
    assert found.average_precision == 1.0


def test_frauds_before_the_fold_make_no_card_known() -> None:
    found = fold(scores((-1, 1, 0.5, True), (14, 1, 0.9, False), (14, 3, 0.8, True)), start=0)

    assert found is not None
    assert found.average_precision == 0.5


def test_card_precision_leaves_out_cards_that_were_found_before() -> None:
    found = fold(
        scores((14, 1, 0.9, True), (14, 2, 0.1, False), (15, 1, 0.9, True), (15, 3, 0.8, True)), start=0
    )

    assert found is not None
    assert found.card_precision == pytest.approx((1 + 1) / CARDS_PER_DAY / 7)


def test_a_card_counts_once_a_day_with_its_highest_score() -> None:
    many = [(14, card, 0.5, False) for card in range(10, 10 + CARDS_PER_DAY)]
    found = fold(scores(*many, (14, 1, 0.2, True), (14, 1, 0.9, False)), start=0)

    assert found is not None
    assert found.card_precision == pytest.approx(1 / CARDS_PER_DAY / 7)


def test_the_handbooks_figure_is_the_mean_over_folds() -> None:
    good = ((14, 1, 0.9, True), (14, 2, 0.1, False))
    bad = ((21, 3, 0.1, True), (21, 4, 0.9, False))
    mean, folds = handbook(scores(*good, *bad), [0, 7])

    assert mean is not None
    assert [start for start, _ in folds] == [0, 7]
    assert mean.average_precision == pytest.approx((1.0 + 0.5) / 2)


def test_payments_without_a_card_have_no_fold() -> None:
    assert handbook(scores((14, -1, 0.9, True), (14, 2, 0.1, False)), [0]) == (None, [])


def test_calibration_puts_the_mean_score_beside_the_share_of_fraud() -> None:
    buckets = calibration(scores((0, 1, 0.6, True), (0, 2, 0.6, False), (0, 3, 1.0, True)))

    assert [(b.low, b.high, b.payments, b.mean_score, b.fraud_share) for b in buckets] == [
        (0.5, 0.7, 2, 0.6, 0.5),
        (0.9, 1.0, 1, 1.0, 1.0),
    ]
