"""A decision explained: scored again bit by bit, weighed to its log-odds, turned by the smallest change."""

import json
import re
from collections.abc import Sequence
from itertools import combinations
from typing import Any

import msgspec
import numpy as np
import pytest

from models.controls import Controls
from models.decision import decide
from models.engine import Engine
from models.errors import ExplainError
from models.explain.as_json import plain
from models.explain.as_text import render
from models.explain.candidates import candidates
from models.explain.changes import Change, applied
from models.explain.counterfactuals import Turn
from models.explain.explanation import Evidence, Explanation, explain
from models.feature import Row, Value
from models.features import CATALOGUE, FEATURES_VERSION, POSITIONS
from models.observations import Assessment, Observation
from models.odds import log_odds, sigmoid
from models.online import BinnedLogisticRegression, linear_values
from models.slots import numbers_of, slots_of
from tests.unit.models.rows import row_with

NO_RULES = Controls.builtin().only([])


def seen(row: Row, **given: Any) -> Observation:
    amount = row[POSITIONS["amount_minor"]]
    told = {
        "payment_id": "pi_1",
        "occurred_at_us": 10**15,
        "amount_minor": int(float(amount or 100)),
        "currency": "EUR",
    }
    return Observation(**(told | given))


def payment_row(amount: int = 5_000, **values: Value) -> Row:
    return row_with(
        amount_minor=float(amount), currency="EUR", amount_reference_minor=float(amount), **values
    )


@pytest.fixture(scope="module")
def champion() -> BinnedLogisticRegression:
    """Learned that a high z of a busy card is fraud, each by itself a little less so."""
    model = BinnedLogisticRegression()
    told = [
        (payment_row(card_amount_z=9.0, card_count_1h=6.0), True),
        (payment_row(card_amount_z=0.1, card_count_1h=0.0), False),
        (payment_row(card_amount_z=0.1, card_count_1h=6.0), False),
        (payment_row(card_amount_z=9.0, card_count_1h=0.0), True),
    ]
    for _ in range(300):
        for row, fraud in told:
            numbers = numbers_of([row])
            slots = [slot for slot in slots_of([row], numbers)[0].tolist() if slot]
            model.learn(slots, linear_values(numbers)[0].tolist(), fraud)
    return model


def probability_of(champion: BinnedLogisticRegression, row: Row) -> float:
    numbers = numbers_of([row])
    return sigmoid(champion.logits(numbers, slots_of([row], numbers)).tolist()[0])


def evidence(
    champion: BinnedLogisticRegression, row: Row, controls: Controls = NO_RULES, **given: Any
) -> Evidence:
    observation, probability = seen(row, **given), probability_of(champion, row)
    decision = decide(
        probability=probability, observation=observation, row=row, controls=controls, contributions=[]
    )
    assessment = Assessment(
        payment_id="pi_1",
        occurred_at_us=observation.occurred_at_us,
        probability=probability,
        risk_score=decision.risk_score,
        outcome=decision.outcome,
        reasons=decision.reasons,
        rules=decision.rules,
        costs_minor=decision.costs_minor,
        challenged_by=decision.challenged_by,
        challenged_by_model=decision.challenged_by_model,
        features=row,
        challengers={},
        anomaly=None,
        features_version=FEATURES_VERSION,
        online_version=1,
        batch_version=0,
        controls_versions=controls.versions,
        sequence=1,
        shard=0,
    )
    return Evidence(assessment, observation, controls, champion)


def turn_of(explanation: Explanation) -> Turn:
    assert explanation.turn is not None
    return explanation.turn


def tried(found: Evidence) -> list[Change]:
    def probabilities(rows: Sequence[Row]) -> list[float]:
        assert found.champion is not None
        return [probability_of(found.champion, row) for row in rows]

    return candidates(found.observation, found.assessment.features, found.controls, probabilities)


def decided_with(found: Evidence, changes: Sequence[Any]) -> str:
    """The outcome of the changed payment, by the way that every payment takes."""
    observation, row = applied(changes, found.observation, found.assessment.features, found.controls.rates)
    assert found.champion is not None
    return decide(
        probability=probability_of(found.champion, row),
        observation=observation,
        row=row,
        controls=found.controls,
        contributions=[],
    ).outcome


