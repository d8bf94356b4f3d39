"""Every single change worth trying: where the score, the costs or a rule may change its mind.

Between two edges of bins no model sees a difference, between two amounts at which actions cost the same no
comparison of costs does, and between two thresholds no rule does: the nearest value of each stretch stands
for all of it. What rules read may also become known or unknown, which counts as farther than any bin.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from math import ceil, floor, inf, nextafter

from events.money import AMOUNT_MINOR_MAX
from models.bins import COARSE, EDGES
from models.controls import Controls
from models.explain.changes import AMOUNT, REFERENCE, Change, applied, in_reference
from models.explain.thresholds import thresholds
from models.feature import Feature, Kind, Row, Value
from models.features import CATALOGUE, POSITIONS
from models.observations import Observation
from models.rules import nodes
from models.rules.rule import ENTITY_FIELDS, Rule
from models.wording import present

Probabilities = Callable[[Sequence[Row]], Sequence[float]]
"""Calibrated probabilities of fraud of rows, in order."""

KNOWN = "known"
"""Stands for a text or a surrogate that no rule and no list names."""

_HIGHEST: dict[Kind, float] = {"flag": 1.0, "hour": 23.0, "risk": 1.0}
_BLUR = 1e-12
"""Relative; a threshold that was solved for may miss the comparison's own rounding by so much."""


def candidates(
    observation: Observation, row: Row, controls: Controls, probabilities: Probabilities
) -> list[Change]:
    """Every single change worth trying."""
    cuts = thresholds(controls.rules, row)
    found = [*_amounts(observation, row, controls, probabilities, cuts)]
    for feature in CATALOGUE:
        if feature.entity == "model" or feature.name in {AMOUNT, REFERENCE, "currency"}:
            continue
        value = row[POSITIONS[feature.name]]
        if not present(value):
            value = None
        if feature.kind == "category":
            found += _texts(feature.name, value, cuts)
        elif value is not None or feature.name in cuts:
            found += _numbers(feature, None if value is None else float(value), cuts.get(feature.name))
    return [*found, *_entities(observation, controls.rules, cuts)]


def _amounts(
    observation: Observation,
    row: Row,
    controls: Controls,
    probabilities: Probabilities,
    cuts: dict[str, set[float]],
) -> Iterator[Change]:
    before = observation.amount_minor

    def exact(amount: int) -> float:
        at_us = observation.occurred_at_us
        return controls.rates.reference_minor(amount, observation.currency, at_us) or 0.0

    def rounded(amount: int) -> float:
        return in_reference(amount, observation, controls.rates) or 0.0

    def changed(amount: int) -> Change:
        bins = abs(
            bisect_right(EDGES["money"], rounded(amount)) - bisect_right(EDGES["money"], rounded(before))
        )
        return Change(AMOUNT, float(before), float(amount), _whole_words(amount, before), bins)

    targets = {near for cut in cuts.get(AMOUNT, ()) for near in _near(cut)}
    if exact(1):
        for cut in cuts.get(REFERENCE, ()):
            targets |= {*_near(_first(cut, rounded)), *_near(_first(nextafter(cut, inf), rounded))}
        starts = sorted({1, *(_first(edge, rounded) for edge in (*EDGES["money"], *COARSE["money"]))})
        rows = [applied([changed(start)], observation, row, controls.rates)[1] for start in starts]
        costs = controls.costs_of(observation.merchant)
        # Each bin of the amount has its own probability, and so its own amounts at which costs are equal.
        for probability, (start, end) in zip(
            probabilities(rows), pairwise([*starts, AMOUNT_MINOR_MAX + 1]), strict=True
        ):
            equal = (_first(amount, exact) for amount in costs.break_evens_minor(probability))
            within = {near for amount in equal for near in _near(amount) if start <= near < end}
            targets |= {start, end - 1, *within}
    yield from (changed(to) for to in sorted(targets) if 1 <= to <= AMOUNT_MINOR_MAX and to != before)


