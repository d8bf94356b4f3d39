"""Populations of cards as rows of the engine's state, made without the engine, and the payments they come of.

Each card paid 20 times in 30 days, from a device, an address and an email of its own, at eight merchants of
its town. A town of 10,000 cards and 200 merchants is made at once, from its own seed: any number of cards is
so many towns, and no more than one town is in memory. The rows are those that the engine makes of the same
payments, byte for byte: statistics follow the engine's formulas in its order, all entities side by side.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from bench.running_amounts import RunningAmounts
from models.histories import Trace
from models.intake import note_at_merchant
from models.merchants import MerchantProfile
from models.observations import Observation
from models.profiles import CardProfile, CustomerProfile, SharedProfile
from models.state import Remembered
from models.visits import EXPLAINED_COUNT_1H
from models.windows import DAY_US, HOUR_US, MINUTE_US, SECOND_US, Window

TOWN_CARDS, TOWN_MERCHANTS = 10_000, 200
FAVORITES = 8
PAYMENTS_PER_CARD, DAYS = 20, 30
AGAIN_SHARE, AGAIN_WITHIN_US = 0.2, 15 * MINUTE_US
"""So many payments follow the card's last within minutes, or no hour would ever hold three."""
COUNTRIES = ("DE", "FR", "IN", "US", "GB", "NL", "ES", "BR")
START_US = 1_767_225_600 * SECOND_US
"""2026-01-01: the first payment is made then, the last before `END_US`."""
END_US = START_US + DAYS * DAY_US

Integers = npt.NDArray[np.int64]
StateRow = tuple[str, bytes]

_encode = msgspec.msgpack.Encoder().encode


def surrogate(kind: str, town: int, number: int) -> str:
    """As long as true ones, and in the order of the towns, so that rows are written in that of their keys."""
    return f"{kind}_{town:06x}{number * 0x9E3779B1 % 2**32:08x}{number:08x}"


