"""Reasons in words: rules first, each feature once, shares that add up, and nothing personal."""

import math

import pytest

from events.vocabulary import Reason
from models.controls import Controls
from models.decision import decide
from models.feature import Row, Value
from models.features import BY_NAME, CATALOGUE
from models.observations import Observation
from models.odds import log_odds
from models.reasons import EVERYTHING_ELSE, REASONS_MAX, Contributions
from models.wording import in_words
from tests.unit.models.rows import row_with

SEEN = Observation(
    payment_id="p", occurred_at_us=10**15, amount_minor=123_456, currency="INR", card="card_x", device="dev_x"
)


def reasons(probability: float, row: Row, contributions: Contributions) -> list[Reason]:
    decision = decide(
        probability=probability,
        observation=SEEN,
        row=row,
        controls=Controls.builtin(),
        contributions=contributions,
    )
    return decision.reasons


def test_the_strongest_features_are_named_and_the_rest_is_not() -> None:
    given = [
        ("hour", 0.1),
        ("card_count_1h", 2.0),
        ("card_amount_z", 1.0),
        ("card_gap_days", 0.5),
        ("device_count_1h", 0.4),
        ("weekend", -0.3),
    ]
    row = row_with(card_count_1h=4.0, card_amount_z=3.0, card_gap_days=0.1, device_count_1h=2.0, hour=3.0)

    found = reasons(0.9, row, given)

    assert [reason.feature for reason in found] == [
        "card_count_1h",
        "card_amount_z",
        "card_gap_days",
        "device_count_1h",
    ]
    assert len(found) == REASONS_MAX


def test_where_nothing_stands_out_all_together_is_the_reason() -> None:
    (found,) = reasons(0.8, row_with(), [("weekend", -3.0), ("hour", 0.001)])

    assert found.feature == EVERYTHING_ELSE
    assert found.contribution == pytest.approx(log_odds(0.8), abs=1e-12)


def test_a_cross_counts_for_the_feature_that_leads_it() -> None:
    given = [("card_count_1h", 0.5), ("card_amount_z", 0.1), (("card_amount_z", "card_count_1h"), 1.0)]

    found = reasons(0.9, row_with(card_count_1h=6.0, card_amount_z=1.0), given)

    assert [(reason.feature, reason.contribution) for reason in found[:2]] == [
        ("card_count_1h", 1.5),
        ("card_amount_z", 0.1),
    ]


def test_reasons_of_rules_stand_first_in_their_own_words() -> None:
    found = reasons(0.001, row_with(device_cards_1h=9.0), [("device_cards_1h", 1.0)])

    assert [reason.feature for reason in found] == [
        "rule:card_testing_extreme",
        "rule:card_testing",
        "device_cards_1h",
    ]
    assert found[1].text.startswith("many different cards from one device")


def test_an_allow_by_a_rule_names_what_spoke_for_genuine() -> None:
    trusted = Controls.builtin().changed(
        "trusted", "rule", 1, {"action": "allow", "when": "card_merchant_seen", "words": "a trusted card"}
    )

    decision = decide(
        probability=0.7,
        observation=SEEN,
        row=row_with(card_merchant_seen=1.0),
        controls=trusted,
        contributions=[("card_merchant_seen", -0.8), ("card_count_1h", 2.0)],
    )

    assert decision.outcome == "allow"
    assert [reason.text for reason in decision.reasons] == [
        "a trusted card",
        "the card paid at this merchant before",
    ]


def test_that_nothing_bad_happened_is_no_reason_for_fraud() -> None:
    found = reasons(
        0.9,
        row_with(card_declines_1h=0.0, card_count_30d=0.0),
        [
            ("card_declines_1h", 0.9),
            ("card_count_30d", 0.2),
        ],
    )

    assert [reason.feature for reason in found] == ["card_count_30d"]


@pytest.mark.parametrize(
    ("name", "reassuring", "alarming"),
    [
        ("customer_device_seen", {"customer_device_seen": 1.0}, {"customer_device_seen": 0.0}),
        ("ip_country_differs", {"ip_country_differs": 0.0}, {"ip_country_differs": 1.0}),
        (
            "merchant_unexplained_frauds",
            {"merchant_unexplained_frauds": 0.5},
            {"merchant_unexplained_frauds": 2.0},
        ),
        (
            "device_fraud_share_30d",
            {"device_fraud_share_30d": 0.01, "device_frauds": 0.0},
            {"device_fraud_share_30d": 0.3, "device_frauds": 2.0},
        ),
    ],
)
def test_what_reassures_is_no_reason_for_fraud_however_it_weighed(
    name: str, reassuring: dict[str, Value], alarming: dict[str, Value]
) -> None:
    weighed = [(name, 0.9), ("card_gap_days", 0.2)]

    assert [r.feature for r in reasons(0.9, row_with(**reassuring), weighed)] == ["card_gap_days"]
    assert [r.feature for r in reasons(0.9, row_with(**alarming), weighed)] == [name, "card_gap_days"]


