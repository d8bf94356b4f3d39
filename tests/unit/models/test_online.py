"""The champion: many payments at once and one alone, and labels that are taken back."""

import msgspec
import pytest

from models.feature import Row
from models.features import CATALOGUE, FEATURES_VERSION, POSITIONS
from models.online import STATE_VERSION, BinnedLogisticRegression, sigmoid
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


STORED = bytes.fromhex(
    "980305cbc010d9d1c873cf4491cb3fd9550cd453b81897cc95cca8cd09c8cd09dccd0a3ccd184dcd18c297cbbf65f8c76b15c460"
    "cb3fd8a54698fb09f4cbbf65f8c76b15c460cb3fd8a54698fb09f4cb3fd879550a24de6ecbbf65f8c76b15c460cb3fd8a54698fb"
    "09f45028"
)
"""A champion that learned eighty labels, as a build of the same `STATE_VERSION` once wrote it."""


def test_weights_that_were_stored_say_today_what_they_said_when_they_were_stored() -> None:
    payment = {"card_amount_z": 8.0, "boosting_logit": 1.0, "merchant_category": "5411"}

    model = BinnedLogisticRegression.decode(STORED)

    # Where slots, bins or values have changed on purpose: raise STATE_VERSION and both flows' FORMAT, and
    # store a champion anew.
    assert model.predict_proba_one(payment)[True] == pytest.approx(0.09285780675042647, rel=1e-12)
    assert model.encode() == STORED


def test_weights_of_another_version_are_refused() -> None:
    state = bytearray(BinnedLogisticRegression().encode())
    assert state[1] == STATE_VERSION
    state[1] = STATE_VERSION - 1

    with pytest.raises(msgspec.ValidationError, match="weights of version 2"):
        BinnedLogisticRegression.decode(bytes(state))


NAN, INFINITE = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (1, FEATURES_VERSION - 1),
        *((2, intercept) for intercept in (NAN, INFINITE, 1e300)),
        *((3, linear) for linear in ([], [0.1, 0.2], [NAN], [1e300])),
        *((4, slots) for slots in ([0], [-1], [10**9], [3, 4])),
        *((5, weights) for weights in ([NAN], [INFINITE], [1e300], [])),
        *((6, learned) for learned in (-1, 0)),
        (7, -1),
    ],
)
def test_weights_that_no_champion_has_are_refused(place: int, value: object) -> None:
    model = BinnedLogisticRegression()
    model.learn([3], [0.5], True)
    state = msgspec.msgpack.decode(model.encode())
    state[place] = value

    with pytest.raises(msgspec.ValidationError):
        BinnedLogisticRegression.decode(msgspec.msgpack.encode(state))