def test_the_stored_vector_scored_again_gives_the_same_bits(champion: BinnedLogisticRegression) -> None:
    found = evidence(champion, payment_row(card_amount_z=9.0, card_count_1h=6.0))

    explanation = explain(found)

    assert explanation.rescoring == "equal"
    assert explanation.choice_again == found.assessment.outcome == "block"


def test_a_vector_that_was_changed_in_its_last_bit_is_noticed(champion: BinnedLogisticRegression) -> None:
    found = evidence(champion, payment_row(card_amount_z=9.0))
    other = msgspec.structs.replace(found.assessment, probability=found.assessment.probability * (1 + 2**-52))

    explanation = explain(Evidence(other, found.observation, found.controls, champion))

    assert explanation.rescoring == "different"
    assert "WARNING" in render(explanation)


def test_contributions_add_up_to_the_log_odds(champion: BinnedLogisticRegression) -> None:
    found = evidence(champion, payment_row(card_amount_z=9.0, card_count_1h=6.0))

    given = explain(found).contributions

    assert sum(reason.contribution for reason in given) == pytest.approx(
        log_odds(found.assessment.probability), abs=1e-9
    )
    assert given[-1].feature == "everything_else"


def test_one_change_turns_the_decision_when_it_is_made(champion: BinnedLogisticRegression) -> None:
    found = evidence(champion, payment_row(card_amount_z=9.0, card_count_1h=0.0))

    turn = turn_of(explain(found))

    assert len(turn.changes) == 1
    assert turn.choice != found.assessment.outcome
    assert decided_with(found, turn.changes) == turn.choice


def test_no_smaller_single_change_would_have_turned_it(champion: BinnedLogisticRegression) -> None:
    found = evidence(champion, payment_row(card_amount_z=9.0, card_count_1h=0.0))

    turn = turn_of(explain(found))

    every = tried(found)
    turning = [change for change in every if decided_with(found, [change]) != found.assessment.outcome]
    assert len(every) > 50
    assert min(change.bins for change in turning) == turn.changes[0].bins


def test_a_rule_that_fires_is_respected_and_what_stops_it_is_the_change(
    champion: BinnedLogisticRegression,
) -> None:
    controls = NO_RULES.changed("busy", "rule", 1, {"action": "block", "when": "card_count_10m >= 7"})
    found = evidence(champion, payment_row(card_count_10m=9.0), controls)

    turn = turn_of(explain(found))

    assert found.assessment.rules == ["busy"]
    assert [(change.name, change.after, change.words) for change in turn.changes] == [
        ("card_count_10m", 6.0, "at most")
    ]
    assert turn.choice == "allow"


def test_the_rule_that_would_have_decided_is_named_with_the_change(
    champion: BinnedLogisticRegression,
) -> None:
    controls = NO_RULES.changed("busy", "rule", 1, {"action": "block", "when": "card_count_10m >= 7"})
    never = {"method": "thresholds", "review_at": 101, "block_at": 101}
    controls = controls.changed("decision", "policy", 1, never)
    found = evidence(champion, payment_row(card_count_10m=6.0), controls)

    explanation = explain(found)

    assert (found.assessment.rules, turn_of(explanation).rules) == ([], ("busy",))
    assert "then: block, by rule busy (probability of fraud" in render(explanation)


def test_the_rule_that_decided_is_named_with_its_version_and_what_it_asks(
    champion: BinnedLogisticRegression,
) -> None:
    controls = NO_RULES.changed("busy", "rule", 3, {"action": "block", "when": "card_count_10m >= 7"})
    controls = controls.changed("look", "rule", 1, {"action": "review", "when": "card_count_10m >= 2"})
    controls = controls.changed("calm", "rule", 1, {"action": "review", "when": "card_count_10m < 2"})

    text = render(explain(evidence(champion, payment_row(card_count_10m=9.0), controls)))

    assert "decided by: rule busy (version 3): block when card_count_10m >= 7" in text
    assert "fired, too: rule look (version 1): review when card_count_10m >= 2" in text
    assert "busy 3 (fired)" in text
    assert "calm 1," in text


