"""The average of the champion's latest states."""

import pytest

from models.averaging import HALF_LIFE_CUTS, AveragedChampion
from models.online import BinnedLogisticRegression


def champion(weight: float) -> BinnedLogisticRegression:
    model = BinnedLogisticRegression()
    model.weights[5], model.linear, model.intercept, model.learned = weight, [weight], weight, 7
    return model


def test_the_first_state_is_taken_as_it_is() -> None:
    average = AveragedChampion()
    average.follow(champion(3.0))

    assert (average.model.weights[5], average.model.linear, average.model.intercept) == (3.0, [3.0], 3.0)
    assert average.model.learned == 7


def test_a_few_states_give_their_mean() -> None:
    average = AveragedChampion()
    for weight in (1.0, 2.0, 6.0):
        average.follow(champion(weight))

    assert average.model.weights[5] == pytest.approx(3.0)


def test_after_a_change_half_of_it_is_followed_within_the_half_life() -> None:
    average = AveragedChampion()
    for _ in range(500):
        average.follow(champion(0.0))
    for _ in range(HALF_LIFE_CUTS):
        average.follow(champion(1.0))

    assert average.model.weights[5] == pytest.approx(0.5)


def test_the_champion_itself_is_left_as_it_is() -> None:
    average, followed = AveragedChampion(), champion(2.0)
    before = followed.encode()
    for _ in range(3):
        average.follow(followed)

    assert followed.encode() == before
