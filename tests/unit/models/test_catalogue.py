"""Each value of a row stands under its own name: the catalogue is counted again, naively, from the facts."""

import random
from collections.abc import Sequence
from functools import cache

import pytest
from hypothesis import given, settings

from models.controls import Controls
from models.engine import Engine
from models.feature import Row
from models.features import CATALOGUE, POSITIONS
from models.observations import Challenge, ChallengeResult, Decline, Increment, Label, Observation, SignIn
from models.windows import DAY_US, HOUR_US, MINUTE_US
from tests.unit.models.drawn_facts import drawn_facts_told_once
from tests.unit.models.recount import Fact, Recounter, Values
from tests.unit.models.sample_payments import START_US

NOT_RECOUNTED = {
    # The model's own answer, not a count; the tests of the boosting compare it with scikit-learn's.
    "boosting_logit": "test_boosting.py",
}
PAYMENTS = 500
COMPARED = 140
"""The last payments of the history, which have the longest past."""


def in_reference(seen: Observation) -> int | None:
    """Euros stay, pounds have a rate, and nobody knows the rate of the Zambian kwacha."""
    factor = {"EUR": 1.0, "GBP": 1.15}.get(seen.currency)
    return None if factor is None else round(seen.amount_minor * factor)


@cache
def history() -> list[Fact]:
    """Thirty-five days and more of bursts and pauses: three cards on a few devices at a few shops."""
    chance = random.Random(20)
    facts: list[Fact] = []
    now_us = START_US
    for number in range(PAYMENTS):
        now_us += chance.choice((2 * MINUTE_US, 7 * MINUTE_US, 25 * MINUTE_US, 3 * HOUR_US, 8 * HOUR_US))
        facts += _others(chance, number, now_us)
        facts.append(_payment(chance, number, now_us + chance.randrange(MINUTE_US)))
    return facts


def _payment(chance: random.Random, number: int, at_us: int) -> Observation:
    def one(name: str, count: int, missing: float = 0.05) -> str | None:
        weights = [1 / (place + 1) for place in range(count)]
        (place,) = chance.choices(range(count), weights)
        return None if chance.random() < missing else f"{name}_{place}"

    amount = chance.choice((900, 2_500, 4_200)) + chance.randrange(800)
    return Observation(
        payment_id=f"pi_{number}",
        occurred_at_us=at_us,
        amount_minor=amount * (20 if chance.random() < 0.04 else 1),
        currency=chance.choices(("EUR", "GBP", "ZMW"), (8, 3, 1))[0],
        merchant=one("shop", 12),
        merchant_category=one("category", 3),
        merchant_country=one("A", 3),
        card=one("card", 4),
        card_country=one("B", 3),
        card_funding=one("funding", 3),
        card_brand=one("brand", 3),
        device=one("device", 6),
        ip=one("ip", 9),
        email=one("email", 4),
        customer=one("customer", 5, missing=0.3),
        ip_country=one("B", 4),
        billing_country=one("B", 3),
        shipping_country=one("B", 3),
        item_count=chance.choice((None, 1, 2, 5)),
    )


def _others(chance: random.Random, number: int, now_us: int) -> list[Fact]:
    """What happens between two payments: declines, challenges, sign-ins, labels of payments without one."""
    facts: list[Fact] = []
    if number and chance.random() < 0.3:
        declined = Decline(
            payment_id=f"pi_{number - 1}",
            attempt=1,
            occurred_at_us=now_us - 1,
            reason="declined",
            lapsed=not number % 4,
        )
        facts.append(declined)
    facts += _challenges(chance, number, now_us)
    facts += _increments(facts, number)
    for entity in ("customer", "device", "ip"):
        if chance.random() < 0.35:
            key = f"{entity}_{chance.randrange(3)}"
            facts.append(
                SignIn(occurred_at_us=now_us - 1, succeeded=chance.random() < 0.2, **{entity: key})  # type: ignore[arg-type]  # a keyword by its name
            )
    if number >= 40:
        facts.append(
            Label(
                payment_id=f"pi_{number - 40}",
                arrived_at_us=now_us - 1,
                kind="analyst_verdict",
                source="test",
                fraud=chance.random() < 0.45,
            )
        )
    return facts


