"""Fraud as it happens: six named scenarios, each a story in purchases and sign-ins with true spacing."""

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from simulator.traffic.population import AWAY, BUST_OUT, MERCHANTS, TESTING_GROUND, Person, Population
from simulator.traffic.shopping import amount_minor, moment, purchase, sign_in
from simulator.traffic.steps import Planned, Purchase, Scenario

CODES_GUESSED = 2
"""So many challenges are failed before one is given up."""

Story = Callable[[random.Random, Population, datetime, float, int], Iterator[Planned]]
"""(randomness, people, start, days, purchases at most) → the steps of one episode."""


def card_testing(
    draw: random.Random, population: Population, start: datetime, days: float, count_max: int
) -> Iterator[Planned]:
    """A list of stolen numbers tried in minutes, for small amounts, from one device at one merchant."""
    place = population.place(AWAY)
    device, ip, at = population.device(), population.address(place), moment(draw, start, days)
    for number in range(min(count_max, draw.randint(12, 30))):
        at += timedelta(seconds=draw.uniform(4, 25))
        yield Purchase(
            at=at,
            actor=device,
            story="",
            merchant=TESTING_GROUND,
            amount_minor=draw.choice((100, 100, 150, 200, 299)),
            card=population.card(population.place(AWAY)),
            device=device,
            ip=ip,
            email=f"{device}.{number}@example.net",
            user_agent="python-requests/2.31",
            customer=None,
            billing_country=place.country,
            shipping_country=place.country,
            scenario="card_testing",
        )


def stolen_card_spree(
    draw: random.Random, population: Population, start: datetime, days: float, count_max: int
) -> Iterator[Planned]:
    """One stolen card, from a strange device abroad, at many merchants in hours, for what sells again."""
    victim = draw.choice(population.people)
    device, ip = population.device(), population.address(population.place(AWAY))
    at = moment(draw, start, days)
    for _ in range(min(count_max, draw.randint(4, 9))):
        at += timedelta(minutes=draw.uniform(4, 40))
        merchant = draw.choice((3, 3, 4, 5, 9))
        yield replace(
            purchase(draw, victim, merchant, at),
            actor=device,
            card=victim.cards[0],
            device=device,
            ip=ip,
            email=f"{device}@example.net",
            customer=None,
            amount_minor=amount_minor(draw, merchant, 2.0),
            shipping_country=draw.choice(AWAY).country,
            manual_capture=False,
            if_challenged="wrong_code",
            scenario="stolen_card_spree",
        )


def account_takeover(
    draw: random.Random, population: Population, start: datetime, days: float, count_max: int
) -> Iterator[Planned]:
    """Failed sign-ins until one succeeds, then purchases with the victim's own card, sent elsewhere."""
    victim = draw.choice(population.people)
    place = population.place(AWAY)
    at = moment(draw, start, days)
    first = replace(
        purchase(draw, victim, draw.choice((3, 4, 6)), at),
        actor=f"{victim.name} taken over",
        device=population.device(),
        ip=population.address(place),
        shipping_country=place.country,
        manual_capture=False,
        if_challenged="wrong_code",
        scenario="account_takeover",
    )
    for failure in range(draw.randint(6, 14), 0, -1):
        yield sign_in(first, seconds_before=60 + 20 * failure, succeeded=False)
    yield sign_in(first, seconds_before=45, succeeded=True)
    for _ in range(min(count_max, draw.randint(2, 5))):
        yield replace(first, at=at, amount_minor=amount_minor(draw, first.merchant, 3.0))
        at += timedelta(minutes=draw.uniform(2, 15))


def code_guessing(
    draw: random.Random, population: Population, start: datetime, days: float, count_max: int
) -> Iterator[Planned]:
    """Stolen cards whose issuers ask for a code: it is guessed, or given up; then cards that need none."""
    device, ip = population.device(), population.address(population.place(AWAY))
    others = population.people[len(population.challenged) :]
    at = moment(draw, start, days)
    for number in range(min(count_max, draw.randint(5, 7))):
        at += timedelta(minutes=draw.uniform(3, 15))
        merchant = draw.choice((3, 4, 5))
        victim = draw.choice(population.challenged if number < CODES_GUESSED + 1 else others)
        yield replace(
            purchase(draw, victim, merchant, at),
            actor=device,
            card=victim.cards[0],
            device=device,
            ip=ip,
            email=f"{device}@example.net",
            customer=None,
            shipping_country=draw.choice(AWAY).country,
            manual_capture=False,
            if_challenged="wrong_code" if number < CODES_GUESSED else "leaves",
            scenario="code_guessing",
        )


