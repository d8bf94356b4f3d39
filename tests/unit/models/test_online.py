"""The champion: many payments at once and one alone, and labels that are taken back."""

import pytest

from models.features import CATALOGUE, POSITIONS, Row
from models.online import BinnedLogisticRegression, sigmoid
from models.slots import numbers_of, slots_of


@pytest.mark.parametrize("boosting_logit", [-30.0, -6.0, 0.0, 3.5, 8.0, 30.0, None])
def test_many_payments_at_once_get_the_same_bits_as_one_alone_however_extreme(
    boosting_logit: float | None,
) -> None:
    model = BinnedLogisticRegression()
    model.linear = [0.7]
    row: Row = [None] * len(CATALOGUE)
    row[POSITIONS["boosting_logit"]] = boosting_logit
    row[POSITIONS["card_amount_z"]] = 2.5
    numbers = numbers_of([row, row])

    together = model.logits(numbers, slots_of([row, row], numbers))

    given = {} if boosting_logit is None else {"boosting_logit": boosting_logit}
    alone = model.predict_proba_one({**given, "card_amount_z": 2.5})[True]
    assert [sigmoid(logit) for logit in together.tolist()] == [alone, alone]


def test_a_label_that_is_taken_back_is_not_counted_as_learned() -> None:
    model = BinnedLogisticRegression()
    model.learn([3, 5], [0.0], True)
    model.learn([3, 5], [0.0], True, weight=-1.0)
    model.learn([3, 5], [0.0], False)

    assert (model.learned, model.frauds) == (1, 0)
