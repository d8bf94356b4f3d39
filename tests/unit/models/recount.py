"""Every feature counted again from the plain list of facts, by name: slow, plain, none of the engine's code.

A payment's own facts come first; each entity's features are then made from the earlier payments, declines,
challenges, sign-ins and labels that belong to it. Nothing is kept between two questions.
"""

from collections.abc import Callable, Sequence
from math import log, sqrt

from msgspec.structs import replace

from models.observations import Challenge, Decline, Increment, Label, Observation, SignIn

MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US
WIDTHS_US = {"10m": 10 * MINUTE_US, "1h": HOUR_US, "1d": DAY_US, "7d": 7 * DAY_US, "30d": 30 * DAY_US}

Fact = Observation | SignIn | Decline | Challenge | Increment | Label
Values = dict[str, float | str | None]
Key = Callable[[Observation], str | None]


InReference = Callable[[Observation], int | None]


class Recounter:
    """Rows by the place of their payment among all facts; `in_reference` gives amounts in one currency."""

    def __init__(self, facts: Sequence[Fact], in_reference: InReference) -> None:
        self.facts, self.in_reference = facts, in_reference
        self.payments = {seen.payment_id: seen for seen in facts if isinstance(seen, Observation)}
        self._places = {
            seen.payment_id: place for place, seen in enumerate(facts) if isinstance(seen, Observation)
        }
        self._explained: dict[str, bool] = {}

    def row(self, payment_id: str) -> Values:
        """The features of a payment, from the facts before it."""
        past = self._past(payment_id)
        values = {**_own(past.asked, past.amount), **past.card()}
        values |= past.shared("device", lambda seen: seen.device)
        values |= past.shared("ip", lambda seen: seen.ip)
        return values | past.customer() | past.merchant()

    def explained(self, payment_id: str) -> bool:
        """The card's behavior when it paid: three deviations above its mean, or three payments in an hour."""
        if payment_id not in self._explained:
            then = self._past(payment_id).card()
            z, count = then.get("card_amount_z"), then.get("card_count_1h")
            unusual = (isinstance(z, float) and z >= 3) or (isinstance(count, int) and count >= 3)
            self._explained[payment_id] = unusual
        return self._explained[payment_id]

    def _past(self, payment_id: str) -> "_Past":
        return _Past(self, self.facts[: self._places[payment_id]], self.payments[payment_id])


def customer_of(seen: Observation) -> str | None:
    """The merchant's own customer, else the email."""
    return seen.customer or seen.email


def _own(seen: Observation, reference: int | None) -> Values:
    taken = (
        "currency merchant_category merchant_country payment_method card_country card_funding card_brand "
        "ip_country billing_country shipping_country"
    )
    days = seen.occurred_at_us // DAY_US
    return {
        **{name: getattr(seen, name) for name in taken.split()},
        "amount_minor": seen.amount_minor,
        "amount_reference_minor": reference,
        "hour": seen.occurred_at_us % DAY_US // HOUR_US,
        "weekend": days % 7 in (2, 3),  # day 0 was a Thursday
        "item_count": seen.item_count,
        "ip_country_differs": _differ(seen.ip_country, seen.card_country),
        "billing_country_differs": _differ(seen.billing_country, seen.card_country),
        "shipping_country_differs": _differ(seen.shipping_country, seen.billing_country),
    }


def _differ(one: str | None, other: str | None) -> bool | None:
    return None if None in (one, other) else one != other