@pytest.mark.parametrize(
    ("name", "row", "words"),
    [
        (
            "card_count_1h",
            {"card_count_1h": 4.0, "card_payments_per_day": 4.8},
            "4 payments with this card in the last hour; usually less than one",
        ),
        (
            "card_count_1h",
            {"card_count_1h": 0.0, "card_payments_per_day": 0.2},
            "no payment with this card in the last hour",
        ),
        (
            "card_count_1d",
            {"card_count_1d": 9.0, "card_payments_per_day": 2.0},
            "9 payments with this card in the last 24 hours; usually 2",
        ),
        ("card_count_1d", {"card_count_1d": 1.0}, "1 payment with this card in the last 24 hours"),
        (
            "device_count_1h",
            {"device_count_1h": 6.0, "device_count_30d": 60.0},
            "6 payments from this device in the last hour; usually less than one",
        ),
        ("device_count_30d", {"device_count_30d": 6.0}, "6 payments from this device in the last 30 days"),
        (
            "device_cards_1h",
            {"device_cards_1h": 5.0},
            "5 different cards used from this device in the last hour",
        ),
        (
            "card_new_merchants_1h",
            {"card_new_merchants_1h": 0.0},
            "no merchant new to this card in the last hour",
        ),
        (
            "amount_reference_minor",
            {
                "amount_reference_minor": 1358.0,
                "amount_minor": 123_456.0,
                "currency": "INR",
                "card_amount_mean_minor": 500.0,
            },
            "amount 1234.56 INR; usually 5.00 EUR",
        ),
        (
            "card_amount_z",
            {"card_amount_z": 6.25, "card_amount_mean_minor": 500.0},
            "amount 6.25 deviations above the card's own mean; usually 5.00 EUR",
        ),
        (
            "merchant_amount_z",
            {"merchant_amount_z": -1.0},
            "amount 1 deviation below the merchant's mean",
        ),
        ("card_amount_to_mean", {"card_amount_to_mean": 8.0}, "amount 8 times the card's own mean"),
        ("card_gap_days", {"card_gap_days": 0.002}, "the card's last payment was 3 minutes earlier"),
        ("card_gap_days", {"card_gap_days": None}, "time since the card's last payment: unknown"),
        ("card_gap_days", {"card_gap_days": math.nan}, "time since the card's last payment: unknown"),
        ("card_merchant_seen", {"card_merchant_seen": 0.0}, "the card never paid at this merchant before"),
        ("card_device_seen", {"card_device_seen": 0.0}, "the card was never used from this device before"),
        ("ip_country_differs", {"ip_country_differs": 1.0}, "the IP's country is not the card's"),
        (
            "merchant_gap_days",
            {"merchant_gap_days": 0.0},
            "the merchant's last payment was less than a second earlier",
        ),
        (
            "merchant_unexplained_frauds",
            {"merchant_unexplained_frauds": 0.0078},
            "less than one fraud at this merchant that the cards' own behavior does not explain, "
            "after halving for each genuine payment since",
        ),
        ("card_age_days", {"card_age_days": 3.0}, "the card was first seen 3 days earlier"),
        (
            "device_fraud_gap_days",
            {"device_fraud_gap_days": 0.5},
            "a payment from this device last turned out to be fraud 12 hours earlier",
        ),
        (
            "merchant_fraud_run",
            {"merchant_fraud_run": 1.0},
            "the merchant's latest labeled payment was a fraud",
        ),
        ("ip_country", {"ip_country": "DE"}, "the IP address is in DE"),
        ("merchant_country", {"merchant_country": "NL"}, "the merchant is in NL"),
        ("weekend", {"weekend": 0.0}, "paid on a weekday, UTC"),
        ("card_payments_per_day", {"card_payments_per_day": 3.0}, "the card usually makes 3 payments a day"),
        ("card_funding", {"card_funding": "prepaid"}, "a prepaid card"),
        ("hour", {"hour": 3.0}, "paid in the hour from 03:00 UTC"),
        (
            "card_amount_sum_1d_minor",
            {"card_amount_sum_1d_minor": 12_345.0},
            "123.45 EUR paid with this card in the last 24 hours",
        ),
    ],
)
def test_a_value_is_said_in_words_beside_what_is_usual(name: str, row: dict[str, Value], words: str) -> None:
    assert in_words(name, row_with(**row), "EUR") == words


def test_a_feature_has_a_sentence_for_each_form_of_its_value() -> None:
    forms = {"flag": 2, "count": 3}

    assert [f.name for f in CATALOGUE if len(f.says) != forms.get(f.kind, 1)] == []
    assert [f.name for f in CATALOGUE if f.kind not in forms if f.says[0].count("{}") != 1] == []


@pytest.mark.parametrize("value", [None, 0.0, 1.0, 0.37, 12345.678, -2.5, math.nan])
def test_every_feature_has_words_for_any_value_and_none_names_an_entity(value: float | None) -> None:
    for feature in CATALOGUE:
        given = None if feature.type == "text" else value
        text = in_words(feature.name, row_with(**{feature.name: given}), "EUR")
        assert text
        assert not {"card_x", "dev_x"} & set(text.split())


def test_a_reason_carries_its_value_and_what_is_usual() -> None:
    row = row_with(card_count_1h=4.0, card_payments_per_day=4.8)

    reason = reasons(0.9, row, [("card_count_1h", 2.0)])[0]

    assert (reason.value, reason.usual, reason.contribution) == (4.0, pytest.approx(0.2), 2.0)


def test_every_usual_value_names_a_number_of_the_catalogue() -> None:
    named = {feature.usual for feature in CATALOGUE if feature.usual}

    assert all(BY_NAME[name].type == "number" for name in named)


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ("card", "4 payments with this card in the last hour"),
        (None, "4 payments with this card in the last hour"),
        ("upi", "4 payments with this UPI address in the last hour"),
        ("wallet", "4 payments with this wallet in the last hour"),
        ("netbanking", "4 payments with this bank account in the last hour"),
    ],
)
def test_what_pays_is_called_what_it_is(method: str | None, words: str) -> None:
    row = row_with(card_count_1h=4.0, payment_method=method)

    assert in_words("card_count_1h", row, "EUR") == words


def test_of_an_account_no_profile_speaks_as_of_a_card() -> None:
    for feature in CATALOGUE:
        if feature.entity == "card":
            row = row_with(**{feature.name: 3.0, "payment_method": "upi"})
            assert "card" not in in_words(feature.name, row, "EUR"), feature.name