def _first(cut: float, converted: Callable[[int], float]) -> int:
    """The least amount that reaches the cut in the reference currency."""
    return 1 + bisect_left(range(1, AMOUNT_MINOR_MAX + 1), cut, key=converted)


def _near(cut: float) -> range:
    """The whole numbers about a cut, among them the nearest on either side."""
    return range(floor(cut) - 1, ceil(cut) + 2)


def _whole_words(after: float, before: float) -> str:
    return "at most" if after < before else "at least"


def _texts(name: str, value: Value, cuts: dict[str, set[float]]) -> Iterator[Change]:
    if name in cuts:
        yield _unknown(name, value, 1) if value is not None else Change(name, None, KNOWN, "known", 1)


def _unknown(name: str, value: Value, bins: int) -> Change:
    return Change(name, value, None, "not known", bins)


def _numbers(feature: Feature, value: float | None, ruled: set[float] | None) -> Iterator[Change]:
    edges = EDGES[feature.kind]
    farther = len(edges) + 1
    if value is None:
        for after in sorted({after for after, _ in _targets(feature, -inf, ruled or set())} | {0.0}):
            yield Change(feature.name, None, after, "known, such as", farther)
        return
    if feature.kind == "flag":
        yield Change(feature.name, value, 0.0 if value else 1.0, "the other way round", 1)
    else:
        here = bisect_right(edges, value)
        for after, words in sorted(_targets(feature, value, ruled or set())):
            yield Change(feature.name, value, after, words, abs(bisect_right(edges, after) - here))
    if ruled is not None:
        yield _unknown(feature.name, value, farther)


def _targets(feature: Feature, value: float, ruled: set[float]) -> set[tuple[float, str]]:
    """(where to, in which words) for each stretch between edges and thresholds."""
    kind = feature.kind
    whole = kind in {"count", "hour", "flag"}
    edges = {*EDGES[kind], *COARSE[kind]} if feature.modeled else set()
    sides = _whole_sides if whole else _sides
    found = {_beyond(edge, value, whole) for edge in edges}
    found |= {side for cut in ruled for side in sides(cut, value)}
    return {
        (after, words)
        for after, words in found
        if after != value and (after >= 0 or kind == "z") and after <= _HIGHEST.get(kind, inf)
    }


def _beyond(edge: float, value: float, whole: bool) -> tuple[float, str]:
    """The nearest value on the other side of an edge of bins, which belongs to the bin above."""
    if value < edge:
        return float(ceil(edge)) if whole else edge, "at least"
    return (float(ceil(edge) - 1), "at most") if whole else (nextafter(edge, -inf), "below")


def _whole_sides(cut: float, value: float) -> Iterator[tuple[float, str]]:
    for near in _near(cut):
        yield float(near), _whole_words(near, value)


def _sides(cut: float, value: float) -> Iterator[tuple[float, str]]:
    """The cut itself and the nearest values beyond it, as far as they lie on another side than the value."""
    blur = _BLUR * max(abs(cut), 1.0)
    if value >= cut:
        yield from ((below, "below") for below in (nextafter(cut, -inf), cut - blur))
    if value != cut:
        yield cut, "at least" if value < cut else "at most"
    if value <= cut:
        yield from ((above, "above") for above in (nextafter(cut, inf), cut + blur))


def _entities(
    observation: Observation, rules: Sequence[Rule], cuts: dict[str, set[float]]
) -> Iterator[Change]:
    """The payment's entities off the lists that rules look them up in, or known and unknown."""
    lists = {
        node.of.name: node.list_name
        for rule in rules
        for node in nodes.walk(rule.predicate)
        if isinstance(node, nodes.Listed) and isinstance(node.of, nodes.Field)
    }
    for name in ENTITY_FIELDS:
        if name not in cuts:
            continue
        if getattr(observation, name) is None:
            yield Change(name, None, KNOWN, "known", 1)
        else:
            words = f"not on @{lists[name]}" if name in lists else "not known"
            yield Change(name, KNOWN, None, words, 1)
