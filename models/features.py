"""The feature catalogue: every value that rules, models, the case page and history read, declared once.

A row (the vector as scored) is a list of values in the order of `CATALOGUE`; `POSITIONS` gives the place of a
name. Numbers are floats, flags are 1.0 and 0.0, categories are text, and what is missing is None. The current
payment is excluded from its own counts and sums; where a ratio includes it, the meaning says so. A window of
an hour at time t holds what happened in (t - 1 h, t], by the time of the events themselves.

Changing the list, the order or a meaning raises `FEATURES_VERSION`: stored vectors stay readable by theirs.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal["money", "z", "ratio", "count", "days", "hour", "risk", "flag", "category", "logit"]
Entity = Literal["payment", "card", "device", "ip", "customer", "merchant", "model"]
Value = float | str | None
Row = list[Value]

FEATURES_VERSION = 1
"""Of list, order and meanings together."""

ENTITY_WORDS: dict[Entity, str] = {
    "payment": "payment",
    "card": "card",
    "device": "device",
    "ip": "IP address",
    "customer": "customer",
    "merchant": "merchant",
    "model": "model",
}
MINOR = "minor units of the reference currency"
WINDOW_WORDS = {"10m": "10 minutes", "1h": "hour", "1d": "24 hours", "7d": "7 days", "30d": "30 days"}


@dataclass(frozen=True)
class Feature:
    """One value of the vector.

    `kind` chooses the bins; `usual` names the feature that holds the entity's usual value of this one;
    `modeled` False: for rules and people only, never seen by a model.
    """

    name: str
    kind: Kind
    unit: str
    entity: Entity
    window: str | None
    meaning: str
    usual: str | None = None
    modeled: bool = True

    @property
    def type(self) -> Literal["number", "boolean", "text"]:
        """What a rule may compare it with; a boolean is stored as 1.0 or 0.0."""
        if self.kind == "category":
            return "text"
        return "boolean" if self.kind == "flag" else "number"


def _payment() -> Iterator[Feature]:
    def own(
        name: str, kind: Kind, unit: str, meaning: str, usual: str | None = None, modeled: bool = True
    ) -> Feature:
        return Feature(name, kind, unit, "payment", None, meaning, usual, modeled)

    yield own("amount_minor", "money", "minor units of `currency`", "amount as paid", modeled=False)
    yield own("currency", "category", "ISO 4217", "currency of the payment", modeled=False)
    yield own(
        "amount_reference_minor",
        "money",
        MINOR,
        "amount in the reference currency; missing without a rate",
        usual="card_amount_mean_minor",
    )
    yield own("hour", "hour", "hours UTC", "hour of the day")
    yield own("weekend", "flag", "", "Saturday or Sunday, UTC")
    yield own("item_count", "count", "items", "items bought")
    for name, meaning in (
        ("merchant_category", "the merchant's category code"),
        ("merchant_country", "country of the merchant"),
        ("card_country", "country of the card's issuer"),
        ("card_funding", "credit, debit or prepaid"),
        ("card_brand", "brand of the card"),
        ("ip_country", "country of the IP address"),
        ("billing_country", "country of the billing address"),
        ("shipping_country", "country of the shipping address"),
    ):
        yield own(name, "category", "", meaning)
    yield own("ip_country_differs", "flag", "", "the IP's country is not the card's")
    yield own("billing_country_differs", "flag", "", "the billing country is not the card's")
    yield own("shipping_country_differs", "flag", "", "the shipping country is not the billing country")


def _counts(entity: Entity, windows: tuple[str, ...], usual: str | None = None) -> Iterator[Feature]:
    for window in windows:
        meaning = f"payments of the {ENTITY_WORDS[entity]} in the last {WINDOW_WORDS[window]}"
        yield Feature(
            f"{entity}_count_{window}",
            "count",
            "payments",
            entity,
            window,
            meaning,
            usual if window == "1d" else None,
        )


def _times(entity: Entity) -> Iterator[Feature]:
    word = ENTITY_WORDS[entity]
    yield Feature(f"{entity}_gap_days", "days", "days", entity, None, f"time since the {word}'s last payment")
    yield Feature(f"{entity}_age_days", "days", "days", entity, None, f"time since the {word} was first seen")


def _events(entity: Entity, name: str, unit: str, words: str, windows: tuple[str, ...]) -> Iterator[Feature]:
    for window in windows:
        meaning = f"{words} of the {ENTITY_WORDS[entity]} in the last {WINDOW_WORDS[window]}"
        yield Feature(f"{entity}_{name}_{window}", "count", unit, entity, window, meaning)


def _frauds(entity: Entity) -> Iterator[Feature]:
    word = ENTITY_WORDS[entity]
    yield Feature(
        f"{entity}_frauds", "count", "payments", entity, None, f"payments of the {word} known as fraud"
    )
    yield Feature(
        f"{entity}_fraud_gap_days",
        "days",
        "days",
        entity,
        None,
        f"time since a fraud of the {word} was last learned of",
    )


def _fraud_shares(entity: Entity, windows: tuple[str, ...]) -> Iterator[Feature]:
    for window in windows:
        meaning = (
            f"share of fraud among the {ENTITY_WORDS[entity]}'s payments labeled in the last "
            f"{WINDOW_WORDS[window]}, smoothed"
        )
        yield Feature(f"{entity}_fraud_share_{window}", "risk", "share 0–1", entity, window, meaning)


def _seen(entity: Entity, name: str, meaning: str) -> Feature:
    return Feature(f"{entity}_{name}_seen", "flag", "", entity, None, meaning)


def _card() -> Iterator[Feature]:
    yield from _card_amounts()
    yield from _counts("card", ("10m", "1h", "1d", "7d", "30d"), usual="card_payments_per_day")
    yield from _card_ratios()
    yield from _times("card")
    yield _seen("card", "merchant", "the card paid at this merchant before")
    yield _seen("card", "device", "the card was used from this device before")
    yield _seen("card", "ip_country", "the card was used from this IP country before")
    yield from _events("card", "new_merchants", "merchants", "merchants new to the card", ("1h", "1d"))
    yield from _events("card", "declines", "declines", "declines", ("1h", "1d"))
    yield from _frauds("card")


def _card_amounts() -> Iterator[Feature]:
    mean = "card_amount_mean_minor"

    def own(name: str, kind: Kind, unit: str, meaning: str) -> Feature:
        return Feature(f"card_{name}", kind, unit, "card", None, meaning, usual=mean)

    yield Feature(mean, "money", MINOR, "card", None, "mean amount of the card, winsorized", modeled=False)
    yield own("amount_z", "z", "deviations", "deviations of the amount from the card's own mean")
    yield own("amount_log_z", "z", "deviations", "deviations of the amount's logarithm from the card's own")
    yield own("amount_to_mean", "ratio", "ratio", "amount over the card's own mean")
    yield own("amount_to_max", "ratio", "ratio", "amount over the card's largest so far, winsorized")
    yield Feature("card_amount_sum_1d_minor", "money", MINOR, "card", "1d", "sum of the card's last 24 hours")


def _card_ratios() -> Iterator[Feature]:
    rate = "card_payments_per_day"
    meaning = "the card's usual payments a day"
    yield Feature(rate, "ratio", "payments a day", "card", None, meaning, modeled=False)
    for window in ("1d", "7d"):
        meaning = f"mean amount of {WINDOW_WORDS[window]}, this payment included, over the card's own mean"
        yield Feature(f"card_mean_{window}_to_mean", "ratio", "ratio", "card", window, meaning)
    meaning = "payments of 24 hours, this one included, over the card's usual"
    yield Feature("card_count_1d_to_usual", "ratio", "ratio", "card", "1d", meaning)


def _shared(entity: Entity) -> Iterator[Feature]:
    """Device and IP address: what several cards may share."""
    yield from _counts(entity, ("10m", "1h", "1d", "7d", "30d"))
    yield from _times(entity)
    yield from _events(entity, "cards", "cards", "distinct cards", ("1h", "1d", "7d"))
    yield from _events(entity, "declines", "declines", "declines", ("1h", "1d"))
    yield from _events(entity, "failed_sign_ins", "sign-ins", "failed sign-ins", ("1h", "1d"))
    yield from _frauds(entity)
    yield from _fraud_shares(entity, ("30d",))


def _customer() -> Iterator[Feature]:
    mean = "customer_amount_mean_minor"
    yield Feature(
        mean, "money", MINOR, "customer", None, "mean amount of the customer, winsorized", modeled=False
    )
    yield Feature(
        "customer_amount_z",
        "z",
        "deviations",
        "customer",
        None,
        "deviations of the amount from the customer's own mean",
        usual=mean,
    )
    yield from _counts("customer", ("1h", "1d", "7d", "30d"))
    yield from _times("customer")
    yield from _events("customer", "cards", "cards", "distinct cards", ("1d", "7d"))
    yield _seen("customer", "device", "the customer paid from this device before")
    yield _seen("customer", "ip_country", "the customer paid from this IP country before")
    yield from _events("customer", "declines", "declines", "declines", ("1h", "1d"))
    yield from _events("customer", "failed_sign_ins", "sign-ins", "failed sign-ins", ("1h", "1d"))
    yield from _frauds("customer")
    yield from _fraud_shares("customer", ("30d",))


def _merchant() -> Iterator[Feature]:
    mean = "merchant_amount_mean_minor"

    def own(name: str, kind: Kind, unit: str, meaning: str, usual: str | None = None) -> Feature:
        return Feature(f"merchant_{name}", kind, unit, "merchant", None, meaning, usual)

    yield Feature(
        mean, "money", MINOR, "merchant", None, "mean amount of the merchant, winsorized", modeled=False
    )
    yield own("amount_z", "z", "deviations", "deviations of the amount from the merchant's mean", usual=mean)
    yield from _counts("merchant", ("1h", "1d", "7d"))
    yield own(
        "count_1d_to_usual",
        "ratio",
        "ratio",
        "payments of 24 hours, this one included, over the merchant's usual",
    )
    yield from _times("merchant")
    yield from _events("merchant", "declines", "declines", "declines", ("1h", "1d"))
    yield own("last_label_fraud", "flag", "", "the last label at the merchant was fraud")
    yield own(
        "fraud_run", "count", "payments", "frauds in a row among the merchant's latest labeled payments"
    )
    yield own("run_first_days", "days", "days", "time since the first fraud of the run was paid")
    yield own("run_last_days", "days", "days", "time since the last fraud of the run was paid")
    yield own("genuine_gap_days", "days", "days", "time since the last payment labeled genuine was paid")
    yield own(
        "unexplained_frauds",
        "count",
        "payments",
        "frauds that the card's own behavior does not explain, halved with each genuine payment",
    )
    yield from _frauds("merchant")
    yield from _fraud_shares("merchant", ("1d", "7d", "30d"))


def _model() -> Iterator[Feature]:
    yield Feature(
        "boosting_logit",
        "logit",
        "log-odds",
        "model",
        None,
        "log-odds of the boosting refitted from history; missing before its first fit",
    )


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
