"""Which column of a file is which of Weir's fields: written on the command line, in a file, or shipped."""

import tomllib
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from events.errors import MoneyError
from events.money import exponent
from pipelines.errors import MappingError
from pipelines.replay.times import check_format

SHIPPED = Path(__file__).parent / "mappings"
REQUIRED = ("id", "time")
TEXTS = (
    *("currency", "card", "device", "ip", "email", "customer", "merchant", "merchant_category"),
    *("merchant_country", "card_country", "card_funding", "card_brand", "ip_country"),
    *("billing_country", "shipping_country"),
)
"""Fields that are text, named as in `models.observations.Observation`."""
FIELDS = (*REQUIRED, "amount", "amount_minor", "item_count", "label", "label_time", *TEXTS)
DEFAULT_CURRENCY = "EUR"
"""Of a file that says nothing of currencies: the reference currency of the shipped rates."""


class Mapping(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`columns`: field → column; `defaults`: field → value where the file has no column for it, or no value.

    `time_format`: a form such as `%d/%m/%Y`, or what numbers count since 1970 (`milliseconds`).
    """

    columns: dict[str, str]
    defaults: dict[str, str] = {}
    evaluate_from: str | None = None
    time_format: str | None = None

    @property
    def currency_is_assumed(self) -> bool:
        """Whether nothing says the currency, so that `DEFAULT_CURRENCY` is taken."""
        return "currency" not in self.columns and "currency" not in self.defaults

    def evaluated_from(self) -> datetime | None:
        """The day from which figures count, UTC."""
        if self.evaluate_from is None:
            return None
        return datetime.fromisoformat(self.evaluate_from).replace(tzinfo=UTC)


def mapping_of(words: Sequence[str]) -> Mapping:
    """The mapping that `--map` names: pairs `field=COLUMN`, one TOML file, or one shipped name.

    Raises `MappingError`.

    >>> mapping_of(["id=A", "time=B", "amount=C"]).columns["amount"]
    'C'
    """
    if not words:
        raise MappingError(f"say which column is which: --map {_example()}, a file, or {_shipped_names()}")
    if len(words) == 1 and "=" not in words[0]:
        return _checked(_from_file(words[0]))
    columns: dict[str, str] = {}
    for word in words:
        field, equals, column = word.partition("=")
        if not equals or not column:
            raise MappingError(f"{word!r} is not of the form field=COLUMN")
        if field in columns:
            raise MappingError(f"{field} is mapped twice, to {columns[field]} and {column}: name one column")
        columns[field] = column
    return _checked(Mapping(columns=columns))


def _from_file(name: str) -> Mapping:
    path = Path(name)
    if not path.is_file() and (SHIPPED / f"{name}.toml").is_file():
        path = SHIPPED / f"{name}.toml"
    try:
        return _read(tomllib.loads(path.read_text()))
    except OSError:
        raise MappingError(f"{name!r} is neither a file nor a shipped mapping ({_shipped_names()})") from None
    except (tomllib.TOMLDecodeError, msgspec.ValidationError, UnicodeDecodeError) as error:
        raise MappingError(
            f"{path.name} is not a mapping: {error}. Write a line for each field, such as "
            f'id = "COLUMN"; there are {", ".join(FIELDS)}'
        ) from None


def _read(told: dict[str, Any]) -> Mapping:
    """A file with the table `[columns]`, or a flat one of lines `field = "COLUMN"`."""
    if "columns" in told:
        return msgspec.convert(told, Mapping)
    beside = {"defaults", "evaluate_from", "time_format"} & told.keys()
    flat: dict[str, Any] = {name: told[name] for name in beside}
    flat["columns"] = {name: column for name, column in told.items() if name not in beside}
    return msgspec.convert(flat, Mapping)


def _checked(mapping: Mapping) -> Mapping:
    for field in (*mapping.columns, *mapping.defaults):
        if field not in FIELDS:
            raise MappingError(f"no field is called {field!r}; there are {', '.join(FIELDS)}")
    missing = [field for field in REQUIRED if field not in mapping.columns]
    if "amount" not in mapping.columns and "amount_minor" not in mapping.columns:
        missing.append("amount (in major units: 12.34) or amount_minor (in minor units: 1234)")
    if missing:
        raise MappingError(f"the mapping lacks {', '.join(missing)}: add {_example()}")
    if "amount" in mapping.columns and "amount_minor" in mapping.columns:
        raise MappingError("map amount (in major units) or amount_minor, not both")
    try:
        mapping.evaluated_from()
    except ValueError:
        raise MappingError("evaluate_from is not a date such as 2026-01-31") from None
    if "currency" in mapping.defaults:
        check_currency(mapping.defaults["currency"], "defaults")
    if mapping.time_format is not None:
        check_format(mapping.time_format)
    return mapping


def check_currency(code: str, place: str) -> None:
    """Raise `MappingError`, naming the place, where no currency is called so; small letters will do."""
    try:
        exponent(code.upper())
    except MoneyError:
        raise MappingError(
            f"{place}: no currency is called {code!r}; give an ISO 4217 code such as EUR"
        ) from None


def check_columns(mapping: Mapping, present: Sequence[str]) -> None:
    """Raise `MappingError` where the file lacks a mapped column, and say which it has, or has it twice."""
    missing = [f"{column} ({field})" for field, column in mapping.columns.items() if column not in present]
    if missing:
        shown = ", ".join(present[:40])
        raise MappingError(f"the file has no column {', '.join(missing)}; its columns are {shown}")
    twice = [f"{column} ({field})" for field, column in mapping.columns.items() if present.count(column) > 1]
    if twice:
        raise MappingError(f"the file has more than one column {', '.join(twice)}: rename all but one")


def _example() -> str:
    return "id=COLUMN time=COLUMN amount=COLUMN"


def _shipped_names() -> str:
    return ", ".join(sorted(path.stem for path in SHIPPED.glob("*.toml")))
