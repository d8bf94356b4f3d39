"""A file of historical payments, read lazily in batches, typed, and ordered by time.

A row that cannot be used is broken: it is counted, written beside with the reason, and left out. What the
file has no column for, or leaves empty, stays missing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from events.errors import MoneyError
from events.money import AMOUNT_MINOR_MAX, exponent
from pipelines.errors import ReplayError
from pipelines.replay_mapping import DEFAULT_CURRENCY, TEXTS, check_columns
from pipelines.replay_mapping import Mapping as ColumnMapping

BATCH_ROWS = 100_000
ROW = "row"
"""1-based number of the data row in the file."""
TIME_FORMATS = ("%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%d")
"""Times without a zone are UTC; with one, ISO 8601 (`2026-01-31T10:00:00+05:30`)."""
AT_US_MAX = 7_258_118_400_000_000
"""2200-01-01: what lies beyond, or before 1970, is a mistake, and no event could carry it."""
FUNDINGS = ("credit", "debit", "prepaid")
YES = ("1", "1.0", "true", "t", "yes", "y", "fraud")
NO = ("0", "0.0", "false", "f", "no", "n", "genuine")


@dataclass(frozen=True)
class History:
    """Typed payments in time order (file order where times are equal).

    Columns of `frame`: row, original_id, id, at_us, amount_minor, item_count, label, label_at_us and the text
    fields; `label_at_us` is the time at which the label arrived according to the file.
    """

    frame: pl.DataFrame
    broken: dict[str, int]
    rejected_path: Path | None


def read_history(path: Path, mapping: ColumnMapping, rejected_path: Path) -> History:
    """Read the file; broken rows go to `rejected_path`. Raises `ReplayError`."""
    lazy = _scanned(path, mapping)
    kept: list[pl.DataFrame] = []
    rejected: list[pl.DataFrame] = []
    for batch in _batches(lazy, path):
        typed = _typed(batch, mapping)
        rejected.append(_rejects(typed, mapping))
        kept.append(_fields(typed.filter(pl.col("reason").is_null()), mapping))
    if not kept:
        raise ReplayError(f"{path.name} holds no rows")
    frame = pl.concat(kept)
    again = ~frame["id"].is_first_distinct()
    if again.any():
        rejected.append(_repeated(lazy, frame.filter(again)[ROW], mapping))
        frame = frame.filter(~again)
    broken = pl.concat(rejected, how="diagonal").sort(ROW)
    if broken.height:
        broken.write_csv(rejected_path)
    counts = dict(broken.group_by("reason").len().sort("reason").iter_rows())
    ordered = frame.sort("at_us", maintain_order=True)
    return History(ordered, counts, rejected_path if broken.height else None)


def _repeated(lazy: pl.LazyFrame, rows: pl.Series, mapping: ColumnMapping) -> pl.DataFrame:
    """The rows of these numbers as they stand in the file: read again, for only their fields were kept."""
    reason = pl.lit("the id came before").alias("reason")
    return lazy.filter(pl.col(ROW).is_in(rows.implode())).select(ROW, reason, *_raw(mapping)).collect()


def _scanned(path: Path, mapping: ColumnMapping) -> pl.LazyFrame:
    if not path.is_file():
        raise ReplayError(f"there is no file {path}")
    try:
        if path.suffix.lower() in (".parquet", ".pq"):
            lazy = pl.scan_parquet(path)
        elif path.suffix.lower() in (".csv", ".tsv", ".txt"):
            # Everything is read as text, so that one bad value breaks its row and not the file.
            lazy = pl.scan_csv(
                path,
                separator="\t" if path.suffix.lower() == ".tsv" else ",",
                infer_schema=False,
                truncate_ragged_lines=True,
                encoding="utf8-lossy",
            )
        else:
            raise ReplayError(f"{path.name} is neither .csv, .tsv nor .parquet")
        present = lazy.collect_schema().names()
    except pl.exceptions.PolarsError as error:
        raise ReplayError(f"{path.name} cannot be read: {_first_line(error)}") from None
    check_columns(mapping, present)
    used = list(dict.fromkeys(mapping.columns.values()))
    return lazy.select(used).with_row_index(ROW, offset=1)


def _batches(lazy: pl.LazyFrame, path: Path) -> Iterator[pl.DataFrame]:
    try:
        yield from lazy.collect_batches(chunk_size=BATCH_ROWS, maintain_order=True)
    except pl.exceptions.PolarsError as error:
        raise ReplayError(f"{path.name} cannot be read: {_first_line(error)}") from None


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0][:200]


def _typed(batch: pl.DataFrame, mapping: ColumnMapping) -> pl.DataFrame:
    """The batch with a column `_FIELD` per field, null where it is missing or no such thing, and `reason`."""
    read = batch.with_columns(_read_fields(mapping, batch.schema))
    read = read.with_columns(_digits(read["_currency"]).alias("_digits"))
    read = read.with_columns(_amount_minor(mapping).alias("_amount_minor"))
    return read.with_columns(_reason(mapping))


def _read_fields(mapping: ColumnMapping, schema: Mapping[str, pl.DataType]) -> list[pl.Expr]:
    columns = mapping.columns
    fields = [_text(columns["id"]).alias("_id"), _time(columns["time"], schema).alias("_at_us")]
    for name in TEXTS:
        column, default = columns.get(name), mapping.defaults.get(name)
        if name == "currency" and column is None:
            default = default or DEFAULT_CURRENCY
        text = pl.lit(None, pl.String) if column is None else _text(column)
        text = text if default is None else text.fill_null(default)
        fields.append((_known_funding(text) if name == "card_funding" else text).alias(f"_{name}"))
    label, label_time, items = columns.get("label"), columns.get("label_time"), columns.get("item_count")
    fields.append((pl.lit(None, pl.Boolean) if label is None else _label(label)).alias("_label"))
    none = pl.lit(None, pl.Int64)
    fields.append((none if label_time is None else _time(label_time, schema)).alias("_label_at_us"))
    fields.append(
        (none if items is None else pl.col(items).cast(pl.Int64, strict=False)).alias("_item_count")
    )
    return fields


def _text(column: str) -> pl.Expr:
    text = pl.col(column).cast(pl.String).str.strip_chars()
    return pl.when(text != "").then(text)


def _known_funding(text: pl.Expr) -> pl.Expr:
    """What no event could carry is missing, in every engine alike."""
    lower = text.str.to_lowercase()
    return pl.when(lower.is_in(FUNDINGS)).then(lower)


def _time(column: str, schema: Mapping[str, pl.DataType]) -> pl.Expr:
    """Microseconds since 1970 UTC. Whole numbers are seconds."""
    kind, value = schema[column], pl.col(column)
    if isinstance(kind, pl.Datetime):
        # Times without a zone are UTC; with one, the stored instant is UTC already.
        return value.dt.cast_time_unit("us").dt.epoch("us")
    if kind == pl.Date:
        return value.cast(pl.Datetime("us")).dt.epoch("us")
    if kind.is_numeric():
        return (value.cast(pl.Float64) * 1e6).round().cast(pl.Int64, strict=False)
    text = _text(column)
    naive = [text.str.to_datetime(form, strict=False, time_unit="us").dt.epoch("us") for form in TIME_FORMATS]
    zoned = text.str.to_datetime("%+", strict=False, time_unit="us", time_zone="UTC").dt.epoch("us")
    seconds = (text.cast(pl.Float64, strict=False) * 1e6).round().cast(pl.Int64, strict=False)
    return pl.coalesce([*naive, zoned, seconds])


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


def _amount_minor(mapping: ColumnMapping) -> pl.Expr:
    """Amount in minor units of the row's currency; amounts in major units are rounded half to even."""
    if "amount_minor" in mapping.columns:
        value = pl.col(mapping.columns["amount_minor"]).cast(pl.Float64, strict=False)
        return pl.when(value == value.floor()).then(value).cast(pl.Int64, strict=False)
    value = pl.col(mapping.columns["amount"]).cast(pl.Float64, strict=False)
    scaled = (value * pl.lit(10.0).pow(pl.col("_digits"))).round(mode="half_to_even")
    return pl.when(value.is_finite()).then(scaled).cast(pl.Int64, strict=False)


