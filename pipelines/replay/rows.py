"""Rows of a file of history as typed fields, or with the reason why they cannot be used."""

from collections.abc import Mapping
from typing import NamedTuple

import polars as pl

from events.errors import MoneyError
from events.moments import END, microseconds
from events.money import AMOUNT_MINOR_MAX, exponent
from pipelines.replay import amounts, times
from pipelines.replay.mapping import DEFAULT_CURRENCY, TEXTS
from pipelines.replay.mapping import Mapping as ColumnMapping
from pipelines.replay.text import CELLS_MISSING, ROW

AT_US_MAX = microseconds(END) - 1
"""The last moment of 2199: what lies beyond, or before 1970, is a mistake, and no event could carry it."""
FUNDINGS = ("credit", "debit", "prepaid")
YES = ("1", "1.0", "true", "t", "yes", "y", "fraud")
NO = ("0", "0.0", "false", "f", "no", "n", "genuine")
UNREADABLE_TIME = "a time that cannot be read"
UNREADABLE_LABEL = "the label is neither yes nor no"
OUTSIDE_TIME = "the time lies outside the years 1970 to 2199"
REPEATED_ID = "the id came before"
ROUNDED_MINOR = 0.001
"""By so much of a minor unit an amount may be off for binary fractions alone; more was rounded away."""


class Check(NamedTuple):
    """What breaks a row, in words; `field` is the one whose value is to blame, where a single one is."""

    wrong: pl.Expr
    words: str
    field: str | None = None


def typed(batch: pl.DataFrame, mapping: ColumnMapping, *, decimal_comma: bool) -> pl.DataFrame:
    """The batch with a column `_FIELD` per field, null where it is missing or no such thing, and `reason`.

    `_lacks_zone` says that the time names no zone, `_rounded` that the amount had more decimals than its
    currency.
    """
    read = batch.with_columns(_read_fields(mapping, batch.schema))
    read = read.with_columns(_digits(read["_currency"]).alias("_digits"))
    value = _amount(mapping, batch.schema, decimal_comma=decimal_comma).alias("_amount")
    read = read.with_columns(value).with_columns(_amount_minor(mapping).alias("_amount_minor"))
    reason = pl.lit(None, pl.String)
    # From the last to the first, each around those before: the first that holds is what is said.
    for check in reversed(checks(mapping)):
        reason = pl.when(check.wrong.fill_null(False)).then(pl.lit(check.words)).otherwise(reason)
    return read.with_columns(reason.alias("reason"), _rounded(mapping).alias("_rounded"))


def checks(mapping: ColumnMapping) -> list[Check]:
    """What makes a row broken, in the order in which it is said: the first that holds."""
    amount_field = "amount_minor" if "amount_minor" in mapping.columns else "amount"
    at_us, amount, missing = pl.col("_at_us"), pl.col("_amount_minor"), pl.col(CELLS_MISSING)
    told = [
        Check(missing > 0, "the row is cut short: it has fewer cells than the header"),
        Check(
            missing < 0,
            "the row has more cells than the header: a value that holds the separator must stand in quotes",
        ),
        Check(pl.col("_id").is_null(), "no id"),
        Check(_text(mapping.columns["time"]).is_null(), "no time"),
        Check(at_us.is_null(), UNREADABLE_TIME, "time"),
        Check(~at_us.is_between(0, AT_US_MAX), OUTSIDE_TIME, "time"),
        Check(pl.col("_currency").is_null(), "no currency"),
        Check(pl.col("_digits").is_null(), "a currency that is not known", "currency"),
        Check(_text(mapping.columns[amount_field]).is_null(), "no amount"),
        Check(pl.col("_amount").is_null(), "an amount that is not a number", amount_field),
        Check(amount.is_null(), "an amount in minor units that is not a whole number", amount_field),
        Check(amount < 0, "the amount is negative", amount_field),
        Check(amount > AMOUNT_MINOR_MAX, "the amount is too large", amount_field),
    ]
    return told + _label_checks(mapping)


def _label_checks(mapping: ColumnMapping) -> list[Check]:
    label, label_time = mapping.columns.get("label"), mapping.columns.get("label_time")
    told = []
    if label is not None:
        wrong = _text(label).is_not_null() & pl.col("_label").is_null()
        told.append(Check(wrong, UNREADABLE_LABEL, "label"))
    if label_time is not None:
        readable = pl.col("_label_at_us").is_between(0, AT_US_MAX).fill_null(False)
        wrong = _text(label_time).is_not_null() & ~readable
        told.append(Check(wrong, "the time of the label cannot be read", "label_time"))
    return told


def fields(typed_rows: pl.DataFrame, mapping: ColumnMapping) -> pl.DataFrame:
    """The rows that can be used, as `file.History` has them."""
    names = ("id", "at_us", "amount_minor", "item_count", "label", "label_at_us", "rounded", *TEXTS)
    original = pl.col(mapping.columns["id"]).alias("original_id")
    good = typed_rows.filter(pl.col("reason").is_null())
    return good.select(ROW, original, *(pl.col(f"_{name}").alias(name) for name in names))