def bust_out_merchant(
    draw: random.Random, population: Population, start: datetime, _days: float, count_max: int
) -> Iterator[Planned]:
    """A merchant with a fair name charges the cards it knows, high and fast, within a day or two."""
    at = start + timedelta(hours=draw.uniform(0, 24))
    known = [person for person in population.people if BUST_OUT in person.favorites]
    for _ in range(min(count_max, draw.randint(15, 30))):
        at += timedelta(minutes=draw.expovariate(1 / 60))
        victim: Person = draw.choice(known or population.people)
        yield replace(
            purchase(draw, victim, BUST_OUT, at),
            amount_minor=round(MERCHANTS[BUST_OUT].typical_minor * draw.uniform(5, 9)),
            manual_capture=False,
            if_challenged="leaves",
            scenario="bust_out_merchant",
        )


def friendly_fraud(
    draw: random.Random, population: Population, start: datetime, days: float, _count_max: int
) -> Iterator[Planned]:
    """An ordinary purchase by the card's own holder, who later denies it."""
    person = draw.choice(population.people)
    bought = purchase(draw, person, draw.choice((3, 4, 6)), moment(draw, start, days))
    yield replace(bought, manual_capture=False, scenario="friendly_fraud")


STORIES: dict[Scenario, Story] = {
    "card_testing": card_testing,
    "stolen_card_spree": stolen_card_spree,
    "account_takeover": account_takeover,
    "code_guessing": code_guessing,
    "bust_out_merchant": bust_out_merchant,
    "friendly_fraud": friendly_fraud,
}
SHARES: dict[Scenario, float] = {
    "card_testing": 0.06,
    "stolen_card_spree": 0.03,
    "account_takeover": 0.02,
    "code_guessing": 0.02,
    "bust_out_merchant": 0.02,
    "friendly_fraud": 0.005,
}
"""Share of each scenario's purchases in all: far more than in life, so that a minute shows every one."""

SPANS: dict[Scenario, tuple[float, float]] = {
    "card_testing": (0.03, 1.0),
    "stolen_card_spree": (0.1, 1.0),
    "account_takeover": (0.1, 1.0),
    "code_guessing": (0.1, 1.0),
    "bust_out_merchant": (0.68, 0.95),
    "friendly_fraud": (0.0, 1.0),
}
"""The part of the month in which it happens: who is robbed must have a history, who busts out a name."""
PURCHASES_USUAL: dict[Scenario, int] = {
    "card_testing": 20,
    "stolen_card_spree": 6,
    "account_takeover": 3,
    "code_guessing": 6,
    "bust_out_merchant": 15,
    "friendly_fraud": 1,
}
PURCHASES_LEAST: dict[Scenario, int] = {
    "card_testing": 7,
    "stolen_card_spree": 3,
    "account_takeover": 2,
    "code_guessing": 5,
    "bust_out_merchant": 3,
    "friendly_fraud": 1,
}
"""An episode of fewer purchases is not yet what its name says."""
EPISODES_MIN = 3


def fraud(
    draw: random.Random, population: Population, count: int, start: datetime, days: float
) -> Iterator[Planned]:
    """Episodes of every scenario until each has its share of `count` purchases, at least two of each.

    They are spread over the scenario's part of the month, so that labels of the early ones can teach.
    """
    for scenario, share in SHARES.items():
        wanted = max(2, round(count * share))
        first, last = (days * part for part in SPANS[scenario])
        episodes = max(
            1,
            min(
                wanted // PURCHASES_LEAST[scenario],
                max(EPISODES_MIN, round(wanted / PURCHASES_USUAL[scenario])),
            ),
        )
        slice_days, left, number = (last - first) / episodes, wanted, 0
        while left > 0:
            since = start + timedelta(days=first + slice_days * (number % episodes))
            count_max = -(-left // max(1, episodes - number))
            episode = list(STORIES[scenario](draw, population, since, slice_days, count_max))
            left -= sum(isinstance(step, Purchase) for step in episode)
            for step in episode:
                yield replace(step, story=f"{scenario} {number}")
            number += 1
