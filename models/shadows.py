"""Challengers in shadow: any number of them, each scoring every payment beside the models that decide.

The names `champion` and `boosting` decide. A model of any kind under another name is a challenger: its
probability is recorded with each decision, and decides nothing. Its snapshot with an empty state removes it.
"""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from events.vocabulary import ModelKind
from models.boosting import Boosting, BoostingScorer
from models.challenger import Challenger, ChallengerScorer
from models.feature import Row
from models.odds import sigmoid
from models.online import BinnedLogisticRegression
from models.slots import Matrix, Slots

NAME = re.compile("[a-z][a-z0-9_]{0,63}")
"""What a challenger may be called: its name stands in every decision."""


class RowParts(NamedTuple):
    """One row with what models see of it: numbers in the order of columns, active slots, linear values."""

    row: Row
    numbers: Sequence[float | None]
    slots: Sequence[int]
    linear: Sequence[float]


class Shadow(NamedTuple):
    """A challenger's log-odds, of many rows at once or of one, with the same bits."""

    of_many: Callable[[Matrix, Slots], Matrix]
    of_one: Callable[[RowParts], float]


class Shadows:
    """All challengers in force, by name.

    >>> shadows = Shadows()
    >>> shadows.use("steady", "challenger", Challenger({}, {}, {}, {}, 0.0).encode())
    >>> shadows.of_one(RowParts([None] * 200, [], [], []))
    {'steady': 0.5}
    """

    def __init__(self) -> None:
        self._shadows: dict[str, Shadow] = {}

    def __len__(self) -> int:
        return len(self._shadows)

    def use(self, name: str, kind: ModelKind, state: bytes) -> None:
        """Take one in force, or out where its state is empty.

        Raises `msgspec.DecodeError`, as the models' own `decode` does; then the one before stays.
        """
        if state:
            self._shadows[name] = _OF_KIND[kind](state)
        else:
            self._shadows.pop(name, None)

    def of_many(self, numbers: Matrix, slots: Slots) -> list[dict[str, float]]:
        """Each row's probabilities by challenger."""
        if not self._shadows:
            return [{} for _ in range(len(numbers))]
        columns = [
            [sigmoid(logit) for logit in shadow.of_many(numbers, slots).tolist()]
            for shadow in self._shadows.values()
        ]
        return [dict(zip(self._shadows, row, strict=True)) for row in zip(*columns, strict=True)]

    def of_one(self, parts: RowParts) -> dict[str, float]:
        """One row's probabilities by challenger."""
        return {name: sigmoid(shadow.of_one(parts)) for name, shadow in self._shadows.items()}


def _scaled(state: bytes) -> Shadow:
    scorer = ChallengerScorer(Challenger.decode(state))
    return Shadow(lambda numbers, _: scorer.logits(numbers), lambda parts: scorer.logit(parts.row))


def _binned(state: bytes) -> Shadow:
    model = BinnedLogisticRegression.decode(state)
    return Shadow(model.logits, lambda parts: model.logit(parts.slots, parts.linear))


def _boosted(state: bytes) -> Shadow:
    scorer = BoostingScorer(Boosting.decode(state))
    return Shadow(lambda numbers, _: scorer.logits(numbers), lambda parts: scorer.logit(parts.numbers))


_OF_KIND: dict[ModelKind, Callable[[bytes], Shadow]] = {
    "challenger": _scaled,
    "online": _binned,
    "batch": _boosted,
}
