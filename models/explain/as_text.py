"""An explanation as text for a terminal."""

import re

from events.moments import moment
from events.vocabulary import Choice, Reason
from models.costs import SCORE_MAX
from models.explain.changes import Change
from models.explain.explanation import BoostingAgain, Explanation
from models.feature import Row
from models.features import BY_NAME, CATALOGUE, POSITIONS
from models.observations import Observation
from models.rules.fired import FiredRule, fired_rules
from models.rules.rule import ENTITY_FIELDS
from models.wording import duration, in_words, money, number, percent, present, score_scale

CONTRIBUTIONS_SHOWN = 12
"""As many lines as are read; what follows weighs little. Round, not tuned."""

_ENTITY = re.compile(rf"\b({'|'.join(ENTITY_FIELDS)})\b", re.IGNORECASE)
_LITERAL = re.compile(r"['$]")
"""A text in SQL: beside an entity's name it is a surrogate."""

_RESCORED = {
    "equal": "the stored vector, scored again under its versions, gives the same probability bit by bit",
    "different": "WARNING: the stored vector, scored again under its versions, gives another probability",
    "no_model": "not scored again: the champion of this version is no longer in the log",
}
_CHOICES: dict[Choice, str] = {
    "allow": "allow",
    "challenge": "allow, once the payer was authenticated",
    "review": "review",
    "block": "block",
}
_BOOSTING: dict[BoostingAgain, str] = {
    "equal": "the boosting's log-odds, too, are those that its snapshot gives, bit by bit",
    "different": "WARNING: the boosting's snapshot gives other log-odds than those stored",
    "gone": "the boosting's log-odds were taken as stored: its snapshot is no longer in the log",
}
_TRIED = (
    "tried: each number in other bins and on other sides of what rules compare, the amount also where two "
    "costs are equal, what rules read also as known or unknown, entities off their lists"
)
"""What a single change may be; a text is not turned into another text, nor an entity put on a list."""
_PAIRS = "no single change that was tried leads to another outcome"


def render(explanation: Explanation, *, entities: bool = True, features: bool = False) -> str:
    """The whole explanation, several lines; with `features` the vector as scored too.

    Without `entities` it holds no surrogate, for those who may not look a person up.
    """
    parts = [
        _decision(explanation, entities=entities),
        _entities(explanation) if entities else [],
        _reasons(explanation),
        _contributions(explanation),
        _features(explanation) if features else [],
        _turn(explanation),
        _versions(explanation),
    ]
    return "\n\n".join("\n".join(part) for part in parts if part)


def _decision(explanation: Explanation, *, entities: bool) -> list[str]:
    assessment, observation = explanation.evidence.assessment, explanation.evidence.observation
    when = moment(assessment.occurred_at_us)
    lines = [
        f"payment {assessment.payment_id}: {_CHOICES[assessment.choice]}",
        f"  {money(observation.amount_minor, observation.currency)} at {when:%Y-%m-%d %H:%M:%S} UTC",
        f"  probability of fraud {percent(assessment.probability)}, "
        f"risk score {assessment.risk_score} ({score_scale()})",
    ]
    if assessment.costs_minor:
        reference = explanation.evidence.controls.rates.reference
        compared = ", ".join(
            f"{action} {money(round(cost), reference)}" for action, cost in assessment.costs_minor.items()
        )
        lines.append(f"  expected costs: {compared}")
    lines += _deciding(explanation, entities=entities)
    if explanation.choice_again != assessment.choice:
        lines.append(
            f"  WARNING: rules and costs as found now decide {explanation.choice_again} for it; see below"
        )
    return lines


def _deciding(explanation: Explanation, *, entities: bool) -> list[str]:
    """Who decided, and which rules fired beside."""
    assessment, policy = explanation.evidence.assessment, explanation.evidence.controls.policy
    fired = fired_rules(assessment, explanation.evidence.controls)
    if assessment.costs_minor and policy.method == "expected_cost":
        model = "the least expected cost"
    else:
        asks = f"challenge from {policy.challenge_at}, " if policy.challenge_at <= SCORE_MAX else ""
        model = (
            f"the policy's thresholds ({asks}review from {policy.review_at}, block from {policy.block_at})"
        )
    lines = [f"  decided by: {_rule(rule, entities=entities)}" for rule in fired if rule.decided]
    if not fired:
        lines = [f"  decided by: {model}; no rule fired"]
    elif not lines:
        lines = [f"  decided by: {model}"]
    return [
        *lines,
        *(f"  fired, too: {_rule(rule, entities=entities)}" for rule in fired if not rule.decided),
    ]


def _rule(rule: FiredRule, *, entities: bool) -> str:
    does = "its words are no longer in the log"
    if rule.when:
        hidden = not entities and _ENTITY.search(rule.when) and _LITERAL.search(rule.when)
        does = (
            f"{rule.action} what it names by its surrogate" if hidden else f"{rule.action} when {rule.when}"
        )
    return f"rule {rule.name} (version {rule.version}): {does}"


def _entities(explanation: Explanation) -> list[str]:
    """What lists are looked up by; nothing where the request is no longer in the log."""
    observation = explanation.evidence.observation
    known = [(name, getattr(observation, name)) for name in ENTITY_FIELDS]
    lines = [f"  {name:<8}  {value}" for name, value in known if value is not None]
    return ["Who and what paid, as lists name them:", *lines] if lines else []


