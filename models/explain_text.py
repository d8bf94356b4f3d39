"""An explanation as text for a terminal."""

from events.moments import moment
from events.vocabulary import Reason
from models.counterfactuals import Change
from models.explain import Explanation
from models.features import BY_NAME, POSITIONS, Row
from models.observations import Observation
from models.wording import duration, in_words, money, number

CONTRIBUTIONS_SHOWN = 12
"""As many lines as are read; what follows weighs little. Round, not tuned."""

_RESCORED = {
    "equal": "the stored vector, scored again under its versions, gives the same probability bit by bit",
    "different": "WARNING: the stored vector, scored again under its versions, gives another probability",
    "no_model": "not scored again: the champion of this version is no longer in the log",
}


def render(explanation: Explanation) -> str:
    """The whole explanation, several lines."""
    parts = [
        _decision(explanation),
        _reasons(explanation),
        _contributions(explanation),
        _turn(explanation),
        _versions(explanation),
    ]
    return "\n\n".join("\n".join(part) for part in parts if part)


def _decision(explanation: Explanation) -> list[str]:
    assessment, observation = explanation.evidence.assessment, explanation.evidence.observation
    when = moment(assessment.occurred_at_us)
    lines = [
        f"payment {assessment.payment_id}: {assessment.outcome}",
        f"  {money(observation.amount_minor, observation.currency)} at {when:%Y-%m-%d %H:%M:%S} UTC",
        f"  probability of fraud {assessment.probability:.6g}, risk score {assessment.risk_score}",
    ]
    if assessment.costs_minor:
        reference = explanation.evidence.controls.rates.reference
        compared = ", ".join(
            f"{action} {money(round(cost), reference)}" for action, cost in assessment.costs_minor.items()
        )
        lines.append(f"  expected costs: {compared}")
    if explanation.outcome_again != assessment.outcome:
        lines.append(
            f"  WARNING: rules and costs as found now decide {explanation.outcome_again} for it; see below"
        )
    return lines


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
        return [head, "  none: no change of one or two features leads to another outcome"]
    evidence, turn = explanation.evidence, explanation.turn
    row, reference = evidence.assessment.features, evidence.controls.rates.reference
    words = [change_in_words(change, evidence.observation, row, reference) for change in turn.changes]
    return [
        head,
        *(f"  {line}" for line in words),
        f"  then: {turn.outcome} (probability {turn.probability:.4g})",
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
    was = in_words(change.name, row, observation, reference)
    if feature.kind == "flag":
        return f"the other way round: {was}  [{change.name}]"
    if change.after is None or isinstance(change.after, str):
        return f"{change.words}: {was}  [{change.name}]"
    value = duration(change.after) if feature.kind == "days" else number(change.after)
    value = money(round(change.after), reference) if feature.kind == "money" else value
    return f"{feature.meaning}: {change.words} {value} (was: {was})  [{change.name}]"


def _versions(explanation: Explanation) -> list[str]:
    assessment, gaps = explanation.evidence.assessment, explanation.evidence.gaps
    controls = ", ".join(f"{name} {version}" for name, version in assessment.controls_versions.items())
    return [
        "Made by (versions; 0 is what the build ships, or no model yet):",
        f"  features {assessment.features_version}, champion {assessment.online_version}, "
        f"boosting {assessment.batch_version}",
        f"  controls: {controls}",
        f"  {_RESCORED[explanation.rescoring]}",
        *(f"  {gap}" for gap in gaps),
    ]
