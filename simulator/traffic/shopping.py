"""Honest shopping: when people buy, where, and for how much."""

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from simulator.traffic.population import AWAY, MERCHANTS, UPI_SHOP, Person, Population
from simulator.traffic.steps import Planned, Purchase, SignIn

HOUR_WEIGHTS = (1, 1, 1, 1, 1, 2, 4, 7, 9, 10, 10, 11, 12, 10, 9, 9, 10, 11, 13, 14, 13, 10, 6, 3)
"""How busy each hour of the day is (UTC)."""

SIGN_IN_SHARE = 0.15
MISTYPED_SHARE = 0.12
MANUAL_CAPTURE_SHARE = 0.05
UPI_ADDRESSES = {"success@razorpay": 0.85, "failure@razorpay": 0.1, "poor@weir": 0.05}
"""Documented test addresses, whose payers answer at once, with how often each pays."""
ABROAD_SHARE = 0.02
NEW_DEVICE_SHARE = 0.02


def moment(draw: random.Random, start: datetime, days: float) -> datetime:
    """A time within the span at which people are awake."""
    day = timedelta(days=draw.randrange(max(1, int(days))))
    hour = draw.choices(range(24), HOUR_WEIGHTS)[0]
    return start + day + timedelta(hours=hour, microseconds=draw.randrange(3_600_000_000))


def amount_minor(draw: random.Random, merchant: int, factor: float = 1.0) -> int:
    """An amount of a merchant's usual kind, at least one major unit."""
    shop = MERCHANTS[merchant]
    return max(100, round(shop.typical_minor * factor * draw.lognormvariate(0, shop.spread)))


def purchase(draw: random.Random, person: Person, merchant: int, at: datetime, story: str = "") -> Purchase:
    """What a person ordinarily does."""
    return Purchase(
        at=at,
        actor=person.name,
        story=story,
        merchant=merchant,
        amount_minor=amount_minor(draw, merchant, person.generosity),
        card=person.cards[0] if draw.random() < 0.85 else person.cards[-1],
        device=person.devices[0] if draw.random() < 0.8 else person.devices[-1],
        ip=draw.choice(person.addresses),
        email=person.email,
        user_agent=person.user_agent,
        customer=person.name,
        billing_country=person.country,
        shipping_country=person.country,
        items=1 + int(draw.expovariate(0.8)),
        manual_capture=draw.random() < MANUAL_CAPTURE_SHARE,
    )


def honest(
    draw: random.Random, population: Population, count: int, start: datetime, days: float
) -> Iterator[Planned]:
    """`count` honest purchases, some after a sign-in, a few from abroad or from a new device."""
    people = draw.choices(population.people, [person.rate for person in population.people], k=count)
    for number, person in enumerate(people):
        merchant, at = draw.choice(person.favorites), moment(draw, start, days)
        bought = purchase(draw, person, merchant, at, f"honest {number}")
        if draw.random() < ABROAD_SHARE:
            bought = replace(bought, ip=population.address(population.place(AWAY)))
        if draw.random() < NEW_DEVICE_SHARE:
            bought = replace(bought, device=population.device())
        if draw.random() < SIGN_IN_SHARE:
            yield from sign_ins_before(draw, bought)
        yield bought


def by_upi(
    draw: random.Random, population: Population, count: int, start: datetime, days: float
) -> Iterator[Planned]:
    """`count` honest purchases that are approved, or not, in the payer's app."""
    for number, person in enumerate(draw.choices(population.people, k=count)):
        bought = purchase(draw, person, UPI_SHOP, moment(draw, start, days), f"upi {number}")
        address = draw.choices(tuple(UPI_ADDRESSES), tuple(UPI_ADDRESSES.values()))[0]
        yield replace(bought, vpa=address, manual_capture=False)


def sign_ins_before(draw: random.Random, bought: Purchase) -> Iterator[SignIn]:
    """A shopper signs in first, now and then after a mistyped password."""
    if draw.random() < MISTYPED_SHARE:
        yield sign_in(bought, seconds_before=90, succeeded=False)
    yield sign_in(bought, seconds_before=60, succeeded=True)


def sign_in(bought: Purchase, *, seconds_before: float, succeeded: bool) -> SignIn:
    """A sign-in by whoever makes the purchase."""
    return SignIn(
        at=bought.at - timedelta(seconds=seconds_before),
        actor=bought.actor,
        story=bought.story,
        merchant=bought.merchant,
        customer=bought.customer or bought.email,
        device=bought.device,
        ip=bought.ip,
        email=bought.email,
        succeeded=succeeded,
    )
