"""Writes that wait for each other: those of one form are one statement, on PostgreSQL with rows as JSON.

PostgreSQL spends as much on a statement as on several rows, and so does the driver on its parameters: of
`unnest` with an array for each column, of one statement for each row in a pipeline, and of this, this costs
both sides least (`ARCHITECTURE.md`).
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import Connection, Insert, LargeBinary, String, Table, Update
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeEngine

from gateway.store.several_rows import in_parts, inserting

if TYPE_CHECKING:
    from gateway.store.statements import Statement

Values = Mapping[str, Any]
Sent = tuple[str, Sequence[Any]]

# Bytes go as base64, which PostgreSQL reads again.
encode_rows = msgspec.json.Encoder().encode
_DIALECT = postgresql.dialect()  # type: ignore[no-untyped-call]  # no types there


class _Batch:
    """Rows that one statement writes; of an update, by their keys."""

    def __init__(self, statement: "Statement", names: tuple[str, ...]) -> None:
        self.statement = statement
        self.names = names
        self._rows: list[Values] = []
        self._by_key: dict[tuple[Any, ...], Values] = {}

    def put(self, values: Values, row: Values | None) -> None:
        key = self.statement.key
        if key is None:
            self._rows.append(values)
            return
        # Of two the later one counts, which has what the earlier one has changed, too.
        self._by_key[tuple(values[name] for name in key)] = values if row is None else {**row, **values}
        self.names += tuple(name for name in values if name not in self.names)

    def __len__(self) -> int:
        return len(self._rows) + len(self._by_key)

    def takes(self, statement: "Statement", names: tuple[str, ...], row: Values | None) -> bool:
        """Whether a write can go with these: one that has its whole row, whatever it changes."""
        return self.statement is statement and (row is not None or self.names == names)

    def sent(self, connection: Connection) -> Iterator[Sent]:
        rows = self._rows or [{name: row[name] for name in self.names} for row in self._by_key.values()]
        if len(rows) > 1 and connection.dialect.name != "sqlite":
            yield _text(self.statement, self.names), [encode_rows(rows).decode()]
        elif self.statement.key is not None:
            # Changed one by one: SQLite would look for each row of a statement anyway.
            yield from (self.statement.prepared(connection, row) for row in rows)
        else:
            for part in in_parts(rows):
                yield self._inserted(connection, part)

    def _inserted(self, connection: Connection, rows: Sequence[Values]) -> Sent:
        if len(rows) == 1:
            return self.statement.prepared(connection, rows[0])
        text = inserting(_table(self.statement), self.names, len(rows)) + self.statement.suffix
        return text, [row[name] for row in rows for name in self.names]


class Batches:
    """What one connection has to write, in an order that comes to the same as the one it was put in."""

    def __init__(self) -> None:
        self.waiting: list[_Batch] = []
        self._inserts: dict[str, _Batch] = {}
        self._last: dict[str, _Batch] = {}

    def put(self, statement: "Statement", values: Values, row: Values | None = None) -> None:
        """Put a write behind the others, or where it changes nothing about them."""
        (table,) = statement.tables
        names = tuple(values)
        if isinstance(statement.core, Insert):
            # A new row may come before changes of others, so that these do not part it from its like.
            like = self._inserts.get(table)
        elif statement.key is not None:
            like = self._last.get(table)
        else:
            # Which rows it changes may depend on all that was written before.
            like = None
            self._inserts.pop(table, None)
        if like is None or not like.takes(statement, names, row):
            like = self._last[table] = _Batch(statement, names)
            self.waiting.append(like)
            if isinstance(statement.core, Insert):
                self._inserts[table] = like
        like.put(values, row)

    def leaves(self, tables: frozenset[str]) -> bool:
        """Whether none of these tables is written to."""
        return tables.isdisjoint(self._last)

    def statements(self, connection: Connection) -> list[Sent]:
        """What is to be sent, in its order."""
        return [sent for batch in self.waiting for sent in batch.sent(connection)]


def record(table: Table, columns: Mapping[str, str]) -> str:
    """The rows of a statement's parameter as a relation `r`; `columns` are its names, and the table's."""
    kinds = (f'"{name}" {_kind(table.c[column].type)}' for name, column in columns.items())
    return f"json_to_recordset($1::json) AS r({', '.join(kinds)})"


def read(table: Table, name: str, column: str) -> str:
    """A column of that relation as the table's column takes it."""
    return f"decode(r.\"{name}\", 'base64')" if _is_bytes(table.c[column].type) else f'r."{name}"'


# Nothing but names of declared tables and columns comes into these texts; what is written is their parameter.
@cache
def _text(statement: "Statement", names: tuple[str, ...]) -> str:
    core, key = statement.core, statement.key or {}
    table = _table(statement)
    columns = {name: key.get(name, name) for name in names}
    values = {column: read(table, name, column) for name, column in columns.items()}
    if isinstance(core, Update):
        changed = ", ".join(f'"{name}" = {values[name]}' for name in names if name not in key)
        same = " AND ".join(f't."{column}" = {values[column]}' for column in key.values())
        source = record(table, columns)
        return f'UPDATE "{table.name}" AS t SET {changed} FROM {source} WHERE {same}'  # noqa: S608  # see above
    if any(column.default is not None and column.name not in names for column in table.columns):
        raise TypeError("values that SQLAlchemy would make are not made here")
    into = ", ".join(f'"{name}"' for name in names)
    source, order = record(table, columns), ""
    if table.autoincrement_column is not None:
        # The rows get their numbers in the order in which they were put.
        source, order = source.replace(" AS r(", " AS ("), ' ORDER BY r."place"'
        source = f'ROWS FROM ({source}) WITH ORDINALITY AS r({into}, "place")'
    selected = f"SELECT {', '.join(values.values())} FROM {source}{order}"  # noqa: S608  # see above
    return f'INSERT INTO "{table.name}" ({into}) {selected}{statement.suffix}'


def _table(statement: "Statement") -> Table:
    core = statement.core
    if not isinstance(core, Insert | Update) or not isinstance(core.table, Table):
        raise TypeError("only rows of a table are written together")
    return core.table


def _kind(type_: TypeEngine[Any]) -> str:
    # As text without a length, which the column itself looks at.
    if isinstance(type_, String) or _is_bytes(type_):
        return "text"
    return type_.compile(dialect=_DIALECT)


def _is_bytes(type_: TypeEngine[Any]) -> bool:
    return isinstance(type_, LargeBinary)
