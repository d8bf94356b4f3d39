"""A file of historical payments, read in batches, typed, and ordered by time.

A row that cannot be used is broken: it is counted, written beside with the reason, and left out. What the
file has no column for, or leaves empty, stays missing.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from pipelines.errors import ReplayError
from pipelines.replay import rows
from pipelines.replay.amounts import has_decimal_comma
from pipelines.replay.mapping import Mapping, check_columns
from pipelines.replay.text import BATCH_ROWS, CELLS_MISSING, ROW, TextFile, text_file

USUAL_SEPARATORS = {".csv": ",", ".txt": ",", ".tsv": "\t"}
PARQUET_SUFFIXES = (".parquet", ".pq")


@dataclass(frozen=True)
class Example:
    """The first row that is broken for a reason, counted as `text.ROW` is.

    `value` is what is to blame, where a single value is.
    """

    row: int
    value: str | None


@dataclass(frozen=True)
class History:
    """Typed payments in time order (file order where times are equal).

    Columns of `frame`: row, original_id, id, at_us, amount_minor, item_count, label, label_at_us and the text
    fields; `label_at_us` is the time at which the label arrived according to the file. `separator` is None
    where it is the usual one of such a file; `lacks_zone`: some times say no zone and were taken as UTC;
    `rounded`: how many amounts had more decimals than their currency.
    """

    frame: pl.DataFrame
    broken: dict[str, int]
    examples: dict[str, Example]
    rejected_path: Path | None
    separator: str | None = None
    decimal_comma: bool = False
    lacks_zone: bool = False
    rounded: int = 0


def read_history(path: Path, mapping: Mapping, rejected_path: Path) -> History:
    """Read the file; broken rows go to `rejected_path`. Raises `ReplayError`."""
    source = _opened(path, mapping)
    kept: list[pl.DataFrame] = []
    rejected: list[pl.DataFrame] = []
    decimal_comma = lacks_zone = False
    for batch in source.batches():
        # The first batch decides for the file, for no file changes its way of writing numbers half-way.
        if not kept and "amount" in mapping.columns:
            decimal_comma = has_decimal_comma(batch[mapping.columns["amount"]])
        typed = rows.typed(batch, mapping, decimal_comma=decimal_comma)
        rejected.append(rows.rejects(typed, mapping))
        kept.append(rows.fields(typed, mapping))
        lacks_zone = lacks_zone or bool(typed["_lacks_zone"].any())
    if not kept:
        raise ReplayError(f"{path.name} holds no rows")
    frame = pl.concat(kept)
    again = ~frame["id"].is_first_distinct()
    if again.any():
        repeated = frame.filter(again)[ROW]
        # Read again, for only their fields were kept.
        rejected.extend(rows.repeated(batch, repeated, mapping) for batch in source.batches())
        frame = frame.filter(~again)
    broken = pl.concat(rejected, how="diagonal").sort(ROW)
    return History(
        frame.drop("rounded").sort("at_us", maintain_order=True),
        dict(broken.group_by("reason").len().sort("reason").iter_rows()),
        _examples(broken, mapping),
        _written(broken, rejected_path),
        separator=source.separator,
        decimal_comma=decimal_comma,
        lacks_zone=lacks_zone,
        rounded=int(frame["rounded"].sum()),
    )


def _written(broken: pl.DataFrame, path: Path) -> Path | None:
    if not broken.height:
        return None
    try:
        broken.write_csv(path)
    except OSError as error:
        raise ReplayError(
            f"broken rows cannot be written to {path} ({error.strerror or error}): "
            "name another file with --rejected"
        ) from None
    return path


def _examples(broken: pl.DataFrame, mapping: Mapping) -> dict[str, Example]:
    to_blame = {check.words: check.field for check in rows.checks(mapping)}
    first = {}
    for row in broken.unique("reason", keep="first", maintain_order=True).iter_rows(named=True):
        column = mapping.columns.get(to_blame.get(row["reason"]) or "")
        first[row["reason"]] = Example(row[ROW], None if column is None else row[column])
    return first


@dataclass(frozen=True)
class _Source:
    """A file whose columns are known; `separator` is None where it is the usual one, or there is none."""

    path: Path
    wanted: Sequence[str]
    file: TextFile | pl.LazyFrame
    separator: str | None

    def batches(self) -> Iterator[pl.DataFrame]:
        """The wanted columns, with `ROW` and `CELLS_MISSING`, from the first row each time it is called."""
        if isinstance(self.file, TextFile):
            yield from self.file.batches(self.wanted)
            return
        rows = self.file.select(self.wanted).with_row_index(ROW, offset=1)
        rows = rows.with_columns(pl.col(ROW).cast(pl.Int64), pl.lit(0, pl.Int64).alias(CELLS_MISSING))
        try:
            yield from rows.collect_batches(chunk_size=BATCH_ROWS, maintain_order=True)
        except (pl.exceptions.PolarsError, OSError) as error:
            raise _unreadable(self.path, error) from None


def _opened(path: Path, mapping: Mapping) -> _Source:
    if not path.is_file():
        raise ReplayError(f"{path} is a folder: give a file" if path.is_dir() else f"there is no file {path}")
    suffix, wanted = path.suffix.lower(), list(dict.fromkeys(mapping.columns.values()))
    if suffix in PARQUET_SUFFIXES:
        try:
            lazy = pl.scan_parquet(path)
            present = lazy.collect_schema().names()
        except (pl.exceptions.PolarsError, OSError) as error:
            raise _unreadable(path, error) from None
        source = _Source(path, wanted, lazy, None)
    elif suffix in USUAL_SEPARATORS:
        text = text_file(path, wanted, USUAL_SEPARATORS[suffix])
        present = text.columns
        found = None if text.separator == USUAL_SEPARATORS[suffix] else text.separator
        source = _Source(path, wanted, text, found)
    else:
        raise ReplayError(f"{path.name} is neither .csv, .tsv nor .parquet")
    check_columns(mapping, present)
    return source


def _unreadable(path: Path, error: Exception) -> ReplayError:
    return ReplayError(f"{path.name} cannot be read: {str(error).strip().splitlines()[0][:200]}")
