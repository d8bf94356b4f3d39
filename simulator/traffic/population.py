"""Who shops, where, and with what: merchants, and shoppers with cards, devices, addresses and habits.

Everything is made from a seed. Card numbers carry prefixes of documented test cards, which tell a country;
IP addresses come from the block kept for benchmarks (RFC 2544), mail addresses from reserved domains.
"""

import random
from dataclasses import dataclass, field, replace

EXPIRY_YEAR = 2031


@dataclass(frozen=True)
class Merchant:
    """A shop. `typical_minor` is the median of its amounts, `spread` the deviation of their logarithm.

    `popularity` 0: nobody's favorite, it has shoppers of its own.
    """

    name: str
    category: str
    country: str
    currency: str
    typical_minor: int
    spread: float
    popularity: float


MERCHANTS: tuple[Merchant, ...] = (
    Merchant("Corner Grocery", "5411", "DE", "EUR", 3_200, 0.5, 10.0),
    Merchant("Paper Boat Books", "5942", "DE", "EUR", 2_400, 0.5, 4.0),
    Merchant("Ember Coffee", "5814", "FR", "EUR", 900, 0.4, 7.0),
    Merchant("Northlight Electronics", "5732", "DE", "EUR", 18_000, 0.8, 3.0),
    Merchant("Harbor Outfitters", "5651", "NL", "EUR", 7_500, 0.6, 4.0),
    Merchant("Tideway Travel", "4722", "NL", "EUR", 42_000, 0.7, 1.5),
    Merchant("Pixel Arcade", "5816", "FR", "EUR", 1_500, 0.6, 4.0),
    Merchant("Green Pharmacy", "5912", "DE", "EUR", 2_800, 0.5, 3.0),
    Merchant("Givewell Fund", "8398", "FR", "EUR", 2_000, 0.5, 1.0),
    Merchant("Second Hand Bazaar", "5931", "NL", "EUR", 5_200, 0.7, 2.0),
    Merchant("Monsoon Tea", "5499", "IN", "INR", 45_000, 0.5, 0.0),
)
TESTING_GROUND = 8
"""Index of the merchant at which card testers try their numbers: small amounts, no goods."""
UPI_SHOP = 10
"""Index of the merchant that is paid by UPI, which is there in India alone."""
BUST_OUT = 9
"""Index of the merchant that builds a name for three weeks and then charges whatever cards it knows."""


@dataclass(frozen=True)
class Place:
    """A country as the simulation knows it: card ranges made up for tests, and a block of test addresses.

    The block is `198.18.X.0` for 16 values of X from `block` on.
    """

    country: str
    weight: float
    card_prefixes: tuple[str, ...]
    block: int


HOMES: tuple[Place, ...] = (
    Place("DE", 5.0, ("40000276", "55550276"), 112),
    Place("FR", 3.0, ("40000250", "55550250"), 128),
    Place("GB", 2.0, ("40000826",), 96),
    Place("NL", 1.0, ("40000528",), 144),
)
AWAY: tuple[Place, ...] = (
    Place("US", 2.0, ("40000840",), 64),
    Place("BR", 1.0, ("40000076",), 192),
    Place("SG", 1.0, ("40000702",), 160),
    Place("AE", 1.0, ("40000784",), 176),
)
CHALLENGED_CARDS = ("4000002760003184", "4000000000003220")
"""Documented test cards whose issuers ask every payer for a code; the first people have one each."""
BROWSERS = ("Mozilla/5.0 (X11; Linux x86_64)", "Mozilla/5.0 (iPhone)", "Mozilla/5.0 (Windows NT 10.0)")


@dataclass(frozen=True)
class Card:
    """A card number with its date and code; it goes to the tokens endpoint and nowhere else."""

    number: str = field(repr=False)
    expiry_month: int
    cvc: str = field(repr=False)


@dataclass(frozen=True)
class Person:
    """A shopper: cards, devices, addresses, favorite shops, how often they buy and how much they spend."""

    name: str
    country: str
    cards: tuple[Card, ...]
    devices: tuple[str, ...]
    addresses: tuple[str, ...]
    user_agent: str
    favorites: tuple[int, ...]
    generosity: float
    rate: float

    @property
    def email(self) -> str:
        """The address at which this shopper signs in."""
        return f"{self.name}@example.com"


def with_check_digit(digits: str) -> str:
    """The digits followed by their Luhn check digit.

    >>> with_check_digit("424242424242424")
    '4242424242424242'
    """
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (2 if place % 2 == 0 else 1)
        total += doubled - 9 if doubled > 9 else doubled
    return digits + str(-total % 10)


class Population:
    """All people of one run, from one seed; also makes the things that fraudsters bring along."""

    def __init__(self, seed: int, size: int) -> None:
        self._random = random.Random(f"{seed} population")
        self.people = [self._person(number) for number in range(size)]
        for place, number in enumerate(CHALLENGED_CARDS):
            person = self.people[place]
            self.people[place] = replace(person, cards=(Card(number, 12, "123"), *person.cards[1:]))

    @property
    def challenged(self) -> list[Person]:
        """Those whose first card's issuer asks every payer for a code."""
        return self.people[: len(CHALLENGED_CARDS)]

    def card(self, place: Place) -> Card:
        """A new card of a place."""
        prefix = self._random.choice(place.card_prefixes)
        digits = prefix + "".join(self._random.choice("0123456789") for _ in range(15 - len(prefix)))
        return Card(
            with_check_digit(digits), self._random.randint(1, 12), f"{self._random.randrange(1000):03}"
        )

    def address(self, place: Place) -> str:
        """An IP address of a place."""
        return f"198.18.{place.block + self._random.randrange(16)}.{self._random.randint(1, 254)}"

    def device(self) -> str:
        """A new device's identifier."""
        return f"dev-{self._random.getrandbits(64):016x}"

    def place(self, places: tuple[Place, ...]) -> Place:
        """One of the places, by weight."""
        return self._random.choices(places, [place.weight for place in places])[0]

    def _person(self, number: int) -> Person:
        draw = self._random
        home = self.place(HOMES)
        cards = 2 if draw.random() < 0.2 else 1
        devices = 2 if draw.random() < 0.3 else 1
        popularity = [merchant.popularity for merchant in MERCHANTS]
        return Person(
            name=f"shopper{number}",
            country=home.country,
            cards=tuple(self.card(home) for _ in range(cards)),
            devices=tuple(self.device() for _ in range(devices)),
            addresses=tuple(self.address(home) for _ in range(draw.choice((1, 1, 2)))),
            user_agent=draw.choice(BROWSERS),
            favorites=tuple(draw.choices(range(len(MERCHANTS)), popularity, k=4)),
            generosity=draw.lognormvariate(0, 0.3),
            rate=draw.lognormvariate(0, 0.5),
        )
