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

from models import entity_features as forms
from models.feature import Entity, Feature, Kind

FEATURES_VERSION = 5
"""Of list, order and meanings together. Since 5 it is known at whom sign-ins from one place failed."""


def _payment() -> Iterator[Feature]:
    def own(name: str, kind: Kind, unit: str, meaning: str, *says: str, modeled: bool = True) -> Feature:
        return Feature(name, kind, unit, "payment", None, meaning, says, modeled=modeled)

    unit = "minor units of `currency`"
    yield own("amount_minor", "money", unit, "amount as paid", "amount {}", modeled=False)
    yield own("currency", "category", "ISO 4217", "currency of the payment", "paid in {}", modeled=False)
    name, meaning = "amount_reference_minor", "amount in the reference currency; missing without a rate"
    usual = "card_amount_mean_minor"
    yield Feature(name, "money", forms.MINOR, "payment", None, meaning, ("amount {}",), usual)
    yield own("hour", "hour", "hours UTC", "hour of the day", "paid in the hour from {}:00 UTC")
    weekend = "paid on a weekday, UTC", "paid on a Saturday or Sunday, UTC"
    yield own("weekend", "flag", "", "Saturday or Sunday, UTC", *weekend)
    yield own("item_count", "count", "items", "items bought", *forms.numbered("item", "items", "bought"))
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


def _card() -> Iterator[Feature]:
    yield forms.mean("card")
    yield from _card_amounts()
    yield from forms.counts("card", ("10m", "1h", "1d", "7d", "30d"))
    yield from _card_ratios()
    yield from forms.times("card")
    yield forms.seen("card", "merchant", "paid", "never paid", "at this merchant")
    yield forms.seen("card", "device", "was used", "was never used", "from this device")
    yield forms.seen("card", "ip_country", "was used", "was never used", "from this IP country")
    for window in ("1h", "1d"):
        says = forms.numbered("merchant", "merchants", f"new to this card {forms.LASTS[window]}")
        name, meaning = f"new_merchants_{window}", f"merchants new to the card {forms.LASTS[window]}"
        yield forms.of_entity("card", name, "count", "merchants", meaning, *says, window=window)
    yield from forms.declines("card")
    yield from forms.challenges("card")
    yield from forms.frauds("card")


def _card_amounts() -> Iterator[Feature]:
    def own(name: str, kind: Kind, unit: str, meaning: str, says: str) -> Feature:
        return forms.of_entity("card", name, kind, unit, meaning, says, usual="card_amount_mean_minor")

    yield forms.amount_z("card", "the card's own mean")
    meaning, says = "deviations of the amount's logarithm from the card's own", "{} the card's own"
    yield own("amount_log_z", "z", "deviations", meaning, f"logarithm of the amount {says}")
    mean, largest = "the card's own mean", "the card's largest so far"
    yield own("amount_to_mean", "ratio", "ratio", f"amount over {mean}", f"amount {{}} times {mean}")
    meaning, says = f"amount over {largest}, winsorized", f"amount {{}} times {largest}"
    yield own("amount_to_max", "ratio", "ratio", meaning, f"{says} (winsorized)")
    meaning = "sum of the card's last 24 hours, with increments"
    says = f"{{}} paid with this card {forms.LASTS['1d']}"
    yield forms.of_entity("card", "amount_sum_1d_minor", "money", forms.MINOR, meaning, says, window="1d")


def _card_ratios() -> Iterator[Feature]:
    meaning, says = "the card's usual payments a day", "the card usually makes {} payments a day"
    yield forms.of_entity("card", "payments_per_day", "ratio", "payments a day", meaning, says, modeled=False)
    for window, span in (("1d", "24 hours"), ("7d", "7 days")):
        meaning = f"mean amount of {span}, this payment included, over the card's own mean"
        says = f"the card's mean amount of the last {span}, this payment included, is {{}} times its own mean"
        yield forms.of_entity(
            "card", f"mean_{window}_to_mean", "ratio", "ratio", meaning, says, window=window
        )
    yield forms.count_to_usual("card")


def _shared(entity: Entity) -> Iterator[Feature]:
    """Device and IP address: what several cards may share."""
    yield from forms.counts(entity, ("10m", "1h", "1d", "7d", "30d"))
    yield from forms.times(entity)
    yield from forms.cards(entity, ("1h", "1d", "7d"))
    yield from forms.declines(entity)
    yield from forms.failed_sign_ins(entity)
    yield forms.sign_in_targets(entity)
    yield from forms.challenges(entity)
    yield from forms.frauds(entity)
    yield from forms.fraud_shares(entity, ("30d",))


def _customer() -> Iterator[Feature]:
    yield forms.mean("customer")
    yield forms.amount_z("customer", "the customer's own mean")
    yield from forms.counts("customer", ("1h", "1d", "7d", "30d"))
    yield from forms.times("customer")
    yield from forms.cards("customer", ("1d", "7d"))
    yield forms.seen("customer", "device", "paid", "never paid", "from this device")
    yield forms.seen("customer", "ip_country", "paid", "never paid", "from this IP country")
    yield from forms.declines("customer")
    yield from forms.failed_sign_ins("customer")
    yield from forms.challenges("customer")
    yield from forms.frauds("customer")
    yield from forms.fraud_shares("customer", ("30d",))


def _merchant() -> Iterator[Feature]:
    yield forms.mean("merchant")
    yield forms.amount_z("merchant", "the merchant's mean")
    yield from forms.counts("merchant", ("1h", "1d", "7d"))
    yield forms.count_to_usual("merchant")
    yield from forms.times("merchant")
    yield from forms.declines("merchant")
    yield from _merchant_run()
    yield from forms.frauds("merchant")
    yield from forms.fraud_shares("merchant", ("1d", "7d", "30d"))


def _merchant_run() -> Iterator[Feature]:
    """What the latest labels say: does fraud run at the merchant, and is it the merchant's?"""
    last = "the last label at the merchant was"
    yield forms.of_entity(
        "merchant", "last_label_fraud", "flag", "", f"{last} fraud", f"{last} genuine", f"{last} fraud"
    )
    in_a_row = "frauds in a row among the merchant's latest labeled payments"
    run = (
        "no run of frauds among the merchant's latest labeled payments",
        "the merchant's latest labeled payment was a fraud",
        "the merchant's latest {} labeled payments were all frauds",
    )
    yield forms.of_entity("merchant", "fraud_run", "count", "payments", in_a_row, *run)
    began, ended = "the first fraud of the run was paid", "the last fraud of the run was paid"
    yield forms.days("merchant", "run_first_days", began, "the merchant's run of frauds began")
    yield forms.days("merchant", "run_last_days", ended, "the last fraud of the merchant's run was paid")
    genuine = "the last payment labeled genuine was paid"
    yield forms.days(
        "merchant", "genuine_gap_days", genuine, "the merchant's last payment labeled genuine was paid"
    )
    unexplained = "frauds that the card's own behavior does not explain, halved with each genuine payment"
    strange = "at this merchant that the cards' own behavior does not explain"
    halved = f"{strange}, after halving for each genuine payment since"
    says = f"no fraud {strange}", f"{{}} fraud {halved}", f"{{}} frauds {halved}"
    yield forms.of_entity("merchant", "unexplained_frauds", "count", "payments", unexplained, *says)


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
