"""The boosting as plain arrays equals scikit-learn's."""

from typing import Any

import msgspec
import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier

from models.boosting import GENUINE_SHARE, Boosting, BoostingScorer, exported, fit
from models.features import FEATURES_VERSION
from models.slots import NUMBER_COLUMNS, NUMERIC, Matrix


def sample(rows: int, columns: int, seed: int = 0) -> tuple[Matrix, np.ndarray]:
    chance = np.random.default_rng(seed)
    numbers = chance.normal(size=(rows, columns))
    numbers[:, 1] = np.round(2 * numbers[:, 1])
    numbers[chance.random(numbers.shape) < 0.15] = np.nan
    told = np.nan_to_num(numbers)
    return numbers, (told[:, 0] * told[:, 1] + told[:, 2] > 1.5)


@pytest.fixture(scope="module")
def trained() -> tuple[HistGradientBoostingClassifier, Matrix]:
    numbers, frauds = sample(3_000, 8)
    model = HistGradientBoostingClassifier(
        max_iter=40, max_leaf_nodes=12, early_stopping=False, random_state=0
    )
    return model.fit(numbers, frauds), numbers


def test_its_log_odds_equal_those_of_scikit_learn(
    trained: tuple[HistGradientBoostingClassifier, Matrix],
) -> None:
    model, _ = trained
    numbers, _ = sample(1_000, 8, seed=9)
    scorer = BoostingScorer(exported(model, list(range(8))))

    expected = model.decision_function(numbers)
    assert np.abs(scorer.logits(numbers) - expected).max() < 1e-12


def test_values_on_a_threshold_and_missing_ones_go_where_scikit_learn_sends_them(
    trained: tuple[HistGradientBoostingClassifier, Matrix],
) -> None:
    model, numbers = trained
    boosting = exported(model, list(range(8)))
    edge = np.tile(numbers[:1], (len(boosting.thresholds), 1))
    for place, (feature, threshold) in enumerate(zip(boosting.features, boosting.thresholds, strict=True)):
        edge[place, feature] = threshold
    edge[::3, 4] = np.nan

    assert np.abs(BoostingScorer(boosting).logits(edge) - model.decision_function(edge)).max() < 1e-12


@pytest.mark.parametrize("size", [1, 3, 64])
def test_a_rows_bits_do_not_depend_on_the_rows_beside_it(
    trained: tuple[HistGradientBoostingClassifier, Matrix], size: int
) -> None:
    model, numbers = trained
    scorer = BoostingScorer(exported(model, list(range(8))))
    whole = scorer.logits(numbers[:192])
    parts = [scorer.logits(numbers[first : first + size]) for first in range(0, 192, size)]

    assert np.concatenate(parts).tolist() == whole.tolist()


def test_one_row_alone_has_the_bits_that_it_has_among_many(
    trained: tuple[HistGradientBoostingClassifier, Matrix],
) -> None:
    model, numbers = trained
    boosting = exported(model, list(range(8)))
    edge = np.tile(numbers[:1], (len(boosting.thresholds), 1))
    for place, (feature, threshold) in enumerate(zip(boosting.features, boosting.thresholds, strict=True)):
        edge[place, feature] = threshold
    scorer = BoostingScorer(boosting)

    for row, logit in zip([*edge, *numbers], [*scorer.logits(edge), *scorer.logits(numbers)], strict=True):
        told = row.tolist()
        assert scorer.logit(told) == logit
        assert scorer.logit([None if value != value else value for value in told]) == logit


def test_without_trees_every_row_has_the_intercept() -> None:
    empty = Boosting(-2.0, 0, [], [], [], [], [], b"", FEATURES_VERSION)

    assert BoostingScorer(empty).logits(np.zeros((2, 3))).tolist() == [-2.0, -2.0]
    assert BoostingScorer(empty).logit([0.0] * 3) == -2.0


def test_its_state_is_bytes_that_give_the_same_model(
    trained: tuple[HistGradientBoostingClassifier, Matrix],
) -> None:
    model, numbers = trained
    boosting = exported(model, list(range(8)))
    again = Boosting.decode(boosting.encode())

    assert BoostingScorer(again).logits(numbers).tolist() == BoostingScorer(boosting).logits(numbers).tolist()


@pytest.mark.parametrize(
    "broken",
    [
        {"intercept": float("nan")},
        {"intercept": 1e300},
        {"tree_count": -1},
        {"tree_count": 3},
        {"features": [len(NUMERIC)]},
        {"features": [-1]},
        {"features": []},
        {"thresholds": [float("nan")]},
        {"missing_left": [True, False]},
        {"trees": [2]},
        {"masks": [1 << 16]},
        {"leaves": b"\xff" * 256},
        {"leaves": np.full(32, 1e308).tobytes()},
        {"leaves": b""},
        {"features_version": FEATURES_VERSION - 1},
    ],
)
def test_trees_that_no_boosting_has_are_refused(broken: dict[str, Any]) -> None:
    whole: dict[str, Any] = {
        "intercept": -1.0, "tree_count": 2, "features": [0], "thresholds": [0.5], "missing_left": [True],
        "trees": [1], "masks": [0xFFFE], "leaves": np.zeros(32).tobytes(),
            "features_version": FEATURES_VERSION,
    }  # fmt: skip
    assert Boosting.decode(msgspec.msgpack.encode(whole)).tree_count == 2

    with pytest.raises(msgspec.ValidationError):
        Boosting.decode(msgspec.msgpack.encode({**whole, **broken}))


def test_a_fit_ignores_what_no_row_has_and_its_own_log_odds() -> None:
    numbers = np.full((2_000, len(NUMERIC)), np.nan)
    given, frauds = sample(2_000, 6)
    numbers[:, 10:16] = given
    numbers[:, NUMBER_COLUMNS["boosting_logit"]] = frauds
    boosting = fit(numbers, frauds)

    assert set(boosting.features) <= set(range(10, 16))


def test_fitting_twice_gives_the_same_bytes() -> None:
    numbers = np.full((2_000, len(NUMERIC)), np.nan)
    given, frauds = sample(2_000, 6)
    numbers[:, :6] = given

    assert fit(numbers, frauds).encode() == fit(numbers, frauds).encode()


def test_the_intercept_is_corrected_for_the_genuine_payments_that_were_left_out() -> None:
    numbers = np.full((4_000, len(NUMERIC)), np.nan)
    numbers[:, :6], frauds = sample(4_000, 6)
    kept = frauds | (np.arange(4_000) % 10 < 10 * GENUINE_SHARE)
    probabilities = 1 / (1 + np.exp(-BoostingScorer(fit(numbers[kept], frauds[kept])).logits(numbers)))

    assert probabilities.mean() == pytest.approx(frauds.mean(), rel=0.1)
