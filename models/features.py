"""The feature catalogue: every value that rules, models, explanations and history read, declared once.

A row (the vector as scored) is a list of values in the order of `CATALOGUE`; `POSITIONS` gives the place of a
name. Numbers are floats, flags are 1.0 and 0.0, categories are text, and what is missing is None. The current
payment is excluded from its own counts and sums; where a ratio includes it, the meaning says so. A window of
an hour at time t holds what happened in (t - 1 h, t], by the time of the events themselves.
Names are put together (`card_count_1h`): look one up in docs/rules.md, which a test holds to the catalogue.

Changing the list, the order or what a value means raises `FEATURES_VERSION`: stored vectors stay readable by
theirs.
"""

from collections.abc import Iterator

from models.feature import Entity, Feature, Kind

FEATURES_VERSION = 2
"""Of list, order and meanings together."""

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
LASTS = {
    "10m": "in the last 10 minutes",
    "1h": "in the last hour",
    "1d": "in the last 24 hours",
    "7d": "in the last 7 days",
    "30d": "in the last 30 days",
}


def _of(
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


def _numbered(one: str, several: str, rest: str) -> tuple[str, str, str]:
    """The sentences of a count."""
    return f"no {one} {rest}", f"{{}} {one} {rest}", f"{{}} {several} {rest}"


def _payment() -> Iterator[Feature]:
    def own(name: str, kind: Kind, unit: str, meaning: str, *says: str, modeled: bool = True) -> Feature:
        return Feature(name, kind, unit, "payment", None, meaning, says, modeled=modeled)

    unit = "minor units of `currency`"
    yield own("amount_minor", "money", unit, "amount as paid", "amount {}", modeled=False)
    yield own("currency", "category", "ISO 4217", "currency of the payment", "paid in {}", modeled=False)
    name, meaning = "amount_reference_minor", "amount in the reference currency; missing without a rate"
    usual = "card_amount_mean_minor"
    yield Feature(name, "money", MINOR, "payment", None, meaning, ("amount {}",), usual)
    yield own("hour", "hour", "hours UTC", "hour of the day", "paid in the hour from {}:00 UTC")
    weekend = "paid on a weekday, UTC", "paid on a Saturday or Sunday, UTC"
    yield own("weekend", "flag", "", "Saturday or Sunday, UTC", *weekend)
    yield own("item_count", "count", "items", "items bought", *_numbered("item", "items", "bought"))
    for name, meaning, says in (
        ("merchant_category", "the merchant's category code", "the merchant's category code is {}"),
        ("merchant_country", "country of the merchant", "the merchant is in {}"),
        ("payment_method", "card, upi, wallet or netbanking", "paid by {}"),
        ("card_country", "country of the card's issuer", "the card's issuer is in {}"),
        ("card_funding", "credit, debit or prepaid", "a {} card"),
        ("card_brand", "brand of the card", "the card's brand is {}"),
        ("ip_country", "country of the IP address", "the IP address is in {}"),
        ("billing_country", "country of the billing address", "the billing address is in {}"),
        ("shipping_country", "country of the shipping address", "the shipping address is in {}"),
    ):
        # The method is for rules: models know nothing yet but cards.
        yield own(name, "category", "", meaning, says, modeled=name != "payment_method")
    for name, one, other in (
        ("ip_country_differs", "the IP's country", "the card's"),
        ("billing_country_differs", "the billing country", "the card's"),
        ("shipping_country_differs", "the shipping country", "the billing country"),
    ):
        yield own(name, "flag", "", f"{one} is not {other}", f"{one} is {other}", f"{one} is not {other}")


def _events(
    entity: Entity, name: str, unit: str, meaning: str, says: tuple[str, str], windows: tuple[str, ...]
) -> Iterator[Feature]:
    """Counts of what came through an entity; `says` names one and several of them."""
    for window in windows:
        full = f"{meaning} of the {ENTITY_WORDS[entity]} {LASTS[window]}"
        sentences = _numbered(*says, f"{THROUGH[entity]} {LASTS[window]}")
        yield _of(entity, f"{name}_{window}", "count", unit, full, *sentences, window=window)


def _counts(entity: Entity, windows: tuple[str, ...]) -> Iterator[Feature]:
    yield from _events(entity, "count", "payments", "payments", ("payment", "payments"), windows)


def _cards(entity: Entity, windows: tuple[str, ...]) -> Iterator[Feature]:
    says = "card used", "different cards used"
    yield from _events(entity, "cards", "cards", "distinct cards", says, windows)


def _declines(entity: Entity) -> Iterator[Feature]:
    says = "declined payment", "declined payments"
    yield from _events(entity, "declines", "declines", "declines", says, ("1h", "1d"))


def _failed_sign_ins(entity: Entity) -> Iterator[Feature]:
    says = "failed sign-in", "failed sign-ins"
    yield from _events(entity, "failed_sign_ins", "sign-ins", "failed sign-ins", says, ("1h", "1d"))


def _days(entity: Entity, name: str, since: str, says: str) -> Feature:
    return _of(entity, name, "days", "days", f"time since {since}", f"{says} {{}} earlier")


def _times(entity: Entity) -> Iterator[Feature]:
    word = ENTITY_WORDS[entity]
    last, first = f"the {word}'s last payment", f"the {word} was first seen"
    yield _days(entity, "gap_days", last, f"{last} was")
    yield _days(entity, "age_days", first, first)


def _frauds(entity: Entity) -> Iterator[Feature]:
    word = ENTITY_WORDS[entity]
    says = _numbered("payment", "payments", f"{THROUGH[entity]} known as fraud")
    yield _of(entity, "frauds", "count", "payments", f"payments of the {word} known as fraud", *says)
    since, turned = f"a fraud of the {word} was last learned of", "last turned out to be fraud"
    yield _days(entity, "fraud_gap_days", since, f"a payment {THROUGH[entity]} {turned}")


def _fraud_shares(entity: Entity, windows: tuple[str, ...]) -> Iterator[Feature]:
    for window in windows:
        among = f"the {ENTITY_WORDS[entity]}'s payments labeled {LASTS[window]}"
        meaning, says = f"share of fraud among {among}, smoothed", f"{{}} fraud among {among} (smoothed)"
        yield _of(entity, f"fraud_share_{window}", "risk", "share 0–1", meaning, says, window=window)


def _seen(entity: Entity, name: str, did: str, never: str, there: str) -> Feature:
    subject, before = f"the {ENTITY_WORDS[entity]}", f"{there} before"
    yes, no = f"{subject} {did} {before}", f"{subject} {never} {before}"
    return _of(entity, f"{name}_seen", "flag", "", yes, no, yes)


def _mean(entity: Entity) -> Feature:
    word = ENTITY_WORDS[entity]
    meaning, says = f"mean amount of the {word}, winsorized", f"the {word}'s mean amount is {{}}"
    return _of(entity, "amount_mean_minor", "money", MINOR, meaning, says, modeled=False)


def _amount_z(entity: Entity, mean: str) -> Feature:
    meaning = f"deviations of the amount from {mean}"
    usual = f"{entity}_amount_mean_minor"
    return _of(entity, "amount_z", "z", "deviations", meaning, f"amount {{}} {mean}", usual=usual)


def _card() -> Iterator[Feature]:
    yield _mean("card")
    yield from _card_amounts()
    yield from _counts("card", ("10m", "1h", "1d", "7d", "30d"))
    yield from _card_ratios()
    yield from _times("card")
    yield _seen("card", "merchant", "paid", "never paid", "at this merchant")
    yield _seen("card", "device", "was used", "was never used", "from this device")
    yield _seen("card", "ip_country", "was used", "was never used", "from this IP country")
    for window in ("1h", "1d"):
        says = _numbered("merchant", "merchants", f"new to this card {LASTS[window]}")
        name, meaning = f"new_merchants_{window}", f"merchants new to the card {LASTS[window]}"
        yield _of("card", name, "count", "merchants", meaning, *says, window=window)
    yield from _declines("card")
    yield from _frauds("card")


def _card_amounts() -> Iterator[Feature]:
    def own(name: str, kind: Kind, unit: str, meaning: str, says: str) -> Feature:
        return _of("card", name, kind, unit, meaning, says, usual="card_amount_mean_minor")

    yield _amount_z("card", "the card's own mean")
    meaning, says = "deviations of the amount's logarithm from the card's own", "{} the card's own"
    yield own("amount_log_z", "z", "deviations", meaning, f"logarithm of the amount {says}")
    mean, largest = "the card's own mean", "the card's largest so far"
    yield own("amount_to_mean", "ratio", "ratio", f"amount over {mean}", f"amount {{}} times {mean}")
    meaning, says = f"amount over {largest}, winsorized", f"amount {{}} times {largest}"
    yield own("amount_to_max", "ratio", "ratio", meaning, f"{says} (winsorized)")
    meaning, says = "sum of the card's last 24 hours", f"{{}} paid with this card {LASTS['1d']}"
    yield _of("card", "amount_sum_1d_minor", "money", MINOR, meaning, says, window="1d")


def _card_ratios() -> Iterator[Feature]:
    meaning, says = "the card's usual payments a day", "the card usually makes {} payments a day"
    yield _of("card", "payments_per_day", "ratio", "payments a day", meaning, says, modeled=False)
    for window, span in (("1d", "24 hours"), ("7d", "7 days")):
        meaning = f"mean amount of {span}, this payment included, over the card's own mean"
        says = f"the card's mean amount of the last {span}, this payment included, is {{}} times its own mean"
        yield _of("card", f"mean_{window}_to_mean", "ratio", "ratio", meaning, says, window=window)
    yield _count_to_usual("card")


def _count_to_usual(entity: Entity) -> Feature:
    word = ENTITY_WORDS[entity]
    meaning = f"payments of 24 hours, this one included, over the {word}'s usual"
    says = f"payments {THROUGH[entity]} {LASTS['1d']}, this one included, are {{}} times as many as usual"
    return _of(entity, "count_1d_to_usual", "ratio", "ratio", meaning, says, window="1d")


def _shared(entity: Entity) -> Iterator[Feature]:
    """Device and IP address: what several cards may share."""
    yield from _counts(entity, ("10m", "1h", "1d", "7d", "30d"))
    yield from _times(entity)
    yield from _cards(entity, ("1h", "1d", "7d"))
    yield from _declines(entity)
    yield from _failed_sign_ins(entity)
    yield from _frauds(entity)
    yield from _fraud_shares(entity, ("30d",))


def _customer() -> Iterator[Feature]:
    yield _mean("customer")
    yield _amount_z("customer", "the customer's own mean")
    yield from _counts("customer", ("1h", "1d", "7d", "30d"))
    yield from _times("customer")
    yield from _cards("customer", ("1d", "7d"))
    yield _seen("customer", "device", "paid", "never paid", "from this device")
    yield _seen("customer", "ip_country", "paid", "never paid", "from this IP country")
    yield from _declines("customer")
    yield from _failed_sign_ins("customer")
    yield from _frauds("customer")
    yield from _fraud_shares("customer", ("30d",))


def _merchant() -> Iterator[Feature]:
    yield _mean("merchant")
    yield _amount_z("merchant", "the merchant's mean")
    yield from _counts("merchant", ("1h", "1d", "7d"))
    yield _count_to_usual("merchant")
    yield from _times("merchant")
    yield from _declines("merchant")
    yield from _merchant_run()
    yield from _frauds("merchant")
    yield from _fraud_shares("merchant", ("1d", "7d", "30d"))


def _merchant_run() -> Iterator[Feature]:
    """What the latest labels say: does fraud run at the merchant, and is it the merchant's?"""
    last = "the last label at the merchant was"
    yield _of("merchant", "last_label_fraud", "flag", "", f"{last} fraud", f"{last} genuine", f"{last} fraud")
    in_a_row = "frauds in a row among the merchant's latest labeled payments"
    run = (
        "no run of frauds among the merchant's latest labeled payments",
        "the merchant's latest labeled payment was a fraud",
        "the merchant's latest {} labeled payments were all frauds",
    )
    yield _of("merchant", "fraud_run", "count", "payments", in_a_row, *run)
    began, ended = "the first fraud of the run was paid", "the last fraud of the run was paid"
    yield _days("merchant", "run_first_days", began, "the merchant's run of frauds began")
    yield _days("merchant", "run_last_days", ended, "the last fraud of the merchant's run was paid")
    genuine = "the last payment labeled genuine was paid"
    yield _days(
        "merchant", "genuine_gap_days", genuine, "the merchant's last payment labeled genuine was paid"
    )
    unexplained = "frauds that the card's own behavior does not explain, halved with each genuine payment"
    strange = "at this merchant that the cards' own behavior does not explain"
    halved = f"{strange}, after halving for each genuine payment since"
    says = f"no fraud {strange}", f"{{}} fraud {halved}", f"{{}} frauds {halved}"
    yield _of("merchant", "unexplained_frauds", "count", "payments", unexplained, *says)


def _model() -> Iterator[Feature]:
    meaning = "log-odds of the boosting refitted from history; missing before its first fit"
    says = ("the boosting refitted from history gives log-odds of {}",)
    yield Feature("boosting_logit", "logit", "log-odds", "model", None, meaning, says)


CATALOGUE: tuple[Feature, ...] = (
    *_payment(),
    *_card(),
    *_shared("device"),
    *_shared("ip"),
    *_customer(),
    *_merchant(),
    *_model(),
)
POSITIONS: dict[str, int] = {feature.name: place for place, feature in enumerate(CATALOGUE)}
BY_NAME: dict[str, Feature] = {feature.name: feature for feature in CATALOGUE}
