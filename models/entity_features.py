"""Features that several kinds of entity have, declared once, each in its entity's own words."""

from collections.abc import Iterator

from models.feature import Entity, Feature, Kind
from models.histories import GROUP_MAX

MINOR = "minor units of the reference currency"
ENTITY_WORDS: dict[Entity, str] = {
    "card": "card",
    "device": "device",
    "ip": "IP address",
    "customer": "customer",
    "merchant": "merchant",
}
THROUGH: dict[Entity, str] = {
    "card": "with this card",
    "device": "from this device",
    "ip": "from this IP address",
    "customer": "by this customer",
    "merchant": "at this merchant",
}
"""How an entity takes part in a payment, as sentences say it."""
COUNTED = f"(at most {GROUP_MAX} are counted)"
"""Of what is remembered one by one, no more are known."""
LASTS = {
    "10m": "in the last 10 minutes",
    "1h": "in the last hour",
    "1d": "in the last 24 hours",
    "7d": "in the last 7 days",
    "30d": "in the last 30 days",
}


def of_entity(
    entity: Entity,
    name: str,
    kind: Kind,
    unit: str,
    meaning: str,
    *says: str,
    window: str | None = None,
    usual: str | None = None,
    modeled: bool = True,
) -> Feature:
    """A feature of an entity, whose name begins with the entity's."""
    return Feature(f"{entity}_{name}", kind, unit, entity, window, meaning, says, usual, modeled)


def numbered(one: str, several: str, rest: str) -> tuple[str, str, str]:
    """The sentences of a count."""
    return f"no {one} {rest}", f"{{}} {one} {rest}", f"{{}} {several} {rest}"


def events(
    entity: Entity,
    name: str,
    unit: str,
    meaning: str,
    says: tuple[str, str],
    windows: tuple[str, ...],
    *,
    modeled: bool = True,
) -> Iterator[Feature]:
    """Counts of what came through an entity; `says` names one and several of them."""
    for window in windows:
        full = f"{meaning} of the {ENTITY_WORDS[entity]} {LASTS[window]}"
        sentences = numbered(*says, f"{THROUGH[entity]} {LASTS[window]}")
        of_window = f"{entity}_{name}_{window}"
        yield Feature(of_window, "count", unit, entity, window, full, sentences, modeled=modeled)


def counts(entity: Entity, windows: tuple[str, ...]) -> Iterator[Feature]:
    """Payments through an entity."""
    yield from events(entity, "count", "payments", "payments", ("payment", "payments"), windows)


def cards(entity: Entity, windows: tuple[str, ...]) -> Iterator[Feature]:
    """Cards that an entity was seen with."""
    says = "card used", "different cards used"
    yield from events(entity, "cards", "cards", f"distinct cards {COUNTED}", says, windows)


def declines(entity: Entity) -> Iterator[Feature]:
    """Payments that issuers declined."""
    says = "declined payment", "declined payments"
    yield from events(entity, "declines", "declines", "declines", says, ("1h", "1d"))


def failed_sign_ins(entity: Entity) -> Iterator[Feature]:
    """Sign-ins that failed."""
    says = "failed sign-in", "failed sign-ins"
    yield from events(entity, "failed_sign_ins", "sign-ins", "failed sign-ins", says, ("1h", "1d"))


def sign_in_targets(entity: Entity) -> Feature:
    """Whose sign-ins failed: passwords tried at many accounts from one place. For rules alone."""
    name, through = "failed_sign_in_customers_1d", f"{THROUGH[entity]} {LASTS['1d']}"
    says = numbered("customer", "customers", f"failed to sign in {through}")
    meaning = f"distinct customers {COUNTED} who failed to sign in {through}"
    return of_entity(entity, name, "count", "customers", meaning, *says, window="1d", modeled=False)


def challenges(entity: Entity) -> Iterator[Feature]:
    """How payers did when their issuer challenged them (3-D Secure).

    Models see the share alone, which is missing where nobody was challenged: counts of 0 in nearly every row
    would only add to what every row has in common.
    """
    for result, windows in (("failed", ("1d", "7d")), ("abandoned", ("1d", "7d")), ("passed", ("30d",))):
        name, says = f"{result}_challenges", (f"{result} challenge", f"{result} challenges")
        yield from events(entity, name, "challenges", says[1], says, windows, modeled=False)
    among = f"challenges {THROUGH[entity]} {LASTS['30d']}"
    meaning = f"share of failed and abandoned among the {among}; missing without any"
    words, share = f"{{}} of the {among} failed or were abandoned", "challenge_failure_share_30d"
    yield of_entity(entity, share, "risk", "share 0–1", meaning, words, window="30d")


def days(entity: Entity, name: str, since: str, says: str) -> Feature:
    """Time since something."""
    return of_entity(entity, name, "days", "days", f"time since {since}", f"{says} {{}} earlier")


def times(entity: Entity) -> Iterator[Feature]:
    """Time since the last payment and the first."""
    word = ENTITY_WORDS[entity]
    last, first = f"the {word}'s last payment", f"the {word} was first seen"
    yield days(entity, "gap_days", last, f"{last} was")
    yield days(entity, "age_days", first, first)


def frauds(entity: Entity) -> Iterator[Feature]:
    """What is known as fraud, and since when."""
    word = ENTITY_WORDS[entity]
    says = numbered("payment", "payments", f"{THROUGH[entity]} known as fraud")
    yield of_entity(entity, "frauds", "count", "payments", f"payments of the {word} known as fraud", *says)
    since, turned = f"a fraud of the {word} was last learned of", "last turned out to be fraud"
    yield days(entity, "fraud_gap_days", since, f"a payment {THROUGH[entity]} {turned}")


def fraud_shares(entity: Entity, windows: tuple[str, ...]) -> Iterator[Feature]:
    """Fraud among what was labeled."""
    for window in windows:
        among = f"the {ENTITY_WORDS[entity]}'s payments labeled {LASTS[window]}"
        meaning, says = f"share of fraud among {among}, smoothed", f"{{}} fraud among {among} (smoothed)"
        yield of_entity(entity, f"fraud_share_{window}", "risk", "share 0–1", meaning, says, window=window)


def seen(entity: Entity, name: str, did: str, never: str, there: str) -> Feature:
    """Whether two were seen together before."""
    subject, before = f"the {ENTITY_WORDS[entity]}", f"{there} before"
    yes, no = f"{subject} {did} {before}", f"{subject} {never} {before}"
    return of_entity(entity, f"{name}_seen", "flag", "", yes, no, yes)


def mean(entity: Entity) -> Feature:
    """The usual amount, for rules and people."""
    word = ENTITY_WORDS[entity]
    meaning, says = f"mean amount of the {word}, winsorized", f"the {word}'s mean amount is {{}}"
    return of_entity(entity, "amount_mean_minor", "money", MINOR, meaning, says, modeled=False)


def amount_z(entity: Entity, mean: str) -> Feature:
    """How unusual the amount is."""
    meaning = f"deviations of the amount from {mean}"
    usual = f"{entity}_amount_mean_minor"
    return of_entity(entity, "amount_z", "z", "deviations", meaning, f"amount {{}} {mean}", usual=usual)


def count_to_usual(entity: Entity) -> Feature:
    """How unusual the number of payments is."""
    word = ENTITY_WORDS[entity]
    meaning = f"payments of 24 hours, this one included, over the {word}'s usual"
    says = f"payments {THROUGH[entity]} {LASTS['1d']}, this one included, are {{}} times as many as usual"
    return of_entity(entity, "count_1d_to_usual", "ratio", "ratio", meaning, says, window="1d")
