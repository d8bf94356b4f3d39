"""Many rules at once: one look per feature in place of a test per rule.

What a part of a rule says about a single feature changes only at the constants it names. So the feature's
range is cut at the constants of all rules, and for each piece (and for "missing") a mask says which
alternatives a value there leaves possible: the plain evaluation was asked at one value of each piece. A
payment costs one `bisect` and one AND of masks per feature, whatever the number of rules. Parts that read
several features, lists, patterns or arithmetic are asked of the few alternatives that are left; rules of
nothing else are asked as they are written.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from math import inf, nextafter
from typing import NamedTuple

from models.rules import nodes
from models.rules.alternatives import Part, alternatives
from models.rules.python import Entries, Fired, compile_predicates

SHARERS_MIN = 4
"""A feature is looked up where so many alternatives ask about it; for fewer, asking them is cheaper."""

TESTS_PER_LOOK = 8
"""So many rules asked one by one cost as much as one look: most of them end at their first test. Measured
(`bench/rules_and_models.py`)."""

CONSTANTS_MAX = 64
"""A part with more constants, such as a long IN, is asked as it is written."""

Cut = float | str
_MANY_FIELDS = (nodes.Arithmetic, nodes.Listed, nodes.Like)
_SIGNS = (nodes.Negative, nodes.Absolute)


class _Alternative(NamedTuple):
    """One way in which the rule at `place` is TRUE: parts for the index, by feature, and the rest."""

    place: int
    indexed: dict[str, list[Part]]
    rest: list[Part]


class _Look(NamedTuple):
    """Which alternatives are possible: by how many cuts are not above the value, and where it is missing."""

    position: int
    cuts: list[Cut]
    masks: list[int]
    missing: int


def ready(
    predicates: Sequence[nodes.Predicate],
    positions: Mapping[str, int],
    lists: Mapping[str, Entries],
) -> Fired:
    """The predicates ready to ask, in the way that is cheaper for so many of them."""
    found, _ = _sorted_out(predicates, positions)
    looks = {name for each in found for name in each.indexed}
    if len(found) < TESTS_PER_LOOK * len(looks) or not looks:
        return compile_predicates(predicates, positions, lists)
    return RuleIndex(predicates, positions, lists)


class RuleIndex:
    """A set of predicates ready to ask: called, it gives the places of those that are TRUE, ascending."""

    def __init__(
        self,
        predicates: Sequence[nodes.Predicate],
        positions: Mapping[str, int],
        lists: Mapping[str, Entries],
    ) -> None:
        self._positions = positions
        found, plain = _sorted_out(predicates, positions)
        self._plain_places = plain
        self._plain = compile_predicates([predicates[place] for place in plain], positions, lists)
        self._all = (1 << len(found)) - 1
        names = {name for each in found for name in each.indexed}
        looks = [self._look(name, found) for name in sorted(names)]
        # What leaves least possible comes first: most payments need no more.
        self._looks = sorted(
            looks, key=lambda look: sum(mask.bit_count() for mask in look.masks) / len(look.masks)
        )
        self._found: list[tuple[int, Fired | None]] = [
            (
                each.place,
                compile_predicates([nodes.All(tuple(each.rest))], positions, lists) if each.rest else None,
            )
            for each in found
        ]

    def __call__(self, row: Sequence[float | str | None], observation: object, at_us: int) -> tuple[int, ...]:
        """As `models.rules.python.Fired`."""
        fired = [self._plain_places[place] for place in self._plain(row, observation, at_us)]
        possible = self._all
        for position, cuts, masks, missing in self._looks:
            if not possible:
                break
            value = row[position]
            if value is None or value != value:
                possible &= missing
            else:
                possible &= masks[bisect_right(cuts, value)]
        while possible:
            lowest = possible & -possible
            possible ^= lowest
            place, rest = self._found[lowest.bit_length() - 1]
            if rest is None or rest(row, observation, at_us):
                fired.append(place)
        return tuple(sorted(set(fired))) if fired else ()

    def _look(self, name: str, found: Sequence[_Alternative]) -> _Look:
        """Ask every part about this feature at one value of each piece."""
        asking = [
            (bit, nodes.All(tuple(each.indexed[name])))
            for bit, each in enumerate(found)
            if name in each.indexed
        ]
        cuts = sorted({cut for _, part in asking for cut in _cuts(part)})
        evaluate = compile_predicates([part for _, part in asking], self._positions, {})
        others = self._all & ~sum(1 << bit for bit, _ in asking)
        row: list[float | str | None] = [None] * len(self._positions)

        def possible(value: Cut | None) -> int:
            row[self._positions[name]] = value
            return others | sum(1 << asking[place][0] for place in evaluate(row, None, 0))

        masks = [possible(value) for value in (_below(cuts[0]), *cuts)]
        return _Look(self._positions[name], cuts, masks, possible(None))


def _sorted_out(
    predicates: Sequence[nodes.Predicate], positions: Mapping[str, int]
) -> tuple[list[_Alternative], list[int]]:
    """The alternatives for the index, and the places of rules that are better asked as they are written."""
    of_rules = [[_by_feature(parts, positions) for parts in alternatives(each)] for each in predicates]
    sharers: dict[str, int] = {}
    for name in (name for ways in of_rules for by_feature, _ in ways for name in by_feature):
        sharers[name] = sharers.get(name, 0) + 1
    found: list[_Alternative] = []
    plain: list[int] = []
    for place, ways in enumerate(of_rules):
        if all(any(sharers[name] >= SHARERS_MIN for name in by_feature) for by_feature, _ in ways):
            found += [_alternative(place, by_feature, rest, sharers) for by_feature, rest in ways]
        else:
            plain.append(place)
    return found, plain


def _by_feature(parts: list[Part], positions: Mapping[str, int]) -> tuple[dict[str, list[Part]], list[Part]]:
    by_feature: dict[str, list[Part]] = {}
    rest: list[Part] = []
    for part in parts:
        name = _only_feature(part, positions)
        if name is None:
            rest.append(part)
        else:
            by_feature.setdefault(name, []).append(part)
    return by_feature, rest


def _alternative(
    place: int, by_feature: dict[str, list[Part]], rest: list[Part], sharers: Mapping[str, int]
) -> _Alternative:
    shared = {name: parts for name, parts in by_feature.items() if sharers[name] >= SHARERS_MIN}
    alone = [part for name, parts in by_feature.items() if name not in shared for part in parts]
    return _Alternative(place, shared, alone + rest)


def _only_feature(part: Part, positions: Mapping[str, int]) -> str | None:
    """The one feature that the part's answer hangs on, where it changes only at the constants named."""
    names = list(nodes.fields_of(part))
    if len(names) != 1 or names[0] not in positions or len(_constants(part)) > CONSTANTS_MAX:
        return None
    return None if any(isinstance(node, _MANY_FIELDS) for node in nodes.walk(part)) else names[0]


def _constants(part: Part) -> list[Cut]:
    found: list[Cut] = []
    for node in nodes.walk(part):
        if isinstance(node, nodes.Number | nodes.Text):
            found.append(node.value)
        elif isinstance(node, nodes.OneOf):
            found += [value.value for value in node.values]
    return found


def _cuts(part: Part) -> list[Cut]:
    """Where the part's answer may change: at each constant, and right behind it."""
    constants = _constants(part)
    if next(iter(nodes.fields_of(part).values())).type == "text":
        # No text lies between one and the same with the lowest character behind it.
        return ["", *(cut for text in constants if isinstance(text, str) for cut in (text, text + "\0"))]
    numbers = [0.0, *(number for number in constants if not isinstance(number, str))]
    if any(isinstance(node, _SIGNS) for node in nodes.walk(part)):
        numbers += [-number for number in numbers]
    return [cut for number in numbers for cut in (number, nextafter(number, inf))]


def _below(cut: Cut) -> Cut:
    """A value below the lowest cut; of texts there is none, as the empty one is always cut at."""
    return "" if isinstance(cut, str) else nextafter(cut, -inf)