class _Past:
    """What was told before one payment."""

    def __init__(self, recounter: Recounter, facts: Sequence[Fact], asked: Observation) -> None:
        self.recounter, self.facts, self.asked = recounter, facts, asked
        self.in_reference = recounter.in_reference
        self.now_us, self.amount = asked.occurred_at_us, self.in_reference(asked)
        self.payments = [fact for fact in facts if isinstance(fact, Observation)]
        self.by_id = recounter.payments

    def card(self) -> Values:
        key: Key = lambda seen: seen.card  # noqa: E731  # the entity, named once
        if key(self.asked) is None:
            return {}
        mine = self.mine(key)
        amounts = _winsorized([a for seen in mine if (a := self.in_reference(seen)) is not None])
        count_1d, sums = self.count(mine, "1d"), {w: self.sum(mine, w) for w in ("1d", "7d")}
        values: Values = {
            **self.counted("card", mine, ("10m", "1h", "1d", "7d", "30d")),
            **self.declined("card", key),
            **self.challenged("card", key),
            **self.fraud("card", key, ()),
            **self.times("card", mine),
            "card_amount_mean_minor": _mean(amounts),
            "card_amount_z": _z(amounts, self.amount),
            "card_amount_log_z": _log_z(amounts, self.amount),
            "card_amount_sum_1d_minor": sums["1d"],
            "card_payments_per_day": self.usual(mine),
            "card_count_1d_to_usual": (count_1d + 1) / self.usual(mine),
            "card_merchant_seen": self.seen(mine, lambda seen: seen.merchant),
            "card_device_seen": self.seen(mine, lambda seen: seen.device),
            "card_ip_country_seen": self.seen(mine, lambda seen: seen.ip_country),
        }
        if amounts and self.amount is not None:
            mean = sum(amounts) / len(amounts)
            values["card_amount_to_mean"] = (self.amount + 1) / (mean + 1)
            values["card_amount_to_max"] = (self.amount + 1) / (max(amounts) + 1)
            for window, total in sums.items():
                mine_with_this = (total + self.amount) / (self.count(mine, window) + 1)
                values[f"card_mean_{window}_to_mean"] = (mine_with_this + 1) / (mean + 1)
        shops = [seen.merchant for seen in mine]
        for window in ("1h", "1d"):
            values[f"card_new_merchants_{window}"] = sum(
                self.within(seen.occurred_at_us, window)
                for place, seen in enumerate(mine)
                if seen.merchant is not None and seen.merchant not in shops[:place]
            )
        return values

    def shared(self, entity: str, key: Key) -> Values:
        if key(self.asked) is None:
            return {}
        mine = self.mine(key)
        return {
            **self.counted(entity, mine, ("10m", "1h", "1d", "7d", "30d")),
            **self.distinct_cards(entity, mine, ("1h", "1d", "7d")),
            **self.declined(entity, key),
            **self.failed_sign_ins(entity, key(self.asked)),
            f"{entity}_failed_sign_in_customers_1d": self.sign_in_targets(entity, key(self.asked)),
            **self.challenged(entity, key),
            **self.fraud(entity, key, ("30d",)),
            **self.times(entity, mine),
        }

    def customer(self) -> Values:
        if customer_of(self.asked) is None:
            return {}
        mine = self.mine(customer_of)
        amounts = _winsorized([a for seen in mine if (a := self.in_reference(seen)) is not None])
        return {
            **self.counted("customer", mine, ("1h", "1d", "7d", "30d")),
            **self.distinct_cards("customer", mine, ("1d", "7d")),
            **self.declined("customer", customer_of),
            **self.failed_sign_ins("customer", customer_of(self.asked)),
            **self.challenged("customer", customer_of),
            **self.fraud("customer", customer_of, ("30d",)),
            **self.times("customer", mine),
            "customer_amount_mean_minor": _mean(amounts),
            "customer_amount_z": _z(amounts, self.amount),
            "customer_device_seen": self.seen(mine, lambda seen: seen.device),
            "customer_ip_country_seen": self.seen(mine, lambda seen: seen.ip_country),
        }

    def merchant(self) -> Values:
        key: Key = lambda seen: seen.merchant  # noqa: E731  # the entity, named once
        if key(self.asked) is None:
            return {}
        mine = self.mine(key)
        amounts = _winsorized([a for seen in mine if (a := self.in_reference(seen)) is not None])
        return {
            **self.counted("merchant", mine, ("1h", "1d", "7d")),
            **self.declined("merchant", key),
            **self.fraud("merchant", key, ("1d", "7d", "30d")),
            **self.times("merchant", mine),
            **self.run(key),
            "merchant_amount_mean_minor": _mean(amounts),
            "merchant_amount_z": _z(amounts, self.amount),
            "merchant_count_1d_to_usual": (self.count(mine, "1d") + 1) / self.usual(mine),
        }

    def mine(self, key: Key) -> list[Observation]:
        return [seen for seen in self.payments if key(seen) == key(self.asked)]

    def within(self, moment_us: int, window: str) -> bool:
        return self.now_us - WIDTHS_US[window] < moment_us <= self.now_us

    def since(self, moment_us: int, window: str) -> bool:
        """Within the window or later: what is distinct counts over everything told so far."""
        return moment_us > self.now_us - WIDTHS_US[window]

    def count(self, mine: list[Observation], window: str) -> int:
        return sum(self.within(seen.occurred_at_us, window) for seen in mine)

    def sum(self, mine: list[Observation], window: str) -> int:
        return sum(self.whole(seen) or 0 for seen in mine if self.within(seen.occurred_at_us, window))

    def whole(self, seen: Observation) -> int | None:
        """The amount with what was promised on top of it since: the largest whole that was told."""
        wholes = [
            fact.amount_minor
            for fact in self.facts
            if isinstance(fact, Increment) and fact.payment_id == seen.payment_id
        ]
        return self.in_reference(replace(seen, amount_minor=max(wholes, default=seen.amount_minor)))

    def counted(self, entity: str, mine: list[Observation], windows: Sequence[str]) -> Values:
        return {f"{entity}_count_{window}": self.count(mine, window) for window in windows}

    def usual(self, mine: list[Observation]) -> float:
        age_days = self.ago(min((seen.occurred_at_us for seen in mine), default=None)) or 0.0
        return (self.count(mine, "30d") + 1) / (min(age_days, 30) + 1)

    def ago(self, moment_us: int | None) -> float | None:
        return None if moment_us is None else max(self.now_us - moment_us, 0) / DAY_US

    def times(self, entity: str, mine: list[Observation]) -> Values:
        moments = [seen.occurred_at_us for seen in mine]
        return {
            f"{entity}_gap_days": self.ago(max(moments, default=None)),
            f"{entity}_age_days": self.ago(min(moments, default=None)),
        }

    def seen(self, mine: list[Observation], what: Key) -> bool | None:
        return None if what(self.asked) is None else what(self.asked) in {what(seen) for seen in mine}

    def distinct_cards(self, entity: str, mine: list[Observation], windows: Sequence[str]) -> Values:
        return {
            f"{entity}_cards_{window}": len(
                {seen.card for seen in mine if seen.card and self.since(seen.occurred_at_us, window)}
            )
            for window in windows
        }

    def declined(self, entity: str, key: Key) -> Values:
        moments = [
            fact.occurred_at_us
            for fact in self.facts
            if isinstance(fact, Decline)
            and not fact.lapsed
            and key(self.by_id[fact.payment_id]) == key(self.asked)
        ]
        return self.events(f"{entity}_declines", moments)

    def challenged(self, entity: str, key: Key) -> Values:
        """Each attempt's challenge once; the card is the one that the fact names."""
        moments: dict[str, dict[tuple[str, int], int]] = {"passed": {}, "failed": {}, "abandoned": {}}
        for fact in self.facts:
            if isinstance(fact, Challenge):
                card = fact.card if entity == "card" else None
                if (card or key(self.by_id[fact.payment_id])) == key(self.asked):
                    moments[fact.result][fact.payment_id, fact.attempt] = fact.occurred_at_us

        def count(result: str, window: str) -> int:
            return sum(self.within(moment, window) for moment in moments[result].values())

        missed = count("failed", "30d") + count("abandoned", "30d")
        ended = missed + count("passed", "30d")
        return {
            f"{entity}_failed_challenges_1d": count("failed", "1d"),
            f"{entity}_failed_challenges_7d": count("failed", "7d"),
            f"{entity}_abandoned_challenges_1d": count("abandoned", "1d"),
            f"{entity}_abandoned_challenges_7d": count("abandoned", "7d"),
            f"{entity}_passed_challenges_30d": count("passed", "30d"),
            f"{entity}_challenge_failure_share_30d": missed / ended if ended else None,
        }

    def failed_sign_ins(self, entity: str, wanted: str | None) -> Values:
        moments = [
            fact.occurred_at_us
            for fact in self.facts
            if isinstance(fact, SignIn) and not fact.succeeded and getattr(fact, entity) == wanted
        ]
        return self.events(f"{entity}_failed_sign_ins", moments)

    def sign_in_targets(self, entity: str, wanted: str | None) -> int:
        return len(
            {
                fact.customer
                for fact in self.facts
                if isinstance(fact, SignIn) and not fact.succeeded and getattr(fact, entity) == wanted
                if fact.customer is not None and self.since(fact.occurred_at_us, "1d")
            }
        )

    def events(self, name: str, moments: list[int]) -> Values:
        return {
            f"{name}_{window}": sum(self.within(moment, window) for moment in moments)
            for window in ("1h", "1d")
        }

    def labels(self, key: Key) -> list[tuple[int, Label]]:
        """The entity's labels with their places among all facts, in the order of their arrival."""
        return [
            (place, fact)
            for place, fact in enumerate(self.facts)
            if isinstance(fact, Label) and key(self.by_id[fact.payment_id]) == key(self.asked)
        ]

    def fraud(self, entity: str, key: Key, windows: Sequence[str]) -> Values:
        labels = [label for _, label in self.labels(key)]
        frauds = [label for label in labels if label.fraud]
        values: Values = {
            f"{entity}_frauds": len(frauds),
            f"{entity}_fraud_gap_days": self.ago(max((one.arrived_at_us for one in frauds), default=None)),
        }
        for window in windows:
            count = sum(self.within(one.arrived_at_us, window) for one in labels)
            bad = sum(self.within(one.arrived_at_us, window) for one in frauds)
            values[f"{entity}_fraud_share_{window}"] = (bad + 0.03) / (count + 3)
        return values

    def run(self, key: Key) -> Values:
        """The frauds after the merchant's last genuine label, and those that their card does not explain."""
        run: list[int] = []
        genuine: list[int] = []
        unexplained = 0.0
        labels = self.labels(key)
        for _, label in labels:
            paid = self.by_id[label.payment_id]
            if label.fraud:
                run.append(paid.occurred_at_us)
                unexplained += not self.recounter.explained(label.payment_id)
            else:
                run = []
                genuine.append(paid.occurred_at_us)
                unexplained /= 2
        return {
            "merchant_last_label_fraud": labels[-1][1].fraud if labels else None,
            "merchant_fraud_run": len(run),
            "merchant_run_first_days": self.ago(min(run, default=None)),
            "merchant_run_last_days": self.ago(max(run, default=None)),
            "merchant_genuine_gap_days": self.ago(max(genuine, default=None)),
            "merchant_unexplained_frauds": unexplained,
        }


def _winsorized(amounts: list[int]) -> list[float]:
    """Each amount held below three deviations above the mean of those before it."""
    held: list[float] = []
    for amount in amounts:
        limit = _mean_of(held) + 3 * _deviation(held, 0.5 * _mean_of(held) + 1) if held else amount
        held.append(min(float(amount), limit))
    return held


def _mean(values: list[float]) -> float | None:
    return _mean_of(values) if values else None


def _mean_of(values: list[float]) -> float:
    return sum(values) / len(values)


def _deviation(values: list[float], prior: float) -> float:
    """Deviation of the sample, as if two more values lay `prior` from the mean."""
    mean = _mean_of(values)
    squares = sum((value - mean) ** 2 for value in values)
    return sqrt((squares + 2 * prior**2) / (len(values) + 1))


def _z(held: list[float], amount: int | None) -> float | None:
    if amount is None or not held:
        return None
    return (amount - _mean_of(held)) / _deviation(held, 0.5 * _mean_of(held) + 1)


def _log_z(held: list[float], amount: int | None) -> float | None:
    if amount is None or not held:
        return None
    logs = [log(value + 1) for value in held]
    return (log(amount + 1) - _mean_of(logs)) / _deviation(logs, 0.5)