def test_without_entities_not_even_a_rules_words_tell_a_surrogate(champion: BinnedLogisticRegression) -> None:
    controls = NO_RULES.changed("named", "rule", 1, {"action": "block", "when": "merchant = 'acct_hidden'"})
    controls = controls.changed("busy", "rule", 1, {"action": "review", "when": "currency = 'EUR'"})
    row = payment_row()

    explanation = explain(evidence(champion, row, controls, merchant="acct_hidden"))

    assert "block when merchant = 'acct_hidden'" in render(explanation)
    text = render(explanation, entities=False)
    assert "rule named (version 1): block what it names by its surrogate" in text
    assert "review when currency = 'EUR'" in text
    assert "acct_hidden" not in text


def test_where_no_rule_fired_costs_or_thresholds_are_said_to_have_decided(
    champion: BinnedLogisticRegression,
) -> None:
    by_score = NO_RULES.changed("decision", "policy", 1, {"method": "thresholds"})

    assert "decided by: the least expected cost; no rule fired" in render(
        explain(evidence(champion, payment_row()))
    )
    assert "decided by: the policy's thresholds (review from 65, block from 75); no rule fired" in render(
        explain(evidence(champion, payment_row(), by_score))
    )


def test_a_challenge_that_costs_chose_is_said_to_be_theirs_and_what_would_have_turned_it(
    champion: BinnedLogisticRegression,
) -> None:
    controls = NO_RULES.changed("costs", "costs", 1, {"challenge_minor": 1})
    found = evidence(champion, payment_row(), controls)

    explanation = explain(found)
    text = render(explanation)

    assert text.startswith("payment pi_1: allow, once the payer was authenticated\n")
    assert "decided by: the least expected cost; no rule fired" in text
    assert re.search(r"expected costs: allow .*, challenge [0-9.]+ EUR", text)
    assert "WARNING: rules and costs" not in text
    assert turn_of(explanation).choice != "challenge"
    told = plain(explanation)
    assert (told["outcome"], told["choice"], told["choice_again"]) == ("allow", "challenge", "challenge")


def test_thresholds_of_challenges_are_named_where_there_are_any(champion: BinnedLogisticRegression) -> None:
    policy = {"method": "thresholds", "challenge_at": 40}
    found = evidence(champion, payment_row(), NO_RULES.changed("decision", "policy", 1, policy))

    assert "thresholds (challenge from 40, review from 65, block from 75)" in render(explain(found))


def test_a_block_that_rules_only_wanted_reviewed_is_the_models(champion: BinnedLogisticRegression) -> None:
    controls = NO_RULES.changed("look", "rule", 1, {"action": "review", "when": "card_count_1h >= 2"})
    found = evidence(champion, payment_row(card_amount_z=9.0, card_count_1h=6.0), controls)

    text = render(explain(found))

    assert found.assessment.outcome == "block"
    assert "decided by: the least expected cost\n  fired, too: rule look (version 1)" in text


def test_every_feature_is_shown_by_name_value_and_unit_when_asked_for(
    champion: BinnedLogisticRegression,
) -> None:
    explanation = explain(evidence(champion, payment_row(card_amount_z=9.0)))

    text = render(explanation, features=True)

    assert re.search(r"card_amount_z +9\.0 +deviations", text)
    assert re.search(r"card_age_days +missing +days", text)
    assert all(f"  {feature.name} " in text for feature in CATALOGUE)
    assert "card_age_days" not in render(explanation)


def test_as_plain_data_it_is_json_with_the_whole_vector(champion: BinnedLogisticRegression) -> None:
    controls = NO_RULES.changed("busy", "rule", 3, {"action": "block", "when": "card_count_10m >= 7"})
    row = payment_row(card_count_10m=9.0, card_amount_z=float("nan"))

    told = json.loads(json.dumps(plain(explain(evidence(champion, row, controls))), allow_nan=False))

    values = {feature["name"]: feature["value"] for feature in told["features"]}
    assert len(values) == len(CATALOGUE)
    assert (values["card_count_10m"], values["card_amount_z"], values["card_age_days"]) == (9.0, None, None)
    (fired,) = told["rules"]
    assert (fired["name"], fired["version"], fired["decided"]) == ("busy", 3, True)
    assert told["smallest_change"]["changes"][0]["name"] == "card_count_10m"


