"""Half-space trees: how few of the last points lay where this one lies (Tan, Ting and Liu, IJCAI 2011).

Each tree halves the unit cube again and again at places drawn from a seed, and counts the points of a window
in every part. A point is unusual where the window before left its parts nearly empty. Answers are those of
River's `HalfSpaceTrees` with the same seed, which would have every program that scores load scikit-learn,
SciPy, pandas and SQLAlchemy first. A tree is a few flat lists, in the order in which its parts were halved;
one walk down both asks and counts.
"""

import random
from collections.abc import Sequence

PADDING = 0.15
"""No side is halved nearer to its ends than this share of it."""
NEARLY_EMPTY = 0.1
"""A part that held less than this share of a window is not looked into further: the paper's own number."""

UNKNOWN = -1
"""No mass is negative."""

Masses = list[tuple[int, int]]
"""Of every part of every tree, in order: points of this window, and of the one before."""


class _Tree:
    """The parts of one tree, each before its left half and that before its right."""

    def __init__(self, dice: random.Random, features: int, height: int) -> None:
        self.halves: list[tuple[int, float]] = []
        """By which feature each part is halved, and where."""
        self._halve(dice, [(0.0, 1.0)] * features, height)
        self.masses = [0] * len(self.halves)
        self.turn([0] * len(self.halves))

    def turn(self, before: list[int]) -> None:
        """Take what the parts held in the window before."""
        self.before = before
        self.held = [UNKNOWN] * len(before)
        """What the window before held on the way to a smallest part, once somebody asked."""

    def _halve(self, dice: random.Random, sides: list[tuple[float, float]], height: int) -> None:
        if height == 0:
            self.halves.append((0, 0.0))
            return
        (feature,) = dice.choices(range(len(sides)), [high - low for low, high in sides])
        low, high = sides[feature]
        padding = PADDING * (high - low)
        threshold = dice.uniform(low + padding, high - padding)
        self.halves.append((feature, threshold))
        for half in ((low, threshold), (threshold, high)):
            self._halve(dice, [*sides[:feature], half, *sides[feature + 1 :]], height - 1)


class HalfSpaceTrees:
    """`trees` of `height` halvings over points of so many `features`, each from 0 to 1 or None: unknown.

    >>> trees = HalfSpaceTrees(features=1, trees=5, height=3, window=10, seed=1)
    >>> for _ in range(10):
    ...     _ = trees.score_and_learn([0.5])
    >>> trees.score_and_learn([0.5]) < trees.score_and_learn([0.0])
    True
    """

    def __init__(self, *, features: int, trees: int, height: int, window: int, seed: int) -> None:
        dice = random.Random(seed)
        self._trees = [_Tree(dice, features, height) for _ in range(trees)]
        self._window = window
        # A part's left half comes next, and its right half behind all that the left one is made of.
        self._rights = [1 << (height - depth) for depth in range(height)]
        self._score_max = trees * window * ((1 << (height + 1)) - 1)
        self.counter = 0
        """Points of this window so far."""
        self.first_window = True
        """Whether there is no window before this one: until then every score is 0."""

    def score_and_learn(self, point: Sequence[float | None]) -> float:
        """How unusual the point is, from 0 to 1, before it is counted itself."""
        held = 0
        for tree in self._trees:
            part = self._counted(tree.halves, tree.masses, point)
            of_part = tree.held[part]
            if of_part == UNKNOWN:
                of_part = tree.held[part] = self._held(tree.before, part)
            held += of_part
        score = 0.0 if self.first_window else 1.0 - held / self._score_max
        self.counter += 1
        if self.counter == self._window:
            for tree in self._trees:
                tree.turn(tree.masses)
                tree.masses = [0] * len(tree.masses)
            self.counter, self.first_window = 0, False
        return score

    def _counted(
        self, halves: list[tuple[int, float]], masses: list[int], point: Sequence[float | None]
    ) -> int:
        """The smallest part that the point lies in; counts it in all on the way.

        Where it is unknown on which side the point lies, it goes where more of this window went.
        """
        part = 0
        for right in self._rights:
            masses[part] += 1
            feature, threshold = halves[part]
            value = point[feature]
            if value is None:
                part += right if masses[part + 1] < masses[part + right] else 1
            elif value < threshold:
                part += 1
            else:
                part += right
        masses[part] += 1
        return part

    def _held(self, before: list[int], smallest: int) -> int:
        """What the window before held in the parts that lead to this one, smaller ones counting for more."""
        nearly_empty = NEARLY_EMPTY * self._window
        part, weight, held = 0, 1, 0
        for right in self._rights:
            held += before[part] * weight
            if before[part] < nearly_empty:
                return held
            weight <<= 1
            part += right if smallest >= part + right else 1
        return held + before[part] * weight

    @property
    def masses(self) -> Masses:
        """All that the trees know."""
        return [pair for tree in self._trees for pair in zip(tree.masses, tree.before, strict=True)]

    @masses.setter
    def masses(self, masses: Masses) -> None:
        """Raises `ValueError` where they are of other trees."""
        sizes = [len(tree.masses) for tree in self._trees]
        if len(masses) != sum(sizes):
            raise ValueError(f"{len(masses)} masses for {sum(sizes)} parts")
        pairs = iter(masses)
        for tree, size in zip(self._trees, sizes, strict=True):
            own = [next(pairs) for _ in range(size)]
            tree.masses = [now for now, _ in own]
            tree.turn([then for _, then in own])
