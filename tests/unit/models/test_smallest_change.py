"""The smallest change, held to brute force: every amount, count and presence, under costs and under rules."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace
from math import floor, isclose, log10
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.bins import EDGES
from models.controls import Controls
from models.costs import Costs, least, risk_score
from models.decision import combined, model_outcome
from models.explain.changes import Change, applied
from models.explain.counterfactuals import Turn, smallest_turn
from models.feature import Row, Value
from models.features import BY_NAME, POSITIONS
from models.observations import Observation
from models.odds import log_odds
from tests.unit.models.rows import row_with

BASE = Controls.builtin().only([])
AMOUNTS = range(1, 30_001)
COUNTS = range(61)
AT_US = 1_760_000_000_000_000
Size = tuple[float, float, float]


def probabilities(rows: Sequence[Row]) -> list[float]:
    """Another one in each sixth of a decade of the amount; in most a review begins to pay."""
    found = []
    for row in rows:
        sixth = floor(6 * log10(float(amount_of(row) or 1.0)))
        middle = 10 ** ((sixth + 0.5) / 6)
        pays = (325 + 0.0125 * middle) / (1225 + 0.8125 * middle)
        found.append(0.01 if sixth % 3 == 0 else pays)
    return found


def harmless(rows: Sequence[Row]) -> list[float]:
    return [0.001 for _ in rows]


def amount_of(row: Row) -> Value:
    return row[POSITIONS["amount_reference_minor"]]


def payment(
    amount: int, currency: str = "EUR", factor: float = 1.0, **values: Value
) -> tuple[Observation, Row]:
    observation = Observation(
        payment_id="pi_1", occurred_at_us=AT_US, amount_minor=amount, currency=currency, card="c"
    )
    reference = float(round(amount * factor))
    row = row_with(amount_minor=float(amount), currency=currency, amount_reference_minor=reference, **values)
    return observation, row


def ruled(when: str, action: str = "review") -> Controls:
    return BASE.changed("r", "rule", 1, {"action": action, "when": when})


def outcomes(
    changes: Sequence[Change], observation: Observation, row: Row, controls: Controls, score: Any
) -> list[tuple[str, float]]:
    """(outcome, log-odds) with each of the changes alone."""
    made = [applied([change], observation, row, controls.rates) for change in changes]
    given = score([row for _, row in made])
    return [
        (
            combined(controls.fired(seen, changed), model_outcome(p, risk_score(p), seen, controls)[0]),
            log_odds(p),
        )
        for (seen, changed), p in zip(made, given, strict=True)
    ]


def every(names: Sequence[str], observation: Observation, row: Row, controls: Controls) -> Iterator[Change]:
    """Every amount, every count of the names, and each of them unknown."""
    here = bisect_right(EDGES["money"], float(amount_of(row) or 0.0))
    for amount in AMOUNTS:
        change = Change("amount_minor", float(observation.amount_minor), float(amount), "", 0)
        _, moved = applied([change], observation, row, controls.rates)
        bins = abs(bisect_right(EDGES["money"], float(amount_of(moved) or 0.0)) - here)
        yield replace(change, bins=bins)
    for name in names:
        before, edges = row[POSITIONS[name]], EDGES[BY_NAME[name].kind]
        for count in COUNTS:
            bins = len(edges) + 1
            if isinstance(before, float):
                bins = abs(bisect_right(edges, count) - bisect_right(edges, before))
            yield Change(name, before, float(count), "", bins)
        yield Change(name, before, None, "", len(edges) + 1)


def size(change: Change, logit: float, start: float) -> Size:
    moved = 1.0
    if isinstance(change.before, float) and isinstance(change.after, float):
        moved = abs(change.after - change.before) / max(abs(change.before), 1.0)
    return change.bins, abs(logit - start), moved


def assert_smallest(
    observation: Observation, row: Row, controls: Controls, score: Any, names: Sequence[str] = ()
) -> Turn | None:
    """What is found turns, and nothing of all that there is turns and is smaller."""
    (outcome, start), *_ = outcomes(
        [Change("amount_minor", None, float(observation.amount_minor), "", 0)],
        observation,
        row,
        controls,
        score,
    )
    turn = smallest_turn(
        choice=outcome,  # type: ignore[arg-type]  # one of the choices
        observation=observation,
        row=row,
        controls=controls,
        probabilities=score,
    )
    changes = list(every(names, observation, row, controls))
    sizes = [
        size(change, logit, start)
        for change, (other, logit) in zip(
            changes, outcomes(changes, observation, row, controls, score), strict=True
        )
        if other != outcome
    ]
    if not sizes:
        return turn
    assert turn is not None
    assert len(turn.changes) == 1
    (turned, logit), *_ = outcomes(turn.changes, observation, row, controls, score)
    assert turned == turn.choice != outcome
    assert size(turn.changes[0], logit, start) <= min(sizes)
    return turn


def test_where_costs_decided_the_change_is_to_the_amount_at_which_they_are_equal() -> None:
    observation, row = payment(9_500)

    turn = assert_smallest(observation, row, BASE, lambda rows: [0.05 for _ in rows])

    assert turn is not None
    assert [(change.after, change.words, change.bins) for change in turn.changes] == [(9_377.0, "at most", 0)]
    assert turn.choice == "allow"


@pytest.mark.parametrize("amount", [12, 190, 600, 900, 2_400, 6_000, 9_500, 19_000])
def test_no_amount_nearer_by_turns_where_each_bin_has_its_own_probability(amount: int) -> None:
    observation, row = payment(amount)

    assert_smallest(observation, row, BASE, probabilities)


@pytest.mark.parametrize("amount", [700, 10_000, 25_000])
def test_nor_in_another_currency_whose_amounts_are_rounded(amount: int) -> None:
    rates = {"reference": "EUR", "rates": [{"currency": "JPY", "from_date": "2020-01-01", "rate": "0.00613"}]}
    controls = BASE.changed("rates", "rates", 1, rates)
    observation, row = payment(amount, "JPY", 0.613)

    assert_smallest(observation, row, controls, probabilities)


@pytest.mark.parametrize(
    ("when", "values"),
    [
        ("coalesce(card_count_1h, 0) >= 17", {"card_count_1h": 18.0}),
        ("card_count_1h + card_count_1d >= 40", {"card_count_1h": 18.0, "card_count_1d": 25.0}),
        ("card_count_1h * 2 - card_count_1d > 9", {"card_count_1h": 18.0, "card_count_1d": 25.0}),
        ("card_count_1d / card_count_1h < 2.5", {"card_count_1h": 18.0, "card_count_1d": 25.0}),
        ("abs(card_count_1h - 20) < 4", {"card_count_1h": 18.0}),
        ("abs(card_count_1h - 20) IN (1, 2)", {"card_count_1h": 18.0}),
        ("-card_count_1h < -17", {"card_count_1h": 22.0}),
        ("card_count_1h = 18", {"card_count_1h": 18.0}),
        ("amount_minor - 50 >= 8900 AND currency = 'EUR'", {}),
        ("amount_reference_minor > 2 * card_count_1h", {"card_count_1h": 18.0}),
        ("card_count_1h IS NULL", {}),
        ("card_count_1h IS NOT NULL", {"card_count_1h": 18.0}),
        ("coalesce(card_count_1h, 0) < 3", {}),
        ("card_count_1h IS NULL OR card_count_1h > 3", {}),
    ],
)
def test_no_change_is_smaller_under_a_rule(when: str, values: dict[str, Value]) -> None:
    observation, row = payment(9_000, **values)
    names = [name for name in ("card_count_1h", "card_count_1d") if name in when]

    assert ruled(when).fired(observation, row)
    assert assert_smallest(observation, row, ruled(when), harmless, names) is not None


def test_an_allow_that_a_rule_would_have_turned_is_turned_by_what_it_reads() -> None:
    observation, row = payment(9_000)
    controls = ruled("card_count_1h >= 3", "block")

    turn = assert_smallest(observation, row, controls, harmless, ["card_count_1h"])

    assert turn is not None
    assert [(change.after, change.words) for change in turn.changes] == [(3.0, "known, such as")]
    assert turn.choice == "block"


@pytest.mark.parametrize(
    ("when", "given_device", "words"),
    [("device IS NULL", None, "known"), ("device IS NOT NULL", "dev_1", "not known")],
)
def test_a_rule_on_an_unknown_entity_is_turned_by_knowing_it(
    when: str, given_device: str | None, words: str
) -> None:
    observation, row = payment(9_000)
    observation = msgspec.structs.replace(observation, device=given_device)

    turn = assert_smallest(observation, row, ruled(when), harmless)

    assert turn is not None
    assert [(change.name, change.words) for change in turn.changes] == [("device", words)]


@pytest.mark.parametrize(
    ("when", "values", "words"),
    [
        ("ip_country IS NULL", {}, "known"),
        ("ip_country IS NOT NULL", {"ip_country": "DE"}, "not known"),
        ("weekend IS NULL", {}, "known, such as"),
    ],
)
def test_so_is_one_on_an_unknown_text_or_flag(when: str, values: dict[str, Value], words: str) -> None:
    observation, row = payment(9_000, **values)

    turn = assert_smallest(observation, row, ruled(when), harmless)

    assert turn is not None
    assert [change.words for change in turn.changes] == [words]


shares = st.floats(0.0, 1.0)
amounts = st.floats(0.0, 5_000.0)


@settings(max_examples=40, deadline=None)
@given(
    costs=st.builds(
        Costs,
        fraud_loss_share=shares,
        chargeback_fee_minor=amounts,
        margin_share=shares,
        lost_customer_minor=amounts,
        review_minor=amounts,
        review_catch_rate=shares,
        review_false_decline_rate=shares,
        challenge_minor=st.none() | amounts,
        challenge_abandon_rate=shares,
        challenge_catch_rate=shares,
    ),
    probability=st.floats(0.001, 0.9),
)
def test_between_two_break_evens_the_least_cost_is_one_actions(costs: Costs, probability: float) -> None:
    edges = costs.break_evens_minor(probability)
    before, outcome = 1, least(costs.expected_minor(probability, 1))

    for amount in range(1, 30_000, 7):
        now = least(costs.expected_minor(probability, amount))
        if now != outcome:
            assert any(
                before <= edge <= amount
                or isclose(edge, amount, rel_tol=1e-6)
                or isclose(edge, before, rel_tol=1e-6)
                for edge in edges
            )
        before, outcome = amount, now