def test_the_currency_is_never_the_change(champion: BinnedLogisticRegression) -> None:
    controls = NO_RULES.changed(
        "large", "rule", 1, {"action": "block", "when": "currency = 'EUR' AND amount_minor > 4000"}
    )
    found = evidence(champion, payment_row(4_100, ip_country="DE"), controls)

    assert "currency" not in {change.name for change in tried(found)}


@pytest.mark.parametrize(("shift", "again"), [(0.0, "equal"), (2**-50, "different")])
def test_the_boostings_log_odds_are_made_again_from_its_snapshot(
    champion: BinnedLogisticRegression, shift: float, again: str
) -> None:
    found = evidence(champion, payment_row(boosting_logit=0.75))
    boosted = msgspec.structs.replace(found.assessment, batch_version=2)

    with_it = Evidence(
        boosted,
        found.observation,
        found.controls,
        champion,
        (),
        lambda rows: np.full(len(rows), 0.75 + shift),
    )
    without = Evidence(boosted, found.observation, found.controls, champion)

    assert explain(with_it).boosting_again == again
    assert explain(found).boosting_again == "none"
    assert explain(without).boosting_again == "gone"
    assert "the boosting's log-odds were taken as stored" in render(explain(without))


def test_two_rules_at_once_need_two_changes(champion: BinnedLogisticRegression) -> None:
    controls = NO_RULES.changed("a", "rule", 1, {"action": "block", "when": "card_count_10m >= 7"}).changed(
        "b", "rule", 1, {"action": "block", "when": "device_cards_1h > 4"}
    )
    found = evidence(champion, payment_row(card_count_10m=9.0, device_cards_1h=5.0), controls)

    turn = turn_of(explain(found))

    assert {(change.name, change.after) for change in turn.changes} == {
        ("card_count_10m", 6.0),
        ("device_cards_1h", 4.0),
    }
    assert decided_with(found, turn.changes) == "allow"
    assert "no single change that was tried leads to another outcome; this is" in render(explain(found))


def test_where_three_rules_fire_no_small_change_is_claimed(champion: BinnedLogisticRegression) -> None:
    controls = NO_RULES
    for name in ("card_count_10m", "device_cards_1h", "ip_cards_1h"):
        controls = controls.changed(name, "rule", 1, {"action": "block", "when": f"{name} >= 7"})
    found = evidence(
        champion, payment_row(card_count_10m=9.0, device_cards_1h=9.0, ip_cards_1h=9.0), controls
    )

    explanation = explain(found)

    every = tried(found)
    pairs = [pair for pair in combinations(every, 2) if pair[0].name != pair[1].name]
    assert explanation.searched
    assert explanation.turn is None
    assert {decided_with(found, pair) for pair in pairs[::97]} == {"block"}
    assert "none found: no single change that was tried leads to another outcome" in render(explanation)


@pytest.mark.parametrize(
    ("name", "values", "words"),
    [
        ("ip_count_1h", {}, "IP address in the last hour: known, such as 0 (was: unknown)  [ip_count_1h]"),
        ("weekend", {}, "known, such as: paid on a weekday, UTC (was unknown)  [weekend]"),
        ("weekend", {"weekend": 1.0}, "not known: paid on a Saturday or Sunday, UTC  [weekend]"),
        ("card_country", {}, "known: country of the card's issuer (was unknown)  [card_country]"),
        ("device", {}, "device: known"),
    ],
)
def test_becoming_known_or_unknown_is_said_so(
    champion: BinnedLogisticRegression, name: str, values: dict[str, Value], words: str
) -> None:
    when = f"{name} IS {'NOT NULL' if values else 'NULL'}"
    controls = NO_RULES.changed("r", "rule", 1, {"action": "review", "when": when})

    text = render(explain(evidence(champion, payment_row(**values), controls)))

    assert words in text
    [tried_line] = [line for line in text.splitlines() if "tried: each number in other bins" in line]
    assert tried_line.endswith("entities off their lists")  # whole: on a page each line is a paragraph


