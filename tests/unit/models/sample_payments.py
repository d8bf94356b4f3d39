"""Small made payments for the engine's tests: a few cards and merchants, some fraud, seeded."""

import random

from models.observations import Label, Observation
from models.windows import DAY_US, MINUTE_US

START_US = 17_600 * DAY_US


def payment(number: int = 1, at_us: int = START_US, **fields: object) -> Observation:
    """One payment; `fields` override."""
    given: dict[str, object] = {
        "payment_id": f"pi_{number}",
        "occurred_at_us": at_us,
        "amount_minor": 5_000,
        "currency": "EUR",
        "card": "card_1",
        "merchant": "shop_1",
    }
    return Observation(**{**given, **fields})  # type: ignore[arg-type]  # a test's own keyword arguments


def label(number: int, fraud: bool | None, at_us: int, kind: str | None = None) -> Label:
    """The label of payment `number`."""
    told = kind or ("fraud_dispute" if fraud else "confirmed_genuine")
    return Label(payment_id=f"pi_{number}", arrived_at_us=at_us, kind=told, source="test", fraud=fraud)


def days(
    count: int, per_day: int = 120, seed: int = 1, cards: int = 40, shops: int = 20
) -> list[tuple[Observation, bool]]:
    """Payments in time order with their truth: stolen cards spend much more, one shop is compromised.

    From the sixth day on shop 3 is compromised, and each day one card is stolen for a day.
    """
    chance = random.Random(seed)
    usual = [chance.uniform(1_000, 8_000) for _ in range(cards)]
    made = []
    for day in range(count):
        stolen = chance.randrange(cards)
        moments = sorted(chance.randrange(DAY_US // MINUTE_US) for _ in range(per_day))
        for minute in moments:
            card, shop = chance.randrange(cards), chance.randrange(shops)
            amount = max(100, round(chance.gauss(usual[card], usual[card] / 3)))
            fraud = day > 5 and (shop == 3 or (card == stolen and chance.random() < 0.7))
            if fraud and shop != 3:
                amount *= 6
            at_us = START_US + day * DAY_US + minute * MINUTE_US
            number = len(made)
            given = payment(number, at_us, amount_minor=amount, card=f"card_{card}", merchant=f"shop_{shop}")
            made.append((given, fraud))
    return made
