"""The smallest change that would have turned a decision: single features first, then pairs.

A change moves one feature to the nearest value in another bin, or across a threshold that a rule names, with
everything else as it was. *Smallest* is: fewest features, then fewest bins crossed, then least change of the
log-odds, then of the value. Every candidate is scored and decided again in full, rules included, so a rule
that would still fire is respected. What another model says (`boosting_logit`) is not changed: nobody can act
on it.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import ceil, floor, inf, nextafter

import msgspec

from events.vocabulary import Outcome
from models.bins import EDGES
from models.controls import Controls
from models.costs import risk_score
from models.decision import combined, model_outcome
from models.feature import Feature, Row, Value
from models.features import CATALOGUE, POSITIONS
from models.observations import Observation
from models.odds import log_odds
from models.rules import nodes
from models.rules.rule import ENTITY_FIELDS, Rule
from models.wording import present

PAIR_POOL = 24
"""Candidates of each sort (raising, lowering, changing rules) that are tried in pairs: about 2,500 pairs."""

AMOUNT, REFERENCE = "amount_minor", "amount_reference_minor"

Probabilities = Callable[[Sequence[Row]], Sequence[float]]
"""Calibrated probabilities of fraud of rows, in order."""


@dataclass(frozen=True)
class Change:
    """One feature moved; `words` says to what ("below 2", "not on @blocked_cards"), `bins` how far."""

    name: str
    before: Value
    after: Value
    words: str
    bins: int


@dataclass(frozen=True)
class Turn:
    """Changes that together would have led to `outcome`."""

    changes: tuple[Change, ...]
    outcome: Outcome
    probability: float


@dataclass(frozen=True)
class _Tried:
    turn: Turn
    shift: float
    rules: tuple[str, ...]


def smallest_turn(
    *, outcome: Outcome, observation: Observation, row: Row, controls: Controls, probabilities: Probabilities
) -> Turn | None:
    """The smallest change of one or two features that leads to another outcome; None where there is none."""
    search = _Search(outcome, observation, row, controls, probabilities)
    singles = search.tried([(change,) for change in candidates(observation, row, controls.rules)])
    turned = search.smallest(singles)
    if turned is not None:
        return turned
    pool = search.pool(singles)
    pairs = [(one, other) for one, other in combinations(pool, 2) if one.name != other.name]
    return search.smallest(search.tried(pairs))


class _Search:
    def __init__(
        self,
        outcome: Outcome,
        observation: Observation,
        row: Row,
        controls: Controls,
        probabilities: Probabilities,
    ) -> None:
        self._outcome = outcome
        self._observation = observation
        self._row = row
        self._controls = controls
        self._probabilities = probabilities
        self._logit = log_odds(probabilities([row])[0])
        self._rules = tuple(rule.name for rule in controls.fired(observation, row))

    def tried(self, proposals: Sequence[tuple[Change, ...]]) -> list[_Tried]:
        """Score and decide every proposal."""
        made = [applied(changes, self._observation, self._row) for changes in proposals]
        scores = self._probabilities([row for _, row in made])
        found = []
        for changes, (observation, row), probability in zip(proposals, made, scores, strict=True):
            fired = self._controls.fired(observation, row)
            by_model, _ = model_outcome(probability, risk_score(probability), observation, self._controls)
            turn = Turn(changes, combined(fired, by_model), probability)
            shift = log_odds(probability) - self._logit
            found.append(_Tried(turn, shift, tuple(rule.name for rule in fired)))
        return found

    def smallest(self, found: Sequence[_Tried]) -> Turn | None:
        """The smallest that turns."""
        turned = [one for one in found if one.turn.outcome != self._outcome]
        best = min(turned, key=_size, default=None)
        return best.turn if best is not None else None

    def pool(self, singles: Sequence[_Tried]) -> list[Change]:
        """What is worth trying in pairs: what moves the score most either way, and what changes the rules."""
        by_shift = sorted(_strongest(singles), key=lambda one: one.shift)
        changing = sorted((one for one in singles if one.rules != self._rules), key=_size)
        chosen = [*by_shift[:PAIR_POOL], *by_shift[-PAIR_POOL:], *changing[:PAIR_POOL]]
        return list(dict.fromkeys(one.turn.changes[0] for one in chosen))


def _size(one: _Tried) -> tuple[int, float, float]:
    changes = one.turn.changes
    return (
        sum(change.bins for change in changes),
        abs(one.shift),
        sum(_distance(change) for change in changes),
    )


def _distance(change: Change) -> float:
    """How far the value itself moved, relative to what it was."""
    if not isinstance(change.before, float) or not isinstance(change.after, float):
        return 1.0
    return abs(change.after - change.before) / max(abs(change.before), 1.0)


def _strongest(singles: Sequence[_Tried]) -> Iterator[_Tried]:
    """For each feature its strongest candidate downwards and upwards."""
    best: dict[tuple[str, bool], _Tried] = {}
    for one in singles:
        key = one.turn.changes[0].name, one.shift > 0
        if key not in best or abs(one.shift) > abs(best[key].shift):
            best[key] = one
    yield from best.values()


def applied(changes: Sequence[Change], observation: Observation, row: Row) -> tuple[Observation, Row]:
    """The payment as it would have been."""
    changed = list(row)
    for change in changes:
        if change.name in ENTITY_FIELDS:
            observation = msgspec.structs.replace(observation, **{change.name: change.after})
        elif change.name == AMOUNT and isinstance(change.after, float):
            observation = msgspec.structs.replace(observation, amount_minor=int(change.after))
            changed[POSITIONS[AMOUNT]] = change.after
            changed[POSITIONS[REFERENCE]] = _in_reference(change.after, row)
        else:
            changed[POSITIONS[change.name]] = change.after
    return observation, changed


def _in_reference(amount: float, row: Row) -> float | None:
    ratio = _ratio(row)
    return None if ratio is None else float(round(amount * ratio))


def _ratio(row: Row) -> float | None:
    """Reference minor units per minor unit of the payment's currency."""
    own, reference = row[POSITIONS[AMOUNT]], row[POSITIONS[REFERENCE]]
    if isinstance(own, float) and isinstance(reference, float) and own > 0 and reference > 0:
        return reference / own
    return None