def test_a_list_is_left_by_not_standing_on_it(champion: BinnedLogisticRegression) -> None:
    controls = NO_RULES.changed(
        "listed", "rule", 1, {"action": "block", "when": "device IN @blocked_devices"}
    ).changed("blocked_devices", "list", 1, {"entries": [{"value": "dev_1"}]})
    found = evidence(champion, payment_row(card_count_1h=0.0), controls, device="dev_1")

    explanation = explain(found)

    assert [change.words for change in turn_of(explanation).changes] == ["not on @blocked_devices"]
    assert "device: not on @blocked_devices" in render(explanation)
    assert re.search(r"device +dev_1", render(explanation))


def test_an_amount_moves_together_with_its_amount_in_the_reference_currency(
    champion: BinnedLogisticRegression,
) -> None:
    controls = NO_RULES.changed(
        "large", "rule", 1, {"action": "block", "when": "currency = 'EUR' AND amount_minor > 4000"}
    )
    found = evidence(champion, payment_row(4_100, hour=3.0), controls)

    turn = turn_of(explain(found))
    observation, row = applied(turn.changes, found.observation, found.assessment.features, controls.rates)

    assert observation.amount_minor == 4_000
    assert row[POSITIONS["amount_minor"]] == row[POSITIONS["amount_reference_minor"]] == 4_000.0
    assert "amount at most 40.00 EUR (was 41.00 EUR)" in render(explain(found))


def test_the_log_odds_of_the_boosting_are_never_the_change(champion: BinnedLogisticRegression) -> None:
    found = evidence(champion, payment_row(boosting_logit=2.0, hour=3.0))

    every = tried(found)

    assert "boosting_logit" not in {change.name for change in every}
    assert "hour" in {change.name for change in every}


def test_without_the_champion_only_what_was_stored_is_told(champion: BinnedLogisticRegression) -> None:
    found = evidence(champion, payment_row(card_amount_z=9.0, card_count_1h=6.0))
    gap = "version 1 of the champion is no longer in the log"

    text = render(explain(Evidence(found.assessment, found.observation, found.controls, None, (gap,))))

    assert gap in text
    assert "not searched" in text
    assert "not scored again" in text


def test_in_the_cold_start_the_detectors_share_is_part_of_the_explanation() -> None:
    engine = Engine()
    told = [seen(payment_row(), payment_id=f"pi_{n}", card="c", occurred_at_us=n * 10**9) for n in range(300)]
    usual = engine.assess(told)[-1]
    odd = seen(payment_row(900_000), card="c", occurred_at_us=301 * 10**9)
    unusual = engine.assess([odd])[0]

    explanation = explain(Evidence(unusual, odd, engine.controls, BinnedLogisticRegression()))

    assert unusual.probability > usual.probability
    assert explanation.rescoring == "equal"
    assert "says the detector that stands in" in render(explanation)
    assert "what the detector of the cold start added was taken as stored" in render(explanation)


def test_a_vector_of_another_catalogue_is_not_explained(champion: BinnedLogisticRegression) -> None:
    found = evidence(champion, payment_row(card_amount_z=9.0))
    other = msgspec.structs.replace(found.assessment, features_version=FEATURES_VERSION + 1)

    with pytest.raises(ExplainError, match="version"):
        explain(Evidence(other, found.observation, found.controls, champion))


def test_controls_that_decide_otherwise_now_are_pointed_out(champion: BinnedLogisticRegression) -> None:
    found = evidence(champion, payment_row(card_count_1h=0.0, card_amount_z=0.1))
    stricter = NO_RULES.changed("all", "rule", 1, {"action": "block", "when": "card_count_1h >= 0"})

    explanation = explain(Evidence(found.assessment, found.observation, stricter, champion))

    assert (found.assessment.outcome, explanation.choice_again) == ("allow", "block")
    assert "WARNING: rules and costs as found now decide block" in render(explanation)
