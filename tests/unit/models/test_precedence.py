"""The table of precedence: every set of rules that fire, by a list or not, with each outcome of the model."""

from itertools import chain, combinations
from pathlib import Path
from typing import get_args

import pytest

from events.vocabulary import Choice, Outcome, RuleAction
from models.controls import Controls
from models.costs import risk_score
from models.decision import PRECEDENCE, Decision, decide
from models.observations import Observation
from models.rules.rule import ACTIONS
from tests.unit.models.rows import row_with

PROBABILITIES: dict[Choice, float] = {"allow": 0.001, "challenge": 0.05, "review": 0.2, "block": 0.9}
"""One for each choice of the model, by its thresholds."""
BY_LIST, BY_FEATURE = "device IN @listed", "hour = 1"
SETS = list(chain.from_iterable(combinations(ACTIONS, size) for size in range(len(ACTIONS) + 1)))


def decided(fired: tuple[RuleAction, ...], when: str, by_model: Choice) -> Decision:
    thresholds = {"method": "thresholds", "challenge_at": 50, "review_at": 65, "block_at": 75}
    controls = Controls.builtin().only([]).changed("decision", "policy", 1, thresholds)
    controls = controls.changed("listed", "list", 1, {"entries": [{"value": "d"}]})
    for action in ACTIONS:
        condition = when if action in fired else f"NOT ({when})"
        controls = controls.changed(f"rule_{action}", "rule", 1, {"action": action, "when": condition})
    assert controls.policy.by_score(risk_score(PROBABILITIES[by_model])) == by_model
    return decide(
        probability=PROBABILITIES[by_model],
        observation=Observation(
            payment_id="p", occurred_at_us=10**15, amount_minor=5_000, currency="EUR", device="d"
        ),
        row=row_with(hour=1.0),
        controls=controls,
        contributions=[],
    )


def by_the_table(fired: tuple[RuleAction, ...], by_model: Choice) -> Choice:
    for line in PRECEDENCE:
        if line.action in fired:
            return by_model if by_model in line.yields_to else line.action
    return by_model


@pytest.mark.parametrize("when", [BY_LIST, BY_FEATURE])
@pytest.mark.parametrize("fired", SETS, ids="+".join)
def test_whatever_rules_fire_and_whatever_the_model_says_the_table_decides(
    fired: tuple[RuleAction, ...], when: str
) -> None:
    for by_model in PROBABILITIES:
        decision = decided(fired, when, by_model)

        choice = by_the_table(fired, by_model)
        assert decision.outcome == ("allow" if choice == "challenge" else choice)
        assert decision.challenged_by_model == (choice == "challenge")
        assert sorted(decision.rules) == sorted(f"rule_{action}" for action in fired)
        assert decision.challenged_by == ["rule_challenge"] * ("challenge" in fired)


def test_what_the_table_says_of_each_action_alone() -> None:
    def outcomes(action: RuleAction) -> list[Outcome]:
        return [decided((action,), BY_FEATURE, by_model).outcome for by_model in PROBABILITIES]

    assert outcomes("allow") == ["allow", "allow", "allow", "allow"]
    assert outcomes("block") == ["block", "block", "block", "block"]
    assert outcomes("review") == ["review", "review", "review", "block"]
    assert outcomes("challenge") == ["allow", "allow", "review", "block"]


def test_the_table_has_a_line_for_every_outcome_in_the_order_in_which_rules_stand() -> None:
    assert (*(line.action for line in PRECEDENCE), "challenge") == ACTIONS
    assert set(ACTIONS) - {"challenge"} == set(get_args(Outcome)) == set(PROBABILITIES) - {"challenge"}


def test_the_architecture_shows_the_table() -> None:
    text = (Path(__file__).parents[3] / "ARCHITECTURE.md").read_text()
    lines = text.partition("| # | What speaks |")[2].partition("\n\n")[0].splitlines()[2:]

    assert lines == rendered()


def rendered() -> list[str]:
    """The table as ARCHITECTURE.md has it."""
    rows = []
    for number, line in enumerate(PRECEDENCE, 1):
        later = sorted(after.action for after in PRECEDENCE[number:])
        asked = " and ".join(later) + " rules nor the model"
        nobody = f"nobody: neither {asked}"
        yields = ", ".join(f"where it says {outcome}, {outcome}" for outcome in sorted(line.yields_to))
        still = f"the model: {yields}" if line.yields_to else nobody
        rows.append(f"| {number} | a rule with action {line.action} | {line.action} | {still} |")
    *others, last = get_args(Choice)
    model = f"{', '.join(others)} or {last}"
    by = "the model, by least expected cost (or fixed thresholds)"
    beside = "none: unless it is blocked, the payer is authenticated first"
    return [
        *rows,
        f"| {len(PRECEDENCE) + 1} | {by} | {model} | |",
        f"| – | a rule with action challenge | {beside} | all |",
    ]