def candidates(observation: Observation, row: Row, rules: Sequence[Rule]) -> list[Change]:
    """Every single change worth trying: other bins, other sides of rules' thresholds, off a list, unknown."""
    cuts = _thresholds(rules)
    found = []
    for feature in CATALOGUE:
        value = row[POSITIONS[feature.name]]
        if feature.entity == "model" or feature.name == REFERENCE or not present(value):
            continue
        if isinstance(value, str):
            if feature.name in cuts and feature.name != "currency":  # every payment has one
                found.append(Change(feature.name, value, None, "not known", 1))
            continue
        found += _moves(feature, float(value or 0.0), _cuts(feature, cuts, row))
    return found + _unlisted(observation, rules)


def _cuts(feature: Feature, thresholds: dict[str, set[float]], row: Row) -> tuple[list[float], set[float]]:
    """(edges of the feature's bins, thresholds of rules), in the feature's own unit."""
    ruled = set(thresholds.get(feature.name, set()))
    if feature.name == AMOUNT:
        ratio = _ratio(row)
        if ratio is None:
            return [], ruled
        ruled |= {threshold / ratio for threshold in thresholds.get(REFERENCE, set())}
        return [edge / ratio for edge in EDGES["money"]], ruled
    return (list(EDGES[feature.kind]) if feature.modeled else []), ruled


def _moves(feature: Feature, value: float, cuts: tuple[list[float], set[float]]) -> Iterator[Change]:
    edges, ruled = cuts
    if feature.kind == "flag":
        yield Change(feature.name, value, 0.0 if value else 1.0, "the other way round", 1)
        return
    whole = feature.kind in {"count", "hour"} or feature.name == AMOUNT
    here = bisect_right(edges, value)
    targets = {target for cut in edges for target in _sides(cut, value, whole, False)}
    targets |= {target for cut in ruled for target in _sides(cut, value, whole, True)}
    for after, words in sorted(targets):
        if after >= 1 or feature.name != AMOUNT:
            yield Change(feature.name, value, after, words, abs(bisect_right(edges, after) - here))


def _sides(cut: float, value: float, whole: bool, exact: bool) -> Iterator[tuple[float, str]]:
    """The nearest values on the other sides of a cut; `exact`: the cut itself is a side of its own."""
    below = float(ceil(cut) - 1) if whole else nextafter(cut, -inf)
    at = float(ceil(cut)) if whole else cut
    above = float(floor(cut) + 1) if whole else nextafter(cut, inf)
    if value >= cut and (below >= 0 or not whole):
        yield below, "at most" if whole else "below"
    if value < cut or (exact and value > cut):
        yield at, "at least" if value < cut else "at most"
    if exact and value <= cut:
        yield above, "at least" if whole else "above"


def _thresholds(rules: Sequence[Rule]) -> dict[str, set[float]]:
    """Field → the constants that rules compare it with (none for a text that a rule reads)."""
    found: dict[str, set[float]] = {}
    for rule in rules:
        for node in nodes.walk(rule.predicate):
            if isinstance(node, nodes.Field):
                found.setdefault(node.name, set())
            for field, constant in _compared(node):
                found.setdefault(field, set()).add(constant)
    return found


def _compared(node: nodes.Node) -> Iterator[tuple[str, float]]:
    match node:
        case nodes.Compare(_, nodes.Field(name), nodes.Number(value)):
            yield name, value
        case nodes.Compare(_, nodes.Number(value), nodes.Field(name)):
            yield name, value
        case nodes.OneOf(nodes.Field(name), values):
            yield from ((name, value.value) for value in values if isinstance(value, nodes.Number))


def _unlisted(observation: Observation, rules: Sequence[Rule]) -> list[Change]:
    """The payment's entities off the lists that rules look them up in."""
    found = {}
    for rule in rules:
        for node in nodes.walk(rule.predicate):
            if isinstance(node, nodes.Listed) and isinstance(node.of, nodes.Field):
                name = node.of.name
                if name in ENTITY_FIELDS and getattr(observation, name) is not None:
                    found[name] = Change(name, "known", None, f"not on @{node.list_name}", 1)
    return list(found.values())