def _reason(mapping: ColumnMapping) -> pl.Expr:
    """Why a row is broken (the first thing that is wrong), null where it is not."""
    label, label_time = mapping.columns.get("label"), mapping.columns.get("label_time")
    amount = pl.col("_amount_minor")
    amount_given = _text(mapping.columns.get("amount") or mapping.columns["amount_minor"])
    checks = [
        (pl.col("_id").is_null(), "no id"),
        (pl.col("_at_us").is_null(), "no time, or none that can be read"),
        (~pl.col("_at_us").is_between(0, AT_US_MAX), "the time lies outside the years 1970 to 2199"),
        (
            pl.col("_currency").is_null() & amount_given.is_null(),
            "the row is cut short: no amount, no currency",
        ),
        (pl.col("_currency").is_null(), "no currency"),
        (pl.col("_digits").is_null(), "a currency that is not known"),
        (amount.is_null(), "no amount, or none that is a number"),
        (~amount.is_between(0, AMOUNT_MINOR_MAX), "the amount is negative or too large"),
    ]
    if label is not None:
        wrong = _text(label).is_not_null() & pl.col("_label").is_null()
        checks.append((wrong, "the label is neither yes nor no"))
    if label_time is not None:
        readable = pl.col("_label_at_us").is_between(0, AT_US_MAX).fill_null(False)
        wrong = _text(label_time).is_not_null() & ~readable
        checks.append((wrong, "the time of the label cannot be read"))
    reason = pl.lit(None, pl.String)
    for wrong, words in reversed(checks):
        reason = pl.when(wrong.fill_null(False)).then(pl.lit(words)).otherwise(reason)
    return reason.alias("reason")


def _rejects(typed: pl.DataFrame, mapping: ColumnMapping) -> pl.DataFrame:
    """Broken rows as they stand in the file, with the reason in front."""
    return typed.filter(pl.col("reason").is_not_null()).select(ROW, "reason", *_raw(mapping))


def _raw(mapping: ColumnMapping) -> list[pl.Expr]:
    return [pl.col(column).cast(pl.String) for column in dict.fromkeys(mapping.columns.values())]


def _fields(typed: pl.DataFrame, mapping: ColumnMapping) -> pl.DataFrame:
    names = ("id", "at_us", "amount_minor", "item_count", "label", "label_at_us", *TEXTS)
    original = pl.col(mapping.columns["id"]).alias("original_id")
    return typed.select(ROW, original, *(pl.col(f"_{name}").alias(name) for name in names))
