"""The decision: rules and lists first, by one table (`PRECEDENCE`), then the action of least expected cost.

Lists act through the rules that name them. Within an action the order of rules does not matter: all that
fired are recorded. Where costs are equal the milder action wins. A rule on something unknown does not fire.

What the gateway does with an outcome, in time or late, stands in ARCHITECTURE.md (Decisions, by precedence).
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from events.vocabulary import Choice, Outcome, Reason, RuleAction
from models.controls import Controls
from models.costs import least, risk_score
from models.feature import Row
from models.observations import Observation
from models.reasons import Contributions, reason_of_costs, reasons_of
from models.rules.rule import Rule


class Precedence(NamedTuple):
    """Where a rule with this action has fired, and none of a line above, its action is the outcome; the model
    is asked for those in `yields_to` alone, which then take its place."""

    action: Outcome
    yields_to: frozenset[Outcome] = frozenset()


PRECEDENCE: tuple[Precedence, ...] = (
    Precedence("allow"),
    Precedence("block"),
    Precedence("review", yields_to=frozenset({"block"})),
)
"""From the first that speaks to the last; where no rule has fired, the model speaks. A rule with action
challenge is no line of it: whatever the outcome is but a block, the payer is authenticated first. So it is
where the model speaks and chooses a challenge, and the outcome is allow."""

_BY_ACTION: dict[RuleAction, Precedence] = {line.action: line for line in PRECEDENCE}


class Decision(msgspec.Struct, frozen=True):
    """What is done with a payment, and why. `rules` are those that fired, the deciding ones first.

    `challenged_by` are those of them that want the payer authenticated first; `challenged_by_model`: costs or
    thresholds chose to.
    """

    outcome: Outcome
    risk_score: int
    rules: list[str]
    costs_minor: dict[str, float]
    reasons: list[Reason]
    challenged_by: list[str] = []
    challenged_by_model: bool = False


def decide(
    *,
    probability: float,
    observation: Observation,
    row: Row,
    controls: Controls,
    contributions: Contributions | Callable[[], Contributions],
) -> Decision:
    """Decide one payment from its calibrated probability (0–1), its row and the controls in force.

    `contributions` may be a function: it is called only where features are named, that is for every outcome
    but an allow that no rule asked for. Such an allow has a reason only where costs let pass what its risk
    score alone would not.
    """
    fired = controls.fired(observation, row)
    score = risk_score(probability)
    by_score = controls.policy.by_score(score)
    by_model, costs_minor = _by_model(probability, by_score, observation, controls)
    if not fired and by_model == "allow" and by_score == "allow":
        # Most payments; what follows would come to the same.
        return Decision("allow", score, [], costs_minor, [])
    choice = combined(fired, by_model)
    outcome: Outcome = "allow" if choice == "challenge" else choice
    costs = _by_costs(choice, by_score, costs_minor, fired, controls)
    if not fired and choice == "allow":
        return Decision(outcome, score, [], costs_minor, [] if costs is None else [costs])
    given = contributions() if callable(contributions) else contributions
    reasons = reasons_of(
        probability=probability,
        choice=choice,
        row=row,
        rules=fired,
        costs=costs,
        contributions=given,
        reference=controls.rates.reference,
    )
    challenged_by = [rule.name for rule in fired if rule.action == "challenge"]
    names = [rule.name for rule in fired]
    return Decision(outcome, score, names, costs_minor, reasons, challenged_by, choice == "challenge")


def _by_costs(
    choice: Choice, by_score: Choice, costs_minor: dict[str, float], fired: Sequence[Rule], controls: Controls
) -> Reason | None:
    """The reason where costs lead elsewhere than the score alone would; a rule that asks for the same is one
    itself."""
    if by_score not in costs_minor:
        # Costs that know no challenge were not compared with one.
        by_score = "allow"
    if choice not in costs_minor or choice == by_score or any(rule.action == choice for rule in fired):
        return None
    return reason_of_costs(choice, by_score, costs_minor, controls.rates.reference)


def combined(fired: Sequence[Rule], by_model: Choice) -> Choice:
    """The choice by the table of precedence, in whose order `fired` stands; challenges stand behind all."""
    line = _BY_ACTION.get(fired[0].action) if fired else None
    if line is None:
        return by_model
    return by_model if by_model in line.yields_to else line.action


def model_outcome(
    probability: float, score: int, observation: Observation, controls: Controls
) -> tuple[Choice, dict[str, float]]:
    """What the model alone asks for, and the costs compared (empty where the amount has no rate).

    It asks for no challenge where none is possible: an account's payer proves themselves at its own provider.
    """
    return _by_model(probability, controls.policy.by_score(score), observation, controls)


def _by_model(
    probability: float, by_score: Choice, observation: Observation, controls: Controls
) -> tuple[Choice, dict[str, float]]:
    is_card = observation.payment_method == "card"
    if by_score == "challenge" and not is_card:
        by_score = "allow"
    amount = controls.rates.reference_minor(
        observation.amount_minor, observation.currency, observation.occurred_at_us
    )
    if amount is None:
        return by_score, {}
    costs = controls.costs_of(observation.merchant).expected_minor(probability, amount)
    if not is_card:
        costs.pop("challenge", None)
    if controls.policy.method == "thresholds":
        return by_score, costs
    return least(costs), costs
