"""Weir's half-space trees, held to River's."""

import random

import pytest
from river import anomaly

from models.half_space import HalfSpaceTrees

NAMES = ("a", "b", "c", "d")


def points(count: int) -> list[list[float | None]]:
    """Mostly near each other, with some features unknown, and now and then one far off."""
    dice = random.Random(3)
    return [
        [
            None if dice.random() < 0.2 else dice.random() if n % 20 == 0 else dice.betavariate(8, 30)
            for _ in NAMES
        ]
        for n in range(count)
    ]


@pytest.mark.parametrize("seed", [7, 8])
def test_every_score_and_every_mass_equals_rivers(seed: int) -> None:
    own = HalfSpaceTrees(features=len(NAMES), trees=6, height=5, window=50, seed=seed)
    rivers = anomaly.HalfSpaceTrees(n_trees=6, height=5, window_size=50, seed=seed)
    # River grows its trees over the names of the first point.
    first = [0.5] * len(NAMES)
    own.score_and_learn(first)
    rivers.learn_one(dict(zip(NAMES, first, strict=True)))

    for point in points(400):
        x = {name: value for name, value in zip(NAMES, point, strict=True) if value is not None}
        expected = rivers.score_one(x)
        rivers.learn_one(x)
        assert own.score_and_learn(point) == expected

    masses = [(node.l_mass, node.r_mass) for tree in rivers.trees for node in tree.iter_dfs()]
    assert own.masses == masses


def test_masses_of_other_trees_are_not_taken() -> None:
    large = HalfSpaceTrees(features=2, trees=2, height=3, window=10, seed=1)
    small = HalfSpaceTrees(features=2, trees=2, height=2, window=10, seed=1)

    with pytest.raises(ValueError):
        large.masses = small.masses
