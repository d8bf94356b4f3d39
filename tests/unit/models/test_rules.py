"""What a rule may say, what is refused and how, and that the shipped rules are rules like any other."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.builtin_controls import BUILTIN_RULES
from models.controls import Controls, builtin_controls
from models.errors import RuleError
from models.feature import Row
from models.features import BY_NAME, CATALOGUE
from models.observations import Observation
from models.rules.checks import BY_SURROGATE
from models.rules.nodes import Listed, fields_of, walk
from models.rules.python import like_pattern
from models.rules.rule import ENTITY_FIELDS, NAMES, rule_of
from tests.unit.models.rows import row_with


def rule_when(when: str, action: str = "review") -> object:
    return rule_of("r", {"action": action, "when": when})


def payment(**given: str | int) -> Observation:
    return Observation(
        **({"payment_id": "p", "occurred_at_us": 1_000, "amount_minor": 100, "currency": "EUR"} | given)
    )


def fires(when: str, row: Row, seen: Observation | None = None) -> bool:
    controls = Controls.builtin().only([]).changed("r", "rule", 1, {"action": "review", "when": when})
    return [rule.name for rule in controls.fired(seen or payment(), row)] == ["r"]


@pytest.mark.parametrize(
    ("when", "told"),
    [
        ("card_cuont_1h > 3", "did you mean card_count_1h?"),
        ("Card_Count_1h > 3", "did you mean card_count_1h?"),
        ("nonsense > 3", "no feature or field is called 'nonsense'"),
        ("card_count_1h > 'many'", "compares a number with a text"),
        ("card_country > 3", "compares a text with a number"),
        ("card_country > 'DE'", "texts have no order"),
        ("card_country BETWEEN 'A' AND 'B'", "texts have no order"),
        ("card_count_1h", "is a number, not a condition"),
        ("weekend > 0", "is a boolean"),
        ("card_count_1h LIKE 'a'", "LIKE compares a text"),
        ("card_count_1h IN @watched", "lists hold texts"),
        ("card_country IN ('DE', 1)", "compares a text with a number"),
        ("card_country IN (ip_country)", "after IN stands a list"),
        ("card_country IN ()", "after IN stands a list"),
        ("card_count_1h = NULL", "write IS NULL"),
        ('card_country = "DE"', "texts stand in single quotes"),
        ("payments.hour > 3", "without a dot"),
        ("lower(card_country) = 'de'", "the function lower is not allowed"),
        ("random() > hour", "is not allowed"),
        ("hour::integer > 3", "the function cast is not allowed"),
        ("hour > (SELECT 1)", "is not a value this language has"),
        ("SELECT hour", "is not a condition this language has"),
        ("CASE WHEN weekend THEN weekend END", "is not a condition this language has"),
        ("hour > 3; DROP TABLE payments", "write exactly one predicate"),
        ("hour >", "this is no SQL predicate: something is missing beside an operator"),
        ("hour > 4 && weekend", "&& is not part of the language: write AND"),
        ("weekend || ip_country_differs", "|| is not part of the language: write OR"),
        ("now() > 1", "the function now is not allowed"),
        ("", "write exactly one predicate"),
        ("1 = 1", "mentions no feature"),
        ("TRUE", "mentions no feature"),
        ("hour > 1e300", "is larger than"),
        ("hour > 3\nAND weekend", "one line of printable characters"),
        ("currency = 'XQX'", "unknown currency"),
    ],
)
def test_what_is_no_rule_is_refused_with_what_to_mend(when: str, told: str) -> None:
    with pytest.raises(RuleError) as refusal:
        rule_when(when)

    assert told in refusal.value.reason


@pytest.mark.parametrize(
    "when",
    [
        "amount_minor > 500000",
        "amount_minor > 500000 OR currency = 'INR'",
        "currency <> 'INR' AND amount_minor > 500000",
        "currency IN ('INR', 'JPY') AND amount_minor > 500000",
        "(currency = 'INR' OR weekend) AND amount_minor > 500000",
        "weekend AND coalesce(amount_minor, 1) > 5",
    ],
)
def test_an_amount_in_minor_units_needs_its_currency_beside_it(when: str) -> None:
    with pytest.raises(RuleError, match="amount_reference_minor"):
        rule_when(when)


@pytest.mark.parametrize(
    "when",
    [
        "currency = 'INR' AND amount_minor > 500000",
        "weekend OR ('JPY' = currency AND (hour > 3 OR amount_minor BETWEEN 5 AND 10))",
        "amount_reference_minor > 500000",
    ],
)
def test_an_amount_beside_its_currency_or_in_the_reference_currency_is_taken(when: str) -> None:
    assert rule_when(when)


@pytest.mark.parametrize(
    "when",
    [
        "hour > 1 AND " * 400 + "weekend",
        " AND ".join(["weekend"] * 220),
        "(" * 60 + "weekend" + ")" * 60,
        "(" * 900 + "weekend" + ")" * 900,
        "NOT " * 450 + "weekend",
        "- " * 900 + "hour > 1",
        "hour" + " + hour" * 9 + " > 1",
    ],
)
def test_a_rule_that_is_too_large_or_too_deep_is_refused(when: str) -> None:
    with pytest.raises(RuleError):
        rule_when(when)


def test_a_rule_may_ask_for_a_challenge() -> None:
    assert rule_when("weekend", "challenge").action == "challenge"


@pytest.mark.parametrize(
    "body",
    [
        {"action": "decline", "when": "weekend"},
        {"action": "review"},
        {"action": "review", "when": 3},
        {"action": "review", "when": "weekend", "colour": "red"},
        "weekend",
        None,
    ],
)
def test_a_body_that_is_no_rule_is_refused(body: object) -> None:
    with pytest.raises(RuleError):
        rule_of("r", body)


@pytest.mark.parametrize(
    ("when", "row", "expected"),
    [
        (
            "card_count_1h >= 4 AND ip_country <> card_country",
            {"card_count_1h": 4.0, "ip_country": "DE"},
            False,
        ),
        ("weekend = TRUE", {"weekend": 1.0}, True),
        ("weekend <> TRUE", {"weekend": 0.0}, True),
        ("card_country NOT LIKE 'D_'", {"card_country": "FR"}, True),
        ("card_country LIKE '%.%'", {"card_country": "DE"}, False),
        ("abs(-card_amount_z) > 2", {"card_amount_z": -3.0}, True),
        ("hour IN (-1, 3)", {"hour": 3.0}, True),
        ("card_amount_sum_1d_minor / card_count_1d > 10", {"card_amount_sum_1d_minor": 30.0}, False),
    ],
)
def test_a_rule_fires_only_where_it_is_true(when: str, row: dict[str, float | str], expected: bool) -> None:
    assert fires(when, row_with(**row)) is expected


@pytest.mark.parametrize(
    "when",
    [
        "ip = '9.9.9.9'",
        "'9.9.9.9' <> ip",
        "email IN ('a@b.c')",
        "customer LIKE 'c%'",
        "card = 'x'",
        "hour > 3 AND NOT (device = 'laptop')",
        "coalesce(device, 'laptop') IN @watched",
        "coalesce(email, ip_country) IS NULL",
        "card = device",
    ],
)
def test_what_goes_by_surrogate_stands_beside_no_value_and_none_is_repeated(when: str) -> None:
    with pytest.raises(RuleError, match=r"prints$") as refusal:
        rule_when(when)
    assert re.search(r"`weir surrogate (card|device|ip|email|customer) VALUE`", refusal.value.reason)
    assert not re.search(r"9\.9|a@b|'x'|laptop|c%", refusal.value.reason)


@pytest.mark.parametrize("name", BY_SURROGATE)
def test_what_goes_by_surrogate_is_looked_up_and_may_be_missing(name: str) -> None:
    for when in ("IN @watched", "NOT IN @watched", "IS NULL", "IS NOT NULL"):
        rule_when(f"{name} {when}")
    assert fires(f"{name} IS NOT NULL", row_with(), payment(**{name: "x_1"}))
    assert not fires(f"{name} IS NOT NULL", row_with(), payment())


def test_a_merchant_goes_by_its_own_id() -> None:
    assert fires("merchant = 'acct_1'", row_with(), payment(merchant="acct_1"))
    assert not fires("merchant = 'acct_1'", row_with(), payment())


def test_every_name_of_a_rule_is_in_the_row_or_in_the_payment() -> None:
    assert set(NAMES) == set(BY_NAME) | set(ENTITY_FIELDS)
    assert set(ENTITY_FIELDS) <= set(Observation.__struct_fields__)


def test_the_documented_names_are_those_of_the_catalogue() -> None:
    document = (Path(__file__).parents[3] / "docs" / "rules.md").read_text()
    documented = [line for line in document.splitlines() if line.startswith("| `")]

    assert documented == [
        f"| `{feature.name}` | {feature.type} | {feature.unit} | {feature.meaning} |" for feature in CATALOGUE
    ]


def test_the_documented_rule_and_list_are_taken() -> None:
    document = (Path(__file__).parents[3] / "docs" / "rules.md").read_text()
    rule, _file, entries, *_others = (
        json.loads(block) for block in re.findall(r"```json\n(.*?)```", document, re.DOTALL)
    )

    controls = Controls.builtin().changed("mine", "rule", 1, rule).changed("listed", "list", 1, entries)

    assert {"mine", "listed"} <= set(controls.versions)


def test_the_shipped_rules_are_taken_as_any_other_and_are_conservative() -> None:
    rules = Controls.builtin().rules

    assert {rule.name for rule in rules} == set(BUILTIN_RULES)
    assert {rule.action for rule in rules} == {"review", "block"}
    assert all(fields_of(rule.predicate) for rule in rules)
    assert not any(isinstance(node, Listed) for rule in rules for node in walk(rule.predicate))
    assert {entry.version for entry in builtin_controls()} == {0}


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (
            {"customer_failed_sign_ins_1h": 3.0, "customer_device_seen": 0.0},
            "failed_sign_ins_then_new_device",
        ),
        ({"ip_failed_sign_ins_1h": 30.0}, "failed_sign_ins_from_one_place"),
        ({"card_count_10m": 5.0}, "rapid_attempts"),
        ({"card_failed_challenges_1d": 2.0}, "failed_challenges"),
        ({"device_failed_challenges_1d": 2.0}, "failed_challenges"),
        ({"card_declines_1h": 10.0}, "rapid_attempts_extreme"),
        ({"device_cards_1h": 4.0}, "card_testing"),
        ({"device_cards_1h": 8.0}, "card_testing_extreme"),
        ({"card_new_merchants_1h": 5.0}, "card_spread_over_merchants"),
        (
            {"card_count_30d": 5.0, "card_amount_z": 8.0, "card_amount_to_max": 3.0},
            "amount_far_from_own",
        ),
        (
            {
                "ip_country_differs": 1.0,
                "card_ip_country_seen": 0.0,
                "card_device_seen": 0.0,
                "card_age_days": 7.0,
                "card_amount_to_mean": 2.0,
            },
            "unusual_region",
        ),
    ],
)
def test_each_shipped_rule_fires_on_what_it_is_for(row: dict[str, float], expected: str) -> None:
    fired = Controls.builtin().fired(payment(), row_with(**row))

    assert expected in [rule.name for rule in fired]


def test_no_shipped_rule_fires_on_a_first_or_an_everyday_payment() -> None:
    everyday = row_with(
        card_count_10m=1.0,
        card_count_1h=1.0,
        card_declines_1h=1.0,
        card_count_30d=30.0,
        card_amount_z=2.0,
        card_amount_to_max=0.9,
        card_failed_challenges_1d=1.0,
        device_cards_1h=2.0,
        customer_failed_sign_ins_1h=1.0,
        customer_device_seen=0.0,
    )

    assert Controls.builtin().fired(payment(), row_with()) == []
    assert Controls.builtin().fired(payment(), everyday) == []


@given(st.text("ab%_", max_size=8), st.text("ab", max_size=9))
def test_like_is_what_its_definition_says(pattern: str, text: str) -> None:
    def matches(pattern: str, text: str) -> bool:
        if not pattern:
            return not text
        if pattern[0] == "%":
            return matches(pattern[1:], text) or (bool(text) and matches(pattern, text[1:]))
        return bool(text) and pattern[0] in ("_", text[0]) and matches(pattern[1:], text[1:])

    assert bool(like_pattern(pattern).fullmatch(text)) == matches(pattern, text)


@pytest.mark.timeout(30)
def test_no_pattern_of_like_takes_a_time_that_grows_with_the_power_of_its_parts() -> None:
    assert not like_pattern("%_" * 60 + "%z").fullmatch("a" * 500)
