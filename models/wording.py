"""Features in words: what a value says to an analyst, never with a personal field in it."""

from math import isnan

from events.errors import MoneyError
from events.money import Money
from models.features import BY_NAME, POSITIONS, Feature, Row, Value
from models.observations import Observation

WINDOW_DAYS = {"10m": 10 / 1440, "1h": 1 / 24, "1d": 1.0, "7d": 7.0, "30d": 30.0}

_SINGULAR = {
    "payments": "payment",
    "merchants": "merchant",
    "cards": "card",
    "declines": "decline",
    "sign-ins": "sign-in",
    "items": "item",
    "frauds": "fraud",
}
_BY_WHOM = (
    ("the card of the card", "this card"),
    ("payments of the card", "payments with this card"),
    ("payments of the device", "payments from this device"),
    ("payments of the IP address", "payments from this IP address"),
    ("payments of the customer", "payments by this customer"),
    ("payments of the merchant", "payments at this merchant"),
    ("cards of the device", "cards on this device"),
    ("cards of the IP address", "cards from this IP address"),
    ("declines of the", "declines for this"),
    ("sign-ins of the device", "sign-ins from this device"),
    ("sign-ins of the IP address", "sign-ins from this IP address"),
)
_NEGATED = (
    (" paid ", " never paid "),
    (" was used ", " was never used "),
    (" is not ", " is "),
    (" was fraud", " was genuine"),
)


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
    if feature.window is None or not feature.name.endswith(f"_count_{feature.window}"):
        return None, 1.0
    own = WINDOW_DAYS[feature.window]
    for source, days in (("payments_per_day", 1.0), ("count_30d", 30.0), ("count_7d", 7.0)):
        place = POSITIONS.get(f"{feature.entity}_{source}")
        if place is not None and days > own and present(row[place]):
            return row[place], own / days
        if place is not None and source == "payments_per_day" and present(row[place]):
            return row[place], own
    return None, 1.0


def in_words(name: str, row: Row, observation: Observation | None, reference: str) -> str:
    """One feature of a row as a sentence without a full stop.

    With an `observation` the payment's own amount is in its own currency; other amounts are in `reference`.
    """
    feature = BY_NAME[name]
    value = row[POSITIONS[name]]
    text = _sentence(feature, value, observation, reference)
    usual = usual_value(name, row)
    if usual is None or not present(value):
        return text
    if feature.kind == "count" and usual < 1:
        return text if value == 0 else f"{text}; usually less than one"
    return f"{text}; usually {_usual(feature, usual, reference)}"


def _sentence(feature: Feature, value: Value, observation: Observation | None, reference: str) -> str:
    if value is None or not present(value):
        return f"{feature.meaning}: unknown"
    if isinstance(value, str):
        return _category(feature, value)
    if feature.name == "amount_reference_minor" and observation is not None:
        return f"amount {money(observation.amount_minor, observation.currency)}"
    if feature.kind == "money":
        return f"{feature.meaning}: {money(round(value), reference)}"
    return _number(feature, value)


def _number(feature: Feature, value: float) -> str:
    meaning = feature.meaning
    match feature.kind:
        case "count":
            return _counted(feature, value)
        case "flag":
            return meaning if value else _negated(meaning)
        case "days":
            return _ago(meaning, value)
        case "risk":
            return f"{meaning}: {100 * value:.3g} %"
        case "z":
            direction = "above" if value >= 0 else "below"
            unit = "deviation" if number(abs(value)) == "1" else "deviations"
            return f"amount {number(abs(value))} {unit} {direction} {_owner(feature)}"
        case "ratio":
            return f"{meaning}: {number(value)} times"
        case "hour":
            return f"paid in the hour from {int(value):02d}:00 UTC"
        case _:
            return f"{meaning}: {number(value)}"


def _counted(feature: Feature, value: float) -> str:
    words = feature.meaning
    for plain, better in _BY_WHOM:
        words = words.replace(plain, better)
    if 0 <= value <= 1:
        # What is counted comes first; "frauds among the latest payments" stay payments.
        found = [plural for plural in _SINGULAR if plural in words]
        if found:
            counted = min(found, key=words.index)
            words = words.replace(counted, _SINGULAR[counted], 1)
    if 0 < value < 1:
        return f"less than one {words}"
    return f"{number(value) if value else 'no'} {words}"


def _category(feature: Feature, value: str) -> str:
    """A text value: "country of the IP address" → "the IP address is in DE"."""
    if feature.meaning.startswith("country of "):
        return f"{feature.meaning.removeprefix('country of ')} is in {value}"
    if feature.name == "card_funding":
        return f"a {value} card"
    return f"{feature.meaning}: {value}"


def _ago(meaning: str, days: float) -> str:
    """A span: "time since the card was first seen" → "the card was first seen 2 days before"."""
    what = meaning.removeprefix("time since ").replace(" was last learned of", " last became known")
    verb = "" if " was " in what or " became " in what else " was"
    return f"{what}{verb} {duration(days)} before"


def _negated(meaning: str) -> str:
    for plain, negated in _NEGATED:
        if plain in f"{meaning} ":
            return f"{meaning} ".replace(plain, negated, 1).strip()
    return f"not: {meaning}"


def _owner(feature: Feature) -> str:
    """Whose mean: "deviations of the amount from the card's own mean" → "the card's own mean"."""
    scale = " (of logarithms)" if "logarithm" in feature.meaning else ""
    return f"the {feature.entity}'s own mean{scale}"


def _usual(feature: Feature, usual: float, reference: str) -> str:
    if feature.kind in {"z", "ratio", "money"}:
        return money(round(usual), reference)
    return number(usual)


def number(value: float) -> str:
    """At most three significant digits, no exponent for what people read.

    >>> number(4.0), number(0.2134), number(1234.5)
    ('4', '0.213', '1234')
    """
    if abs(value) >= 100:
        return f"{value:.0f}"
    text = f"{value:.3g}"
    return f"{value:.6f}".rstrip("0").rstrip(".") if "e" in text else text


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
