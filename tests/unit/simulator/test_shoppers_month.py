"""A simulated month: whose, when, and what each fraud scenario looks like."""

import itertools
import random
from datetime import timedelta
from ipaddress import ip_address, ip_network

import pytest
from stdnum import luhn

from gateway.paying_accounts import TEST_ADDRESSES
from simulator.traffic import scenarios
from simulator.traffic.month import DAYS, START, Month, plan
from simulator.traffic.population import BUST_OUT, CHALLENGED_CARDS, MERCHANTS, UPI_SHOP, Population
from simulator.traffic.steps import SCENARIOS, Purchase, SignIn

BENCHMARK_BLOCK = ip_network("198.18.0.0/15")


@pytest.fixture(scope="module")
def month() -> Month:
    return plan(seed=7, purchases=2_000)


def purchases(month: Month, scenario: str | None) -> list[Purchase]:
    return [step for step in month.steps if isinstance(step, Purchase) and step.scenario == scenario]


def episodes(month: Month, scenario: str) -> list[list[Purchase]]:
    """The purchases of a scenario, by who acts."""
    ordered = sorted(purchases(month, scenario), key=lambda step: (step.actor, step.at))
    return [list(group) for _, group in itertools.groupby(ordered, key=lambda step: step.actor)]


def test_the_same_seed_brings_the_same_month_and_another_seed_another() -> None:
    assert plan(1, 200).steps == plan(1, 200).steps
    assert plan(1, 200).steps != plan(2, 200).steps


def test_steps_come_in_order_and_within_about_thirty_days(month: Month) -> None:
    times = [step.at for step in month.steps]

    assert times == sorted(times)
    assert times[0] >= START - timedelta(hours=1)
    assert times[-1] <= START + timedelta(days=DAYS + 1)
    assert (times[-1] - times[0]).days >= 28


@pytest.mark.parametrize("count", [1, 15, 2_000])
def test_every_scenario_is_there_however_small_the_month(count: int) -> None:
    month = plan(3, count)

    found = {step.scenario for step in month.steps if isinstance(step, Purchase)}
    assert found == {None, *SCENARIOS}
    assert count <= month.purchases <= max(20, count * 1.05)


def test_a_few_honest_shoppers_pay_the_indian_merchant_from_their_upi_app(month: Month) -> None:
    by_upi = [step for step in purchases(month, None) if step.vpa is not None]

    assert 0 < len(by_upi) < month.purchases / 50
    assert {(MERCHANTS[step.merchant].country, step.currency) for step in by_upi} == {("IN", "INR")}
    assert {step.vpa for step in by_upi} <= TEST_ADDRESSES
    assert {step.merchant for step in month.steps} - {UPI_SHOP} == set(range(UPI_SHOP))
    assert all(step.vpa for step in purchases(month, None) if step.merchant == UPI_SHOP)


def test_card_numbers_are_well_formed_and_addresses_from_the_block_for_tests(month: Month) -> None:
    for step in month.steps:
        assert ip_address(step.ip) in BENCHMARK_BLOCK
        assert step.email.endswith(("@example.com", "@example.net"))
        if isinstance(step, Purchase):
            assert luhn.is_valid(step.card.number)
            assert step.amount_minor > 0


def test_no_card_number_shows_in_what_a_step_prints(month: Month) -> None:
    step = purchases(month, None)[0]

    assert step.card.number not in repr(step)


def test_card_testing_tries_many_cards_from_one_device_in_minutes(month: Month) -> None:
    for tried in episodes(month, "card_testing"):
        assert len({step.card.number for step in tried}) == len(tried)
        assert len({step.device for step in tried}) == 1
        assert max(step.amount_minor for step in tried) < 500
        assert tried[-1].at - tried[0].at < timedelta(minutes=15)


def test_a_spree_takes_one_known_card_to_several_merchants_within_hours(month: Month) -> None:
    honest_cards = {step.card.number for step in purchases(month, None)}
    sprees = episodes(month, "stolen_card_spree")

    assert any(len({step.merchant for step in spree}) >= 2 for spree in sprees)
    for spree in sprees:
        assert {step.card.number for step in spree} <= honest_cards | {spree[0].card.number}
        assert len({step.card.number for step in spree}) == 1
        assert spree[-1].at - spree[0].at < timedelta(hours=7)


def test_a_takeover_pays_with_the_victims_card_after_failed_sign_ins(month: Month) -> None:
    for taken in episodes(month, "account_takeover"):
        before = [
            step
            for step in month.steps
            if isinstance(step, SignIn) and step.device == taken[0].device and step.at <= taken[0].at
        ]
        assert sum(not step.succeeded for step in before) >= 5
        assert before[-1].succeeded
        assert taken[0].customer == before[-1].customer


def test_codes_are_guessed_and_given_up_before_the_same_device_tries_cards_that_need_none(
    month: Month,
) -> None:
    for tried in episodes(month, "code_guessing"):
        assert [step.if_challenged for step in tried[:3]] == ["wrong_code", "wrong_code", "leaves"]
        assert {step.card.number for step in tried[:3]} <= set(CHALLENGED_CARDS)
        assert {step.card.number for step in tried[3:]}.isdisjoint(CHALLENGED_CARDS)
        assert len({step.device for step in tried}) == 1
        assert tried[-1].at - tried[0].at < timedelta(days=1)


def test_no_thief_knows_the_code_and_every_cardholder_does(month: Month) -> None:
    told = {
        (step.scenario in (None, "friendly_fraud", "card_testing"), step.if_challenged == "right_code")
        for step in month.steps
        if isinstance(step, Purchase)
    }

    assert told == {(True, True), (False, False)}


def test_the_bust_out_happens_at_one_merchant_after_three_weeks(month: Month) -> None:
    charged = purchases(month, "bust_out_merchant")

    assert {step.merchant for step in charged} == {BUST_OUT}
    assert charged[0].at > START + timedelta(days=20)
    typical = MERCHANTS[BUST_OUT].typical_minor
    assert min(step.amount_minor for step in charged) >= 5 * typical
    assert any(step.merchant == BUST_OUT for step in purchases(month, None))


@pytest.mark.parametrize("scenario", [name for name in SCENARIOS if name != "bust_out_merchant"])
def test_a_scenario_comes_early_and_late_so_that_what_was_learned_can_help(
    month: Month, scenario: str
) -> None:
    days = [(step.at - START).days for step in purchases(month, scenario)]

    assert min(days) < DAYS / 2 < max(days)
    assert len(episodes(month, scenario)) >= 3


def test_a_merchant_busts_out_more_than_once(month: Month) -> None:
    charged = purchases(month, "bust_out_merchant")

    assert charged[-1].at - charged[0].at > timedelta(days=4)


def test_friendly_fraud_looks_like_the_shopper_it_comes_from() -> None:
    population = Population(5, 50)
    (bought,) = scenarios.friendly_fraud(random.Random(1), population, START, DAYS, 9)

    assert isinstance(bought, Purchase)
    person = next(person for person in population.people if person.name == bought.actor)
    assert bought.device in person.devices
    assert bought.card in person.cards
    assert bought.ip in person.addresses