@dataclass(frozen=True)
class Population:
    """So many cards in towns of `town_cards`, whose last town may be smaller."""

    cards: int
    seed: int = 1
    town_cards: int = TOWN_CARDS

    def town(self, number: int) -> "Town":
        """The town with its number, from 0."""
        cards = min(self.town_cards, self.cards - number * self.town_cards)
        return Town(number, cards, np.random.default_rng((self.seed, number)))

    def towns(self) -> Iterator["Town"]:
        """One after the other."""
        for number in range(-(-self.cards // self.town_cards)):
            yield self.town(number)

    def rows(self, *, payments: bool) -> Iterator[StateRow]:
        """All rows, town by town and in the order of their keys in each; with `payments`, those too."""
        for town in self.towns():
            yield from sorted(town.rows(payments=payments))


class Town:
    """What the cards of one town paid; arrays are cards × payments, each card's in the order of time."""

    def __init__(self, number: int, cards: int, random: np.random.Generator) -> None:
        shape = (cards, PAYMENTS_PER_CARD)
        self.number, self.cards = number, cards
        self.times = _times(random, shape)
        usual = random.uniform(6.0, 9.0, (cards, 1))
        self.amounts = np.exp(random.normal(usual, 0.6, shape)).astype(np.int64) + 1
        favorites = random.integers(0, TOWN_MERCHANTS, (cards, FAVORITES))
        self.merchants = np.take_along_axis(favorites, random.integers(0, FAVORITES, shape), axis=1)

    def observations(self) -> Iterator[Observation]:
        """The payments in the order of time."""
        for place in self._order.tolist():
            card, turn = divmod(place, PAYMENTS_PER_CARD)
            yield self.observation(
                card,
                self._payment_id(place),
                int(self.times[card, turn]),
                int(self.amounts[card, turn]),
                int(self.merchants[card, turn]),
            )

    def observation(
        self, card: int, payment_id: str, at_us: int, amount_minor: int, merchant: int
    ) -> Observation:
        """A payment of this card, from the device, address and email that are its own."""
        return Observation(
            payment_id=payment_id,
            occurred_at_us=at_us,
            amount_minor=amount_minor,
            currency="EUR",
            card=self.named("card", card),
            device=self.named("device", card),
            ip=self.named("ip", card),
            email=self.named("email", card),
            merchant=self.named("merchant", merchant),
            ip_country=_country(card),
        )

    def named(self, kind: str, number: int) -> str:
        """The surrogate of one of this town's entities."""
        return surrogate(kind, self.number, number)

    def rows(self, *, payments: bool) -> Iterator[StateRow]:
        """The rows of cards, devices, addresses, emails and merchants; of the payments where asked for."""
        amounts = RunningAmounts(self.amounts)
        yield from self._own_rows(amounts)
        yield from self._merchant_rows()
        if payments:
            yield from self._payment_rows(amounts)

    def _own_rows(self, amounts: RunningAmounts) -> Iterator[StateRow]:
        totals = np.cumsum(self.amounts, axis=1).tolist()
        paid = zip(
            self.times.tolist(),
            totals,
            self.merchants.tolist(),
            amounts.ends(),
            strict=True,
        )
        for card, (times, total, merchants, end) in enumerate(paid):
            name, device, last_us = self.named("card", card), self.named("device", card), times[-1]
            email = self.named("email", card)
            trace, cards = _trace(times, total), {name: last_us}
            devices, countries = {device: last_us}, {_country(card): last_us}
            own = CardProfile(
                amounts=end,
                trace=trace,
                devices=devices,
                ip_countries=countries,
                **_visits(self, merchants, times),
            )
            customer = CustomerProfile(
                amounts=end, trace=trace, cards=cards, devices=devices, ip_countries=countries
            )
            shared = _encode(SharedProfile(trace=trace, cards=cards))
            yield f"card/{name}", _encode(own)
            yield f"customer/{email}", _encode(customer)
            yield f"device/{device}", shared
            yield f"ip/{self.named('ip', card)}", shared

    def _merchant_rows(self) -> Iterator[StateRow]:
        """Merchants with many payments go the engine's own way: their windows are thinned."""
        profiles: dict[int, MerchantProfile] = {}
        times, amounts, merchants = (each.ravel()[self._order] for each in self._paid)
        for at_us, amount, merchant in zip(times.tolist(), amounts.tolist(), merchants.tolist(), strict=True):
            profile = profiles.get(merchant)
            if profile is None:
                profile = profiles[merchant] = MerchantProfile()
            note_at_merchant(profile, at_us, amount)
        for merchant, profile in profiles.items():
            yield f"merchant/{self.named('merchant', merchant)}", _encode(profile)

    def _payment_rows(self, amounts: RunningAmounts) -> Iterator[StateRow]:
        many = np.zeros(self.times.shape, bool)
        behind = self.times[:, EXPLAINED_COUNT_1H:] - self.times[:, :-EXPLAINED_COUNT_1H]
        many[:, EXPLAINED_COUNT_1H:] = behind < HOUR_US
        explained = (many | amounts.unusual).ravel().tolist()
        times, _, merchants = (each.ravel().tolist() for each in self._paid)
        for card in range(self.cards):
            own, device, ip, email = (self.named(kind, card) for kind in ("card", "device", "ip", "email"))
            for place in range(card * PAYMENTS_PER_CARD, (card + 1) * PAYMENTS_PER_CARD):
                entities = own, device, ip, email, self.merchant_names[merchants[place]]
                remembered = Remembered(times[place], entities, explained[place])
                yield f"payment/{self._payment_id(place)}", _encode(remembered)

    @property
    def _paid(self) -> tuple[Integers, Integers, Integers]:
        return self.times, self.amounts, self.merchants

    @cached_property
    def merchant_names(self) -> list[str]:
        """The surrogates of the town's merchants, by their numbers."""
        return [self.named("merchant", number) for number in range(TOWN_MERCHANTS)]

    @cached_property
    def _order(self) -> Integers:
        return np.argsort(self.times.ravel(), kind="stable")

    def _payment_id(self, place: int) -> str:
        return surrogate("pi", self.number, place)


def live_observations(population: Population, count: int, seed: int = 7) -> list[Observation]:
    """What random cards of the population pay next, a millisecond apart, at their town's merchants."""
    random = np.random.default_rng(seed)
    cards = np.sort(random.integers(0, population.cards, count))
    made: list[Observation] = []
    for number, card in enumerate(cards.tolist()):
        place, own = divmod(card, population.town_cards)
        made.append(_next(place, own, f"pi_live_{number:016x}", random))
    random.shuffle(made)
    times = (END_US + number * 1_000 for number in range(count))
    return [msgspec.structs.replace(each, occurred_at_us=at) for each, at in zip(made, times, strict=True)]


def _next(town: int, card: int, payment_id: str, random: np.random.Generator) -> Observation:
    return Observation(
        payment_id=payment_id,
        occurred_at_us=END_US,
        amount_minor=int(random.lognormal(7.5, 1.0)) + 1,
        currency="EUR",
        card=surrogate("card", town, card),
        device=surrogate("device", town, card),
        ip=surrogate("ip", town, card),
        email=surrogate("email", town, card),
        merchant=surrogate("merchant", town, int(random.integers(0, TOWN_MERCHANTS))),
        ip_country=_country(card),
    )


def _country(card: int) -> str:
    return COUNTRIES[card % len(COUNTRIES)]


def _times(random: np.random.Generator, shape: tuple[int, int]) -> Integers:
    times = np.sort(random.integers(START_US, END_US, shape), axis=1)
    again = random.random(shape) < AGAIN_SHARE
    after = np.minimum(np.roll(times, 1, axis=1) + random.integers(0, AGAIN_WITHIN_US, shape), END_US - 1)
    again[:, 0] = False
    return np.sort(np.where(again, after, times), axis=1)


def _trace(times: list[int], totals: list[int]) -> Trace:
    return Trace(payments=Window(times=times, totals=totals), first_us=times[0], last_us=times[-1])


def _visits(town: Town, merchants: list[int], times: list[int]) -> dict[str, Any]:
    """The card's merchants, the one seen last at the end, and the times at which each was new."""
    seen: dict[int, int] = {}
    new: list[int] = []
    for merchant, at_us in zip(merchants, times, strict=True):
        if seen.pop(merchant, None) is None:
            new.append(at_us)
        seen[merchant] = at_us
    named = {town.merchant_names[merchant]: at_us for merchant, at_us in seen.items()}
    return {"merchants": named, "new_merchants": Window(times=new, totals=list(range(1, len(new) + 1)))}