def _challenges(chance: random.Random, number: int, now_us: int) -> list[Fact]:
    """Some twice, some late, some of another card than the payment was asked about."""
    if number < 3 or chance.random() < 0.3:
        return []
    results: tuple[ChallengeResult, ...] = ("failed", "abandoned", "passed")
    challenged = Challenge(
        payment_id=f"pi_{number - 3}",
        attempt=1,
        occurred_at_us=now_us - chance.choice((1, 1, 5 * HOUR_US)),
        result=chance.choices(results, (2, 2, 3))[0],
        card=chance.choice((None, "card_0", "card_2")),
    )
    return [challenged] * chance.choice((1, 1, 2))


def _increments(facts: list[Fact], number: int) -> list[Fact]:
    """Of every third payment, soon after it or much later; some twice, some told again."""
    paid = {fact.payment_id: fact for fact in facts if isinstance(fact, Observation)}
    told: list[Fact] = []
    for before, times in ((1, 1), (2, 2), (9, 1)):
        seen = paid.get(f"pi_{number - before}")
        if seen is not None and (number - before) % 3 == 0:
            amount_minor = seen.amount_minor + 40 * before
            more_minor = {1: 40, 2: 40, 9: 280}[before]
            increment = Increment(
                payment_id=seen.payment_id,
                attempt=1,
                amount_minor=amount_minor,
                more_minor=more_minor,
                currency=seen.currency,
            )
            told += [increment] * times
    return told


@cache
def rows() -> list[Row]:
    """The rows that the engine made of the history's last payments."""
    assessments = Engine(Controls.builtin()).assess(history())
    return [assessment.features for assessment in assessments[-COMPARED:]]


@cache
def recounted() -> list[Values]:
    """The same rows by the plain recount."""
    recounter = Recounter(history(), in_reference)
    return [recounter.row(payment_id) for payment_id in list(recounter.payments)[-COMPARED:]]


@pytest.mark.parametrize("name", [name for name in POSITIONS if name not in NOT_RECOUNTED])
def test_a_value_is_what_a_plain_recount_gives_for_its_name(name: str) -> None:
    found = [row[POSITIONS[name]] for row in rows()]
    expected = [values.get(name) for values in recounted()]

    for got, wanted in zip(found, expected, strict=True):
        if wanted is None or isinstance(wanted, str):
            assert got == wanted
        else:
            assert got == pytest.approx(float(wanted), rel=1e-9, abs=1e-9)


@settings(deadline=None)
@given(drawn_facts_told_once())
def test_every_value_is_that_of_a_plain_recount_with_late_and_equal_times_and_clocks_that_run_backwards(
    facts: Sequence[Fact],
) -> None:
    recounter = Recounter(facts, in_reference)
    answers = Engine(Controls.builtin()).assess(facts)

    for answer in answers:
        wanted = recounter.row(answer.payment_id)
        for name, place in POSITIONS.items():
            expected = wanted.get(name)
            if isinstance(expected, int | float):
                assert answer.features[place] == pytest.approx(float(expected), rel=1e-6, abs=1e-9), name
            elif name not in NOT_RECOUNTED:
                assert answer.features[place] == expected, name


def test_every_feature_is_recounted_or_covered_by_a_test_of_its_own() -> None:
    everything = {name for values in recounted() for name in values}

    assert everything | set(NOT_RECOUNTED) == set(POSITIONS)
    assert everything.isdisjoint(NOT_RECOUNTED)


def test_any_two_features_differ_in_some_row_so_that_none_can_stand_in_for_another() -> None:
    columns: dict[tuple[object, ...], list[str]] = {}
    for place, feature in enumerate(CATALOGUE):
        columns.setdefault(tuple(row[place] for row in rows()), []).append(feature.name)

    assert [names for names in columns.values() if len(names) > 1] == []


def test_the_history_is_longer_than_the_longest_window() -> None:
    paid = [fact.occurred_at_us for fact in history() if isinstance(fact, Observation)]

    assert paid[-COMPARED] - paid[0] > 32 * DAY_US
