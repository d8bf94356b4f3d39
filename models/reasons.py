"""Reasons in words: the rules that fired, and the features that weighed most."""

from collections.abc import Mapping, Sequence

from events.vocabulary import Choice, Reason
from models.feature import Row, Value
from models.features import BY_NAME, POSITIONS
from models.odds import log_odds
from models.rules.rule import Rule
from models.wording import in_words, money, usual_value

REASONS_MAX = 4
"""Features named at most: more would not be read."""

CONTRIBUTION_MIN = 0.01
"""Log-odds below which a feature is not worth a sentence: a hundredth changes a small probability by 1 %."""

EVERYTHING_ELSE = "everything_else"
EXPECTED_COSTS = "expected_costs"
"""What the reason is called that names no feature but the costs compared."""

BEYOND_FEATURES = {
    "cold_start": "unlike the payments so far, says the detector that stands in until labels teach the model"
}
"""Words for what contributes and is no feature."""

_BY_SCORE: dict[Choice, str] = {
    "allow": "pass",
    "challenge": "be challenged",
    "review": "be held",
    "block": "be blocked",
}
_ACTION: dict[Choice, str] = {
    "allow": "letting it pass",
    "challenge": "a challenge",
    "review": "a review",
    "block": "a block",
}

Contributions = Sequence[tuple[str | tuple[str, ...], float]]
"""(feature, or the features of a cross, and its share of the log-odds), in any order."""


def reasons_of(
    *,
    probability: float,
    choice: Choice,
    row: Row,
    rules: Sequence[Rule],
    costs: Reason | None,
    contributions: Contributions,
    reference: str,
) -> list[Reason]:
    """Rules first, then `costs` where they decided, then what spoke most for the choice.

    Where nothing does, all together is the reason.
    A feature speaks with its own share and those of the crosses that it leads, so that it is named once.
    What spoke for an allow spoke for genuine, else for fraud. `reference` is the currency of amounts.
    """
    sign = -1.0 if choice == "allow" else 1.0
    told = [given for given in by_leading_feature(contributions) if sign < 0 or _happened(given[0], row)]
    weighed = sorted(told, key=lambda given: -sign * given[1])
    chosen = [given for given in weighed[:REASONS_MAX] if sign * given[1] >= CONTRIBUTION_MIN]
    reasons = [Reason(feature=f"rule:{rule.name}", text=rule.words) for rule in rules]
    reasons += [] if costs is None else [costs]
    reasons += [reason_of(name, share, row, reference) for name, share in chosen]
    return reasons or [
        Reason(
            feature=EVERYTHING_ELSE,
            text="many small signs together, none of which stands out",
            contribution=log_odds(probability),
        )
    ]


def reason_of_costs(
    choice: Choice, by_score: Choice, costs_minor: Mapping[str, float], reference: str
) -> Reason:
    """Why amount and costs lead to another choice than the policy's thresholds on the risk score would.

    >>> reason = reason_of_costs("review", "allow", {"review": 2510.4, "allow": 6045.0}, "EUR")
    >>> reason.text.partition("; ")[2]
    'for its amount a review is expected to cost 25.10 EUR, letting it pass 60.45 EUR'
    """
    chosen, other = (money(round(costs_minor[action]), reference) for action in (choice, by_score))
    return Reason(
        feature=EXPECTED_COSTS,
        text=f"by its risk score alone it would {_BY_SCORE[by_score]}; for its amount {_ACTION[choice]} "
        f"is expected to cost {chosen}, {_ACTION[by_score]} {other}",
    )


def by_leading_feature(contributions: Contributions) -> list[tuple[str, float]]:
    """Shares by feature; a cross counts for the one of its features that weighs most by itself.

    >>> by_leading_feature([("a", 0.5), ("b", 0.1), (("a", "b"), 0.2)])
    [('a', 0.7), ('b', 0.1)]
    """
    alone: dict[str, float] = {}
    for names, share in contributions:
        if isinstance(names, str):
            alone[names] = alone.get(names, 0.0) + share
    totals = dict(alone)
    for names, share in contributions:
        if not isinstance(names, str):
            leader = max(names, key=lambda name: abs(alone.get(name, 0.0)))
            totals[leader] = totals.get(leader, 0.0) + share
    return list(totals.items())


def _happened(name: str, row: Row) -> bool:
    """Whether it can speak for fraud: that nothing bad happened, or that all is as it was before, cannot."""
    feature = BY_NAME.get(name)
    if feature is None:
        return True
    value = row[POSITIONS[name]]
    if feature.kind == "flag":
        # Of a flag that says "seen before" the alarming answer is no, of any other yes.
        return value is None or bool(value) != name.endswith("_seen")
    if feature.kind == "risk":  # smoothed: above 0 also where no fraud is known
        return _is_any(row[POSITIONS[f"{feature.entity}_frauds"]])
    return feature.kind != "count" or "_count_" in name or _is_any(value)


def _is_any(count: Value) -> bool:
    return isinstance(count, float) and count >= 1.0


def reason_of(names: str | tuple[str, ...], contribution: float, row: Row, reference: str) -> Reason:
    """One feature or cross in words."""
    parts = (names,) if isinstance(names, str) else names
    known = [name for name in parts if name in BY_NAME]
    if not known:
        text = " and ".join(BEYOND_FEATURES.get(name, name) for name in parts)
        return Reason(feature=" × ".join(parts), text=text, contribution=contribution)
    text = ", together with ".join(in_words(name, row, reference) for name in known)
    if len(parts) > 1:
        return Reason(feature=" × ".join(parts), text=text, contribution=contribution)
    return Reason(
        feature=parts[0],
        text=text,
        value=row[POSITIONS[parts[0]]],
        usual=usual_value(parts[0], row),
        contribution=contribution,
    )
