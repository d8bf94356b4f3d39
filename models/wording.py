"""Features in words: what a value says to an analyst, never with a personal field in it."""

import re
from math import isnan

from events.errors import MoneyError
from events.money import Money
from models.costs import ELEVATED_PROBABILITY, ELEVATED_SCORE, HIGHEST_PROBABILITY, HIGHEST_SCORE
from models.feature import Feature, Row, Value
from models.features import BY_NAME, POSITIONS

NO_REASON = "No reason to hold it."
"""What is said of an allowed payment for which the engine gave no reason."""

ACCOUNT_NOUNS: dict[Value, str] = {
    "upi": "UPI address",
    "wallet": "wallet",
    "netbanking": "bank account",
}
"""What pays, where it is no card."""
_CARD = re.compile(r"\bcard\b")

WINDOW_DAYS = {"10m": 10 / 1440, "1h": 1 / 24, "1d": 1.0, "7d": 7.0, "30d": 30.0}


def present(value: Value) -> bool:
    """Whether a value is there: neither None nor NaN."""
    return value is not None and not (isinstance(value, float) and isnan(value))


def usual_value(name: str, row: Row) -> float | None:
    """What is usual for the same entity, from the same row; None where it is unknown.

    For a count in a window that is the entity's own rate over the longest window it has, scaled.
    """
    feature = BY_NAME.get(name)
    if feature is None:
        return None
    if feature.usual is not None:
        usual, days = row[POSITIONS[feature.usual]], 1.0
    else:
        usual, days = _rate(feature, row)
    if not isinstance(usual, float | int) or not present(usual):
        return None
    return float(usual) * days


def _rate(feature: Feature, row: Row) -> tuple[Value, float]:
    """(a count, what to multiply it with to fit the feature's window)."""
    if feature.window is None or feature.name != f"{feature.entity}_count_{feature.window}":
        return None, 1.0
    own = WINDOW_DAYS[feature.window]
    # A rate knows how old the entity is; a count of 30 days takes a young one for a quiet one.
    for source, days in (("payments_per_day", 1.0), ("count_30d", 30.0), ("count_7d", 7.0)):
        place = POSITIONS.get(f"{feature.entity}_{source}")
        longer = days > own or source == "payments_per_day"
        if place is not None and longer and present(row[place]):
            return row[place], own / days
    return None, 1.0


def in_words(name: str, row: Row, reference: str) -> str:
    """One feature of a row as a sentence without a full stop.

    The payment's own amount is in its own currency; other amounts are in `reference`.
    """
    feature = BY_NAME[name]
    value = row[POSITIONS[name]]
    if value is None or not present(value):
        return f"{_of_what_pays(feature, feature.meaning, row)}: unknown"
    phrase = _of_what_pays(feature, _phrase(feature, value), row)
    text = phrase.format(_shown(feature, value, row, reference))
    usual = usual_value(name, row)
    if usual is None:
        return text
    if feature.kind == "count" and usual < 1:
        return text if value == 0 else f"{text}; usually less than one"
    if feature.usual is not None:
        return f"{text}; usually {_shown(BY_NAME[feature.usual], usual, row, reference)}"
    return f"{text}; usually {number(usual)}"


def _of_what_pays(feature: Feature, words: str, row: Row) -> str:
    """The words with what pays in the place of the card: an account has the profile that a card has."""
    noun = ACCOUNT_NOUNS.get(row[POSITIONS["payment_method"]] or "card")
    return words if noun is None or feature.entity != "card" else _CARD.sub(noun, words)


def _phrase(feature: Feature, value: float | str) -> str:
    """The one of the feature's sentences that fits the value."""
    if feature.kind == "flag":
        return feature.says[1 if value else 0]
    if feature.kind == "count" and not isinstance(value, str):
        return feature.says[0 if value == 0 else 1 if 0 < value <= 1 else 2]
    return feature.says[0]


def _shown(feature: Feature, value: float | str, row: Row, reference: str) -> str:
    """The value as it stands in a sentence."""
    if isinstance(value, str):
        return value
    match feature.kind:
        case "money":
            return _amount(feature, value, row, reference)
        case "count":
            return "less than one" if 0 < value < 1 else number(value)
        case "days":
            return duration(value)
        case "risk":
            return percent(value)
        case "z":
            size = number(abs(value))
            return f"{size} deviation{'' if size == '1' else 's'} {'above' if value >= 0 else 'below'}"
        case "hour":
            return f"{int(value):02d}"
        case _:
            return number(value)


def _amount(feature: Feature, value: float, row: Row, reference: str) -> str:
    # The vector keeps the amount as it was paid, beside what it is in the reference currency.
    own, currency = row[POSITIONS["amount_minor"]], row[POSITIONS["currency"]]
    if feature.entity == "payment" and isinstance(own, float) and isinstance(currency, str):
        return money(round(own), currency)
    return money(round(value), reference)


def number(value: float) -> str:
    """At most three significant digits, no exponent for what people read.

    >>> number(4.0), number(0.2134), number(1234.5)
    ('4', '0.213', '1234')
    """
    if abs(value) >= 100:
        return f"{value:.0f}"
    text = f"{value:.3g}"
    return f"{value:.6f}".rstrip("0").rstrip(".") if "e" in text else text


def percent(share: float) -> str:
    """A share of 0–1 in percent; what is not certain is not said to be.

    >>> percent(0.0123456), percent(0.3), percent(0.99997), percent(1e-7)
    ('1.23 %', '30 %', 'over 99.9 %', 'under 0.001 %')
    """
    if 0.999 < share < 1.0:
        return "over 99.9 %"
    return "under 0.001 %" if 0.0 < share < 0.00001 else f"{number(100 * share)} %"


def money(amount_minor: int, currency: str) -> str:
    """An amount in major units with its currency; in minor units where the currency is unknown.

    >>> money(1234, "EUR"), money(1234, "JPY"), money(-1, "EUR")
    ('12.34 EUR', '1234 JPY', '-0.01 EUR')
    """
    try:
        return str(Money(amount_minor, currency))
    except MoneyError:
        return f"{amount_minor} minor units of {currency}"


def duration(days: float) -> str:
    """A time span in its natural unit.

    >>> duration(0.0), duration(0.002), duration(0.5), duration(3.0)
    ('less than a second', '3 minutes', '12 hours', '3 days')
    """
    seconds = days * 86_400
    if 0 <= seconds < 1:
        return "less than a second"
    for limit, unit_seconds, unit in ((120, 1, "seconds"), (7_200, 60, "minutes"), (172_800, 3_600, "hours")):
        if seconds < limit:
            return f"{seconds / unit_seconds:.0f} {unit}"
    return f"{number(days)} days"


def score_scale() -> str:
    """What a risk score means.

    >>> score_scale()
    '0 to 100; a probability of 10 % is 65, one of 40 % is 75'
    """
    elevated, highest = percent(ELEVATED_PROBABILITY), percent(HIGHEST_PROBABILITY)
    return f"0 to 100; a probability of {elevated} is {ELEVATED_SCORE}, one of {highest} is {HIGHEST_SCORE}"
