"""The smallest change that would have turned a decision: single features first, then pairs.

A change moves one feature to the nearest value in another bin, of another order of costs, or on another side
of what a rule compares, with everything else as it was. *Smallest* is: fewest features, then fewest bins
crossed, then least change of the log-odds, then of the value. Every candidate is scored and decided again in
full, rules included, so a rule that would still fire is respected. What another model says (`boosting_logit`)
is not changed: nobody can act on it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from events.vocabulary import Choice
from models.controls import Controls
from models.costs import risk_score
from models.decision import combined, model_outcome
from models.explain.candidates import Probabilities, candidates
from models.explain.changes import Change, applied
from models.feature import Row
from models.observations import Observation
from models.odds import log_odds

PAIR_POOL = 24
"""Candidates of each sort (raising, lowering, changing rules) that are tried in pairs: about 2,500 pairs."""


@dataclass(frozen=True)
class Turn:
    """Changes that together would have led to `choice`; `rules` are those that would have asked for it."""

    changes: tuple[Change, ...]
    choice: Choice
    probability: float
    rules: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Tried:
    turn: Turn
    shift: float
    rules: tuple[str, ...]


def smallest_turn(
    *, choice: Choice, observation: Observation, row: Row, controls: Controls, probabilities: Probabilities
) -> Turn | None:
    """The smallest of the changes tried that leads to another choice; None where none does."""
    search = _Search(choice, observation, row, controls, probabilities)
    singles = search.tried([(change,) for change in candidates(observation, row, controls, probabilities)])
    turned = search.smallest(singles)
    if turned is not None:
        return turned
    pool = search.pool(singles)
    pairs = [(one, other) for one, other in combinations(pool, 2) if one.name != other.name]
    return search.smallest(search.tried(pairs))


class _Search:
    def __init__(
        self,
        choice: Choice,
        observation: Observation,
        row: Row,
        controls: Controls,
        probabilities: Probabilities,
    ) -> None:
        self._choice = choice
        self._observation = observation
        self._row = row
        self._controls = controls
        self._probabilities = probabilities
        self._logit = log_odds(probabilities([row])[0])
        self._rules = tuple(rule.name for rule in controls.fired(observation, row))

    def tried(self, proposals: Sequence[tuple[Change, ...]]) -> list[_Tried]:
        """Score and decide every proposal."""
        made = [applied(changes, self._observation, self._row, self._controls.rates) for changes in proposals]
        scores = self._probabilities([row for _, row in made])
        found = []
        for changes, (observation, row), probability in zip(proposals, made, scores, strict=True):
            fired = self._controls.fired(observation, row)
            by_model, _ = model_outcome(probability, risk_score(probability), observation, self._controls)
            choice = combined(fired, by_model)
            asking = tuple(rule.name for rule in fired if rule.action == choice)
            turn = Turn(changes, choice, probability, asking)
            shift = log_odds(probability) - self._logit
            found.append(_Tried(turn, shift, tuple(rule.name for rule in fired)))
        return found

    def smallest(self, found: Sequence[_Tried]) -> Turn | None:
        """The smallest that turns."""
        turned = [one for one in found if one.turn.choice != self._choice]
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
