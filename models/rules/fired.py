"""The rules that fired for a decision, and which of them decided it."""

from typing import NamedTuple

from events.vocabulary import Outcome, RuleAction
from models.controls import Controls
from models.observations import Assessment


class FiredRule(NamedTuple):
    """A rule that fired. `action`, `when` and `words` are None where its version can no longer be read."""

    name: str
    version: int
    action: RuleAction | None
    when: str | None
    words: str | None
    decided: bool


def fired_rules(assessment: Assessment, controls: Controls) -> list[FiredRule]:
    """As recorded with the decision, the deciding ones first.

    A rule decided where its action is the outcome: what allows skips the rest, what blocks skips reviews, and
    where the model blocked what rules only wanted reviewed, none of them did. One that wants the payer
    authenticated always has its way, unless the payment is blocked.
    """
    known = {rule.name: rule for rule in controls.rules}
    found = []
    for name in assessment.rules:
        rule = known.get(name)
        found.append(
            FiredRule(
                name=name,
                version=assessment.controls_versions.get(name, 0),
                action=rule.action if rule else None,
                when=rule.when if rule else None,
                words=rule.words if rule else None,
                decided=rule is not None and _decided(rule.action, assessment.outcome),
            )
        )
    return sorted(found, key=lambda rule: not rule.decided)


def _decided(action: RuleAction, outcome: Outcome) -> bool:
    return outcome != "block" if action == "challenge" else action == outcome
