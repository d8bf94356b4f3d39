"""Rows of a table by a key: read once in a transaction, several by one statement, written with their like."""

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, NamedTuple

from sqlalchemy import Connection, Table, and_, bindparam, insert, select, update

from gateway.store.batches import Sent, encode_rows, read, record
from gateway.store.memory import rows_of
from gateway.store.several_rows import in_parts, selecting
from gateway.store.statements import Statement, run_together, send_waiting_for

Key = tuple[Any, ...]


class Wanted(NamedTuple):
    """A row that a work is going to look at."""

    rows: "ByKey"
    key: Key


class ByKey:
    """Rows of a table by its columns `names`, one row for each key; its only way to be read by a key.

    What is found is the transaction's own view, and may be of its memory (`gateway.store.memory`).
    """

    def __init__(self, table: Table, *names: str) -> None:
        self._table = table
        self._names = names
        self._key = {f"the_{name}": name for name in names}
        same = [table.c[name] == bindparam(f"the_{name}") for name in names]
        self._one = Statement(select(table).where(and_(*same)))
        self._insert = Statement(insert(table))
        self._update = Statement(update(table).where(and_(*same)), key=self._key)
        self._columns = frozenset(column.name for column in table.columns)
        self._required = frozenset(
            column.name
            for column in table.columns
            if not column.nullable or column.default is not None or column.server_default is not None
        )

    def wanted(self, *key: Any) -> Wanted:
        """Say that a row will be looked for, so that it is read together with others (`Store.write`)."""
        return Wanted(self, key)

    def find(self, connection: Connection, *key: Any) -> Any:
        """The row of this key, None where there is none."""
        known = rows_of(connection, self._table.name)
        if known is not None and key in known:
            return known[key]
        row = self._one.one_or_none(connection, dict(zip(self._key, key, strict=True)))
        if known is not None:
            known[key] = row
        return row

    def insert(self, connection: Connection, row: Mapping[str, Any]) -> None:
        """Keep a new row; what it does not name is null."""
        if not self._required <= row.keys():
            raise TypeError(f"a row of {self.table} lacks {sorted(self._required - row.keys())}")
        self._insert.add_remembered(connection, row)
        self._remember(connection, row)

    def update(self, connection: Connection, row: Mapping[str, Any]) -> None:
        """Write a row that is there, all of it: of one that is remembered, what changes."""
        if row.keys() != self._columns:
            raise TypeError(f"this is no whole row of {self.table}")
        known = rows_of(connection, self._table.name) or {}
        before = known.get(tuple(row[name] for name in self._names))
        changed = {
            name: value
            for name, value in row.items()
            if name not in self._names and (before is None or getattr(before, name) != value)
        }
        if changed:
            place = {name: row[column] for name, column in self._key.items()}
            self._update.add_remembered(connection, {**changed, **place}, row)
            self._remember(connection, row)

    def fetching(self, connection: Connection, keys: Iterable[Key]) -> Iterator[Sent]:
        """What reads the rows that are not known yet."""
        known = rows_of(connection, self._table.name)
        missing = [] if known is None else [key for key in keys if key not in known]
        if connection.dialect.name == "sqlite":
            for part in in_parts(missing):
                text = selecting(self._table, self._names, len(part))
                yield text, [value for key in part for value in key]
        elif missing:
            asked = [dict(zip(self._names, key, strict=True)) for key in missing]
            yield self._text, [encode_rows(asked).decode()]

    def keep(self, connection: Connection, keys: Iterable[Key], found: Iterable[Any]) -> None:
        """Remember what was read, and of the other keys that there is nothing."""
        known = rows_of(connection, self._table.name)
        if known is None:
            return
        rows = [self._one.made(row) for row in found]
        there = {tuple(getattr(row, name) for name in self._names): row for row in rows}
        for key in keys:
            known.setdefault(key, there.get(key))

    @property
    def table(self) -> str:
        """The table's name."""
        return self._table.name

    @cached_property
    def _text(self) -> str:
        columns = ", ".join(f't."{column.name}"' for column in self._table.columns)
        same = (f't."{name}" = {read(self._table, name, name)}' for name in self._names)
        keys = record(self._table, {name: name for name in self._names})
        source = f'{keys} JOIN "{self.table}" AS t ON {" AND ".join(same)}'
        return f"SELECT {columns} FROM {source}"  # noqa: S608  # of declared tables' names alone

    def _remember(self, connection: Connection, row: Mapping[str, Any]) -> None:
        known = rows_of(connection, self._table.name)
        if known is not None:
            key = tuple(row[name] for name in self._names)
            known[key] = self._one.row_of(row)


def fetch(connection: Connection, wanted: Iterable[Wanted]) -> None:
    """Read what several works will look for: one statement a table, on PostgreSQL all in one round trip."""
    keys: dict[ByKey, set[Key]] = {}
    for rows, key in wanted:
        keys.setdefault(rows, set()).add(key)
    asked = [(rows, sent) for rows, several in keys.items() for sent in rows.fetching(connection, several)]
    if asked:
        send_waiting_for(connection, frozenset(rows.table for rows, _ in asked))
        found: dict[ByKey, list[Any]] = {rows: [] for rows, _ in asked}
        for (rows, _), cursor in zip(
            asked, run_together(connection, [sent for _, sent in asked]), strict=True
        ):
            found[rows] += cursor.fetchall()
        for rows, several in found.items():
            rows.keep(connection, keys[rows], several)
