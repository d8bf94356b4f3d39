"""Several rows in one statement on SQLite.

A statement costs SQLite 3 µs; but while it runs another thread takes the interpreter, and has to be waited
for afterwards. Fewer of them spare the process most of its changes of threads.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import TypeVar

from sqlalchemy import Table

ROWS_MAX = 32
"""Of one statement: some 1,400 values of the widest table, where SQLite takes 32,766."""

R = TypeVar("R")


def in_parts(rows: Sequence[R]) -> Iterator[Sequence[R]]:
    """The rows, parted so that there are few different lengths: each part's is a power of two.

    >>> [len(part) for part in in_parts(range(45))]
    [32, 8, 4, 1]
    """
    start = 0
    while start < len(rows):
        length = min(ROWS_MAX, 1 << (len(rows) - start).bit_length() - 1)
        yield rows[start : start + length]
        start += length


# Nothing but names of declared tables and columns comes into these texts.
@cache
def inserting(table: Table, names: tuple[str, ...], rows: int) -> str:
    """What inserts so many rows, whose values come one row after the other."""
    if any(column.default is not None and column.name not in names for column in table.columns):
        raise TypeError("values that SQLAlchemy would make are not made here")
    into = ", ".join(f'"{name}"' for name in names)
    return f'INSERT INTO "{table.name}" ({into}) {_values(len(names), rows)}'  # see above


@cache
def selecting(table: Table, names: tuple[str, ...], rows: int) -> str:
    """What finds the rows of so many keys in the columns `names`; values come one key after the other."""
    columns = ", ".join(f't."{column.name}"' for column in table.columns)
    same = " AND ".join(f't."{name}" = k.column{number}' for number, name in enumerate(names, 1))
    # Crossed, so that each key is looked up by the index: it is known to read the whole table.
    keys = f"({_values(len(names), rows)}) AS k"
    return f'SELECT {columns} FROM {keys} CROSS JOIN "{table.name}" AS t ON {same}'  # noqa: S608  # see above


def _values(columns: int, rows: int) -> str:
    row = f"({', '.join(['?'] * columns)})"
    return f"VALUES {', '.join([row] * rows)}"