def _features(explanation: Explanation) -> list[str]:
    row = explanation.evidence.assessment.features
    lines = [
        f"  {feature.name:<30} {_plain(row[POSITIONS[feature.name]]):>22}  {feature.unit}".rstrip()
        for feature in CATALOGUE
    ]
    return ["Every feature as scored (docs/rules.md has the meanings; yes is 1.0, no is 0.0):", *lines]


def _plain(value: float | str | None) -> str:
    return str(value) if present(value) else "missing"


def _reasons(explanation: Explanation) -> list[str]:
    assessment = explanation.evidence.assessment
    if not assessment.reasons:
        return []
    words = [
        f"  - {reason.text}" + (f" ({reason.contribution:+.2f})" if reason.contribution else "")
        for reason in assessment.reasons
    ]
    return ["Reasons given:", *words]


def _contributions(explanation: Explanation) -> list[str]:
    given = explanation.contributions
    if len(given) <= CONTRIBUTIONS_SHOWN + 1:
        shown, left = given, 0.0
    else:
        strongest = sorted(given[:-1], key=lambda reason: -abs(reason.contribution))[:CONTRIBUTIONS_SHOWN]
        shown = [reason for reason in given[:-1] if reason in strongest]
        left = sum(reason.contribution for reason in given[:-1]) - sum(r.contribution for r in shown)
        shown = [*shown, given[-1]]
    lines = ["What it is made of, in log-odds (above 0 speaks for fraud):"]
    lines += [f"  {reason.contribution:+8.3f}  {_named(reason)}" for reason in shown]
    if left:
        lines.insert(-1, f"  {left:+8.3f}  {len(given) - len(shown)} weaker features together")
    lines.append(f"  {sum(reason.contribution for reason in given):+8.3f}  in all")
    return lines


def _named(reason: Reason) -> str:
    return f"{reason.text}  [{reason.feature}]"


def _turn(explanation: Explanation) -> list[str]:
    head = "The smallest change that would have turned it, with every other value as it was:"
    if not explanation.searched:
        return [head, "  not searched: the champion of this version is no longer in the log"]
    if explanation.turn is None:
        return [head, f"  none found: {_PAIRS}, nor do pairs of the strongest", f"  {_TRIED}"]
    evidence, turn = explanation.evidence, explanation.turn
    row, reference = evidence.assessment.features, evidence.controls.rates.reference
    words = [change_in_words(change, evidence.observation, row, reference) for change in turn.changes]
    by = f", by rule {' and '.join(turn.rules)}" if turn.rules else ""
    return [
        head,
        *(f"  {line}" for line in words),
        f"  then: {turn.choice}{by} (probability of fraud {percent(turn.probability)})",
        *([f"  {_PAIRS}; this is the smallest of the pairs of the strongest"] if len(words) > 1 else []),
        f"  {_TRIED}",
    ]


def change_in_words(change: Change, observation: Observation, row: Row, reference: str) -> str:
    """One change: what it was, and to what it would have had to be."""
    if change.name not in POSITIONS:
        return f"{change.name}: {change.words}"
    if change.name == "amount_minor":
        after = float(change.after) if change.after is not None else 0.0
        was = money(observation.amount_minor, observation.currency)
        return f"amount {change.words} {money(int(after), observation.currency)} (was {was})"
    feature = BY_NAME[change.name]
    was = in_words(change.name, row, reference)
    if isinstance(change.after, str):
        return f"{change.words}: {feature.meaning} (was unknown)  [{change.name}]"
    if change.after is None:
        return f"{change.words}: {was}  [{change.name}]"
    if change.before is None:
        was = "unknown"
    if feature.kind == "flag" and change.before is None:
        return f"{change.words}: {feature.says[int(change.after)]} (was {was})  [{change.name}]"
    if feature.kind == "flag":
        return f"the other way round: {was}  [{change.name}]"
    value = duration(change.after) if feature.kind == "days" else number(change.after)
    value = money(round(change.after), reference) if feature.kind == "money" else value
    return f"{feature.meaning}: {change.words} {value} (was: {was})  [{change.name}]"


def _versions(explanation: Explanation) -> list[str]:
    assessment, gaps = explanation.evidence.assessment, explanation.evidence.gaps
    controls = ", ".join(
        f"{name} {version}{' (fired)' if name in assessment.rules else ''}"
        for name, version in assessment.controls_versions.items()
    )
    lines = [
        "Made by (versions; 0 is what the build ships, or no model yet):",
        f"  features {assessment.features_version}, champion {assessment.online_version}, "
        f"boosting {assessment.batch_version}",
        f"  controls: {controls}",
        f"  {_RESCORED[explanation.rescoring]}",
    ]
    if explanation.boosting_again != "none":
        lines.append(f"  {_BOOSTING[explanation.boosting_again]}")
    if assessment.anomaly is not None:
        lines.append(
            "  what the detector of the cold start added was taken as stored: the log keeps no model of it"
        )
    return [*lines, *(f"  {gap}" for gap in gaps)]