def rejects(typed_rows: pl.DataFrame, mapping: ColumnMapping) -> pl.DataFrame:
    """Broken rows as they stand in the file, with the reason in front."""
    return typed_rows.filter(pl.col("reason").is_not_null()).select(ROW, "reason", *_raw(mapping))


def repeated(batch: pl.DataFrame, rows: pl.Series, mapping: ColumnMapping) -> pl.DataFrame:
    """Those rows of the batch whose id came before, with the reason in front."""
    again = batch.filter(pl.col(ROW).is_in(rows.implode()))
    return again.select(ROW, pl.lit(REPEATED_ID).alias("reason"), *_raw(mapping))


def _raw(mapping: ColumnMapping) -> list[pl.Expr]:
    return [pl.col(column).cast(pl.String) for column in dict.fromkeys(mapping.columns.values())]


def _read_fields(mapping: ColumnMapping, schema: Mapping[str, pl.DataType]) -> list[pl.Expr]:
    columns, form = mapping.columns, mapping.time_format
    told = [_text(columns["id"]).alias("_id"), _at_us(columns["time"], schema, form).alias("_at_us")]
    told.append(_lacks_zone(columns["time"], schema, form).alias("_lacks_zone"))
    told.extend(_text_field(name, mapping).alias(f"_{name}") for name in TEXTS)
    label, label_time, items = columns.get("label"), columns.get("label_time"), columns.get("item_count")
    told.append((pl.lit(None, pl.Boolean) if label is None else _label(label)).alias("_label"))
    none = pl.lit(None, pl.Int64)
    told.append((none if label_time is None else _at_us(label_time, schema, form)).alias("_label_at_us"))
    told.append((none if items is None else pl.col(items).cast(pl.Int64, strict=False)).alias("_item_count"))
    return told


def _text_field(name: str, mapping: ColumnMapping) -> pl.Expr:
    column, default = mapping.columns.get(name), mapping.defaults.get(name)
    if name == "currency" and column is None:
        default = default or DEFAULT_CURRENCY
    text = pl.lit(None, pl.String) if column is None else _text(column)
    text = text if default is None else text.fill_null(default)
    if name == "currency":
        return text.str.to_uppercase()
    return _known_funding(text) if name == "card_funding" else text


def _text(column: str) -> pl.Expr:
    text = pl.col(column).cast(pl.String).str.strip_chars()
    return pl.when(text != "").then(text)


def _known_funding(text: pl.Expr) -> pl.Expr:
    """What no event could carry is missing, in every engine alike."""
    lower = text.str.to_lowercase()
    return pl.when(lower.is_in(FUNDINGS)).then(lower)


def _at_us(column: str, schema: Mapping[str, pl.DataType], time_format: str | None) -> pl.Expr:
    kind, value = schema[column], pl.col(column)
    if isinstance(kind, pl.Datetime):
        # Times without a zone are UTC; with one, the stored instant is UTC already.
        return value.dt.cast_time_unit("us").dt.epoch("us")
    if kind == pl.Date:
        return value.cast(pl.Datetime("us")).dt.epoch("us")
    if kind.is_numeric():
        return times.counted_us(value, time_format)
    return times.at_us(_text(column), time_format)


def _lacks_zone(column: str, schema: Mapping[str, pl.DataType], time_format: str | None) -> pl.Expr:
    kind = schema[column]
    if kind == pl.String:
        return times.lacks_zone(_text(column), time_format)
    return pl.lit(kind == pl.Date or (isinstance(kind, pl.Datetime) and kind.time_zone is None))


def _label(column: str) -> pl.Expr:
    text = pl.col(column).cast(pl.String).str.strip_chars().str.to_lowercase()
    return pl.when(text.is_in(YES)).then(True).when(text.is_in(NO)).then(False)


def _digits(currencies: pl.Series) -> pl.Series:
    """Decimals of each currency, null where there is no such currency."""
    known = {}
    for currency in currencies.unique().drop_nulls():
        try:
            known[currency] = exponent(currency)
        except MoneyError:
            continue
    return currencies.replace_strict(known, default=None, return_dtype=pl.Int64)


def _amount(mapping: ColumnMapping, schema: Mapping[str, pl.DataType], *, decimal_comma: bool) -> pl.Expr:
    if "amount_minor" in mapping.columns:
        column, decimal_comma = mapping.columns["amount_minor"], False
    else:
        column = mapping.columns["amount"]
    value = pl.col(column) if schema[column].is_numeric() else _text(column)
    value = amounts.number(value, decimal_comma=decimal_comma and not schema[column].is_numeric())
    return pl.when(value.is_finite()).then(value)


def _rounded(mapping: ColumnMapping) -> pl.Expr:
    if "amount_minor" in mapping.columns:
        return pl.lit(False)
    minor = pl.col("_amount") * pl.lit(10.0).pow(pl.col("_digits"))
    return ((minor - pl.col("_amount_minor")).abs() > ROUNDED_MINOR).fill_null(False)


def _amount_minor(mapping: ColumnMapping) -> pl.Expr:
    if "amount_minor" in mapping.columns:
        return amounts.whole(pl.col("_amount"))
    return amounts.scaled(pl.col("_amount"), pl.col("_digits"))
