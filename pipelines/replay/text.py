"""Delimited text as batches of rows: the separator is found in the header, and every row has its width.

Read with Python's csv, not with polars, whose reader takes rows of a wrong width for good ones and cannot
say in which row a quotation mark stays open. Scoring takes a hundred times as long as either.
"""

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path

import polars as pl

from pipelines.errors import ReplayError

ROW = "row"
"""1-based number of the data row in the file; empty lines count, though they are no rows."""
CELLS_MISSING = "cells_missing"
"""How many cells a row has less than the header; negative where it has more."""
BATCH_ROWS = 100_000
RECORD_LINES_MAX = 50
"""A row over more lines than any address or comment has comes from a quotation mark that nobody closed."""
SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}
UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True)
class TextFile:
    """A file of delimited text whose header was read."""

    path: Path
    separator: str
    columns: list[str]

    def batches(self, wanted: Sequence[str]) -> Iterator[pl.DataFrame]:
        """The wanted columns as text, empty cells null, with `ROW` and `CELLS_MISSING`.

        Raises `ReplayError`.
        """
        places = [self.columns.index(column) for column in wanted]
        pick, width = itemgetter(*places, -1), len(self.columns)
        schema: dict[str, type[pl.DataType]] = dict.fromkeys(wanted, pl.String)
        schema |= {CELLS_MISSING: pl.Int64, ROW: pl.Int64}
        batch: list[tuple[object, ...]] = []
        for number, record in _records(self.path, self.separator):
            if number == 0 or not record:
                continue
            missing = width - len(record)
            cells = record if missing <= 0 else record + [""] * missing
            batch.append((*pick([*cells, missing]), number))
            if len(batch) == BATCH_ROWS:
                yield _frame(batch, schema)
                batch = []
        if batch:
            yield _frame(batch, schema)


def text_file(path: Path, wanted: Sequence[str], usual: str) -> TextFile:
    """Read the header, by the separator that finds the most of the wanted columns; `usual` before others.

    Raises `ReplayError`.
    """
    found = [TextFile(path, mark, _header(path, mark)) for mark in dict.fromkeys((usual, *SEPARATORS))]
    return max(found, key=lambda file: (len(set(wanted) & set(file.columns)), len(file.columns)))


def _header(path: Path, separator: str) -> list[str]:
    # Not strictly: quotation marks look out of place to the separators that it does not have.
    for _, record in _records(path, separator, strict=False):
        return record
    raise ReplayError(f"{path.name} is empty")


def _frame(batch: list[tuple[object, ...]], schema: dict[str, type[pl.DataType]]) -> pl.DataFrame:
    frame = pl.DataFrame(batch, schema=schema, orient="row")
    return frame.with_columns(pl.col(pl.String).replace("", None))


def _records(path: Path, separator: str, *, strict: bool = True) -> Iterator[tuple[int, list[str]]]:
    """(number, cells) of each record, the header being 0; an empty line has no cells."""
    number, line = 0, 0
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.reader(file, delimiter=separator, strict=strict)
            for record in reader:
                if reader.line_num - line > RECORD_LINES_MAX:
                    raise csv.Error("a row over too many lines")
                yield number, record
                number, line = number + 1, reader.line_num
    except csv.Error:
        place = f"row {number} below the header" if number else "the header"
        raise ReplayError(
            f"{path.name} cannot be read: in {place} (line {line + 1}) a quotation mark is not closed, "
            "or text follows a closing one; inside a value in quotes, write the mark twice"
        ) from None
    except UnicodeDecodeError:
        raise ReplayError(_not_utf8(path)) from None
    except OSError as error:
        raise ReplayError(f"{path} cannot be read: {error.strerror}") from None


def _not_utf8(path: Path) -> str:
    with path.open("rb") as file:
        encoding = "UTF-16" if file.read(2) in UTF16_MARKS else "ISO-8859-1"
        file.seek(0)
        line = next((number for number, text in enumerate(file, 1) if not _is_utf8(text)), 1)
    return (
        f"{path.name} is not UTF-8 (first in line {line}): save it as UTF-8, or convert it, if it is "
        f"{encoding}, by iconv -f {encoding} -t UTF-8 {path.name} > utf8.csv"
    )


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
