"""Who decides: the table of precedence, expected costs, thresholds, and the score for people."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.controls import Controls
from models.costs import Costs, least, risk_score
from models.decision import Decision, decide
from models.errors import ControlError
from models.feature import Row
from models.observations import Observation
from models.odds import log_odds
from models.reasons import EXPECTED_COSTS
from tests.unit.models.rows import row_with

probabilities = st.floats(0.0, 1.0)


def controls_with(**rules: tuple[str, str]) -> Controls:
    controls = Controls.builtin().only([])
    for name, (action, when) in rules.items():
        controls = controls.changed(name, "rule", 1, {"action": action, "when": when})
    return controls


def decided(
    probability: float, controls: Controls, row: Row | None = None, currency: str = "EUR", amount: int = 5_000
) -> Decision:
    seen = Observation(payment_id="p", occurred_at_us=10**15, amount_minor=amount, currency=currency)
    return decide(
        probability=probability,
        observation=seen,
        row=row if row is not None else row_with(hour=1.0),
        controls=controls,
        contributions=[],
    )


FIRES, RESTS = "hour = 1", "hour = 2"


@pytest.mark.parametrize(
    ("rules", "probability", "outcome"),
    [
        ({}, 0.001, "allow"),
        ({}, 0.2, "review"),
        ({}, 0.9, "block"),
        ({"a": ("allow", FIRES)}, 0.99, "allow"),
        ({"a": ("allow", FIRES), "b": ("block", FIRES), "c": ("review", FIRES)}, 0.99, "allow"),
        ({"b": ("block", FIRES), "c": ("review", FIRES)}, 0.001, "block"),
        ({"c": ("review", FIRES)}, 0.001, "review"),
        ({"c": ("review", FIRES)}, 0.2, "review"),
        ({"c": ("review", FIRES)}, 0.9, "block"),
        ({"a": ("allow", RESTS), "b": ("block", RESTS), "c": ("review", RESTS)}, 0.001, "allow"),
    ],
)
def test_the_table_of_precedence_decides(
    rules: dict[str, tuple[str, str]], probability: float, outcome: str
) -> None:
    assert decided(probability, controls_with(**rules)).outcome == outcome


@pytest.mark.parametrize("probability", [0.001, 0.2, 0.9])
@pytest.mark.parametrize("action", [None, "allow", "block", "review"])
def test_a_challenge_stands_beside_what_rules_and_model_decide_and_changes_nothing_of_it(
    action: str | None, probability: float
) -> None:
    others = {} if action is None else {"other": (action, FIRES)}
    without = decided(probability, controls_with(**others))

    decision = decided(probability, controls_with(**others, ask=("challenge", FIRES)))

    assert (decision.outcome, decision.challenged_by) == (without.outcome, ["ask"])
    assert set(decision.rules) == {*others, "ask"}
    assert without.challenged_by == []


def test_a_challenge_on_something_that_is_not_so_asks_for_nothing() -> None:
    assert decided(0.001, controls_with(ask=("challenge", RESTS))).challenged_by == []


def test_all_rules_that_fired_are_recorded_the_deciding_ones_first() -> None:
    controls = controls_with(z=("review", FIRES), y=("block", FIRES), x=("block", FIRES), w=("block", RESTS))

    assert decided(0.001, controls).rules == ["x", "y", "z"]


def test_a_rule_on_something_unknown_does_not_fire_nor_does_its_negation() -> None:
    controls = controls_with(a=("block", "card_count_1h > 3"), b=("block", "NOT card_count_1h > 3"))

    assert decided(0.001, controls).outcome == "allow"


@given(probability=probabilities, amount=st.integers(1, 10**12))
def test_the_model_takes_the_action_of_least_expected_cost(probability: float, amount: int) -> None:
    decision = decided(probability, controls_with(), amount=amount)

    assert decision.costs_minor[decision.outcome] == min(decision.costs_minor.values())


@given(low=probabilities, high=probabilities, amount=st.integers(1, 10**12))
def test_a_higher_probability_never_leads_to_a_milder_action(low: float, high: float, amount: int) -> None:
    low, high = sorted((low, high))
    order = ("allow", "review", "block")

    milder, stricter = (decided(p, controls_with(), amount=amount).outcome for p in (low, high))

    assert order.index(milder) <= order.index(stricter)


def test_of_equal_costs_the_milder_action_wins() -> None:
    assert least({"allow": 1.0, "review": 1.0, "block": 1.0}) == "allow"
    assert least({"allow": 2.0, "review": 1.0, "block": 1.0}) == "review"


def test_expected_costs_weigh_fraud_lost_sales_and_the_work_of_a_review() -> None:
    costs = Costs(
        fraud_loss_share=1.0,
        chargeback_fee_minor=1000.0,
        margin_share=0.2,
        lost_customer_minor=100.0,
        review_minor=50.0,
        review_catch_rate=0.75,
        review_false_decline_rate=0.1,
    )

    assert costs.expected_minor(0.25, 3000.0) == {
        "allow": 0.25 * 4000,
        "review": 50 + 0.25 * 0.25 * 4000 + 0.1 * 0.75 * 700,
        "block": 0.75 * 700,
    }


@pytest.mark.parametrize(
    ("probability", "amount", "outcome", "words"),
    [
        (
            0.05,
            100_000,
            "review",
            "by its risk score alone it would pass; for its amount a review is expected to cost 25.26 EUR, "
            "letting it pass 50.75 EUR",
        ),
        (
            0.15,
            500,
            "allow",
            "by its risk score alone it would be held; for its amount letting it pass is expected to cost "
            "3.00 EUR, a review 3.87 EUR",
        ),
        (
            0.41,
            3_000,
            "review",
            "by its risk score alone it would be blocked; for its amount a review is expected to cost "
            "7.06 EUR, a block 7.38 EUR",
        ),
    ],
)
def test_where_amount_and_costs_decide_otherwise_than_the_score_a_reason_says_so(
    probability: float, amount: int, outcome: str, words: str
) -> None:
    decision = decided(probability, controls_with(), amount=amount)

    assert decision.outcome == outcome
    assert decision.reasons[0].text == words
    assert decision.reasons[0].feature == EXPECTED_COSTS


ASKED = {"challenge_minor": 20}


def asking(**policy: object) -> Controls:
    """Costs that know what a challenge costs."""
    controls = controls_with().changed("costs", "costs", 1, ASKED)
    return controls.changed("decision", "policy", 1, policy) if policy else controls


def test_costs_that_know_no_challenge_compare_none() -> None:
    assert not {"challenge"} & set(Costs().expected_minor(0.2, 5_000.0))
    assert not any(decided(p / 100, controls_with()).challenged_by_model for p in range(101))


def test_a_challenge_costs_its_asking_the_frauds_that_pass_it_and_the_payers_who_give_up() -> None:
    costs = Costs(challenge_minor=20.0, challenge_abandon_rate=0.2, challenge_catch_rate=0.5)

    expected = costs.expected_minor(0.25, 3000.0)

    assert expected["challenge"] == 20 + 0.5 * 0.25 * 4500 + 0.2 * 0.75 * 1250


def test_where_a_challenge_is_cheapest_the_payment_passes_once_its_payer_was_authenticated() -> None:
    decision = decided(0.2, asking())

    assert (decision.outcome, decision.challenged_by, decision.challenged_by_model) == ("allow", [], True)
    assert min(decision.costs_minor, key=lambda action: decision.costs_minor[action]) == "challenge"
    assert decision.reasons[0].text == (
        "by its risk score alone it would be held; for its amount a challenge is expected to cost 4.85 EUR, "
        "a review 6.30 EUR"
    )


@given(probability=probabilities, amount=st.integers(1, 10**12))
def test_with_challenges_the_model_still_takes_the_action_of_least_expected_cost(
    probability: float, amount: int
) -> None:
    decision = decided(probability, asking(), amount=amount)

    chosen = "challenge" if decision.challenged_by_model else decision.outcome
    assert decision.costs_minor[chosen] == min(decision.costs_minor.values())


@pytest.mark.parametrize(
    ("rules", "outcome"),
    [
        ({"a": ("allow", FIRES)}, "allow"),
        ({"c": ("review", FIRES)}, "review"),
        ({"b": ("block", FIRES)}, "block"),
    ],
)
def test_a_rule_that_decides_leaves_costs_no_challenge(
    rules: dict[str, tuple[str, str]], outcome: str
) -> None:
    decision = decided(0.2, controls_with(**rules).changed("costs", "costs", 1, ASKED))

    assert (decision.outcome, decision.challenged_by_model) == (outcome, False)


@pytest.mark.parametrize("policy", [{}, {"method": "thresholds", "challenge_at": 30}])
def test_who_pays_from_an_account_is_not_challenged_for_nobody_could_ask(policy: dict[str, object]) -> None:
    controls = asking(**policy)
    account = Observation(
        payment_id="p", occurred_at_us=10**15, amount_minor=5_000, currency="EUR", payment_method="upi"
    )

    decision = decide(
        probability=0.05, observation=account, row=row_with(), controls=controls, contributions=[]
    )

    assert decided(0.05, controls).challenged_by_model
    assert not decision.challenged_by_model
    assert "challenge" not in decision.costs_minor


def test_thresholds_may_ask_for_a_challenge_below_those_of_a_review() -> None:
    controls = asking(method="thresholds", challenge_at=50)

    found = [decided(p, controls, amount=1) for p in (0.02, 0.05, 0.0999, 0.1)]

    assert [decision.challenged_by_model for decision in found] == [False, True, True, False]
    assert [decision.outcome for decision in found] == ["allow", "allow", "allow", "review"]
    assert decided(0.05, asking(challenge_at=50), currency="BRL").challenged_by_model


def test_a_threshold_that_would_ask_nobody_is_refused() -> None:
    with pytest.raises(ControlError, match="challenge_at"):
        asking(challenge_at=70)


def test_costs_without_a_challenge_are_compared_with_what_the_score_alone_would_let_pass() -> None:
    controls = controls_with().changed("decision", "policy", 1, {"challenge_at": 40})

    decision = decided(0.05, controls, amount=100_000)

    assert decision.outcome == "review"
    assert decision.reasons[0].text.startswith("by its risk score alone it would pass;")


@pytest.mark.parametrize(
    ("rules", "probability", "amount"),
    [
        ({}, 0.001, 5_000),
        ({}, 0.9, 5_000),
        ({"c": ("review", FIRES)}, 0.05, 100_000),
        ({"a": ("allow", FIRES)}, 0.05, 100_000),
        ({"b": ("block", FIRES)}, 0.05, 100_000),
    ],
)
def test_costs_are_no_reason_where_the_score_or_a_rule_decides_the_same(
    rules: dict[str, tuple[str, str]], probability: float, amount: int
) -> None:
    decision = decided(probability, controls_with(**rules), amount=amount)

    assert EXPECTED_COSTS not in [reason.feature for reason in decision.reasons]


def test_a_merchants_costs_change_its_decisions() -> None:
    patient = Controls.builtin().changed("costs", "costs", 1, {"review_minor": 100_000})

    assert decided(0.2, Controls.builtin()).outcome == "review"
    assert decided(0.2, patient).outcome == "allow"


def test_fixed_thresholds_remain_a_choice() -> None:
    controls = controls_with().changed(
        "decision", "policy", 1, {"method": "thresholds", "review_at": 65, "block_at": 75}
    )

    outcomes = [decided(p, controls, amount=1).outcome for p in (0.0999, 0.1, 0.3999, 0.4)]

    assert outcomes == ["allow", "review", "review", "block"]
    assert set(decided(0.1, controls).costs_minor) == {"allow", "review", "block"}


def test_without_a_rate_the_thresholds_decide_and_no_costs_are_recorded() -> None:
    decision = decided(0.2, controls_with(), currency="BRL")

    assert decision.outcome == "review"
    assert decision.costs_minor == {}


@given(low=probabilities, high=probabilities)
def test_the_risk_score_grows_with_the_probability_from_0_to_100(low: float, high: float) -> None:
    low, high = sorted((low, high))

    assert 0 <= risk_score(low) <= risk_score(high) <= 100


def test_the_risk_score_meets_the_levels_exactly() -> None:
    below = [risk_score(p) for p in (0.0, 0.0001, 0.0999999, 0.3999999)]
    at = [risk_score(p) for p in (0.1, 0.4, 0.999, 1.0)]

    assert below == [0, 0, 64, 74]
    assert at == [65, 75, 100, 100]


def test_a_plain_allow_needs_no_reasons_and_does_not_ask_for_contributions() -> None:
    def unasked() -> list[tuple[str, float]]:
        raise AssertionError

    decision = decide(
        probability=0.001,
        observation=Observation(payment_id="p", occurred_at_us=0, amount_minor=100, currency="EUR"),
        row=row_with(),
        controls=Controls.builtin(),
        contributions=unasked,
    )

    assert (decision.outcome, decision.reasons, decision.rules) == ("allow", [], [])


@pytest.mark.parametrize("probability", [0.0, 1.0])
def test_a_certain_probability_still_has_finite_log_odds(probability: float) -> None:
    assert abs(log_odds(probability)) < 40
