"""Statements of the payment's path: compiled once, and run by the driver itself.

SQLAlchemy spends some 15 µs on each execution, and more while other threads run, where SQLite needs 3. Each
statement costs, whatever it says, on PostgreSQL most: what is only written (`add`) waits until somebody may
look at it, at the latest for the commit, and what the works of one group write in one way is one statement
(`gateway.store.batches`).
"""

import sqlite3
from collections import namedtuple
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import psycopg
from psycopg import RawCursor
from sqlalchemy import (
    BigInteger,
    Boolean,
    Connection,
    Delete,
    Engine,
    Insert,
    Integer,
    LargeBinary,
    Select,
    String,
    Table,
    Update,
    event,
)
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.visitors import iterate
from sqlalchemy.types import NullType, TypeEngine

from gateway.store.batches import Batches, Sent
from gateway.store.memory import answers_of, forget_rows, forget_unless_read

Values = Mapping[str, Any]

_AS_THEY_ARE = (BigInteger, Boolean, Integer, LargeBinary, String, NullType)
"""Types whose values the driver takes as they are, and gives so, but for booleans."""


_waiting: WeakKeyDictionary[Connection, Batches] = WeakKeyDictionary()
"""What is to be written; it goes with its connection, never to the pool's next user."""

# Numbered parameters: the driver takes them as they stand, and parses no text.
_NUMBERED = PGDialect_psycopg(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]  # no types there


class _Compiled(NamedTuple):
    text: str
    names: tuple[str, ...]
    constants: dict[str, Any]


class Statement:
    """A statement with named parameters. Its rows have its columns as attributes, and `_asdict()`.

    `key` are the parameters of an update that says nothing of its rows but their primary key, each with its
    column; `or_nothing` lets an insert pass over a row that is there.
    """

    def __init__(
        self,
        core: Select[Any] | Insert | Update | Delete,
        *,
        key: Mapping[str, str] | None = None,
        or_nothing: bool = False,
    ) -> None:
        self.core = core
        self.key = key
        self.suffix = " ON CONFLICT DO NOTHING" if or_nothing else ""
        self.tables = frozenset(each.name for each in iterate(core) if isinstance(each, Table))
        self._compiled: dict[tuple[str, ...], _Compiled] = {}
        self._row: Callable[[Any], Any] = tuple
        self._columns: tuple[str, ...] = ()
        self._booleans: tuple[str, ...] = ()
        if isinstance(core, Select):
            columns = dict(core.selected_columns.items())
            row = namedtuple("Row", list(columns))  # type: ignore[misc]  # known here alone
            self._row = row._make
            self._columns = tuple(columns)
            self._booleans = tuple(name for name, column in columns.items() if _is_boolean(column.type))

    def one_or_none(self, connection: Connection, values: Values) -> Any:
        """The row, None where there is none; there are never several."""
        answers = answers_of(connection)
        if answers is None:
            return self._one_or_none(connection, values)
        asked = (self, *values.items())
        if asked not in answers:
            answers[asked] = self._one_or_none(connection, values)
        return answers[asked]

    def _one_or_none(self, connection: Connection, values: Values) -> Any:
        found = self._run(connection, values).fetchone()
        return None if found is None else self.made(found)

    def all(self, connection: Connection, values: Values) -> Sequence[Any]:
        """All rows."""
        return [self.made(found) for found in self._run(connection, values).fetchall()]

    def run(self, connection: Connection, values: Values) -> int:
        """Write; gives how many rows an update or a delete touched."""
        forget_rows(connection, self.tables)
        return int(self._run(connection, values).rowcount)

    def add(self, connection: Connection, values: Values) -> None:
        """Write, before anybody looks at the table, or before its commit.

        For what nobody counts, and what fails only where another process was in the way.
        """
        forget_rows(connection, self.tables)
        self.add_remembered(connection, values)

    def add_remembered(self, connection: Connection, values: Values, row: Values | None = None) -> None:
        """The same, of a row that the transaction's memory knows as it will be (`gateway.store.by_key`).

        `row` is all of it, so that it can be written with others of which more has changed.
        """
        waiting = _waiting.get(connection)
        if waiting is None:
            waiting = _waiting[connection] = Batches()
        waiting.put(self, values, row)

    def row_of(self, values: Values) -> Any:
        """The row that is found once these are written; what is not named is null."""
        return self._row(map(values.get, self._columns))

    def made(self, found: Any) -> Any:
        """A row of what the driver gave."""
        row = self._row(found)
        if not self._booleans:
            return row
        named = {name: getattr(row, name) for name in self._booleans}
        return row._replace(
            **{name: value if value is None else bool(value) for name, value in named.items()}
        )

    def prepared(self, connection: Connection, values: Values) -> tuple[str, list[Any]]:
        """The text and its values, as the connection's driver takes them."""
        key = connection.dialect.name, *values
        compiled = self._compiled.get(key)
        if compiled is None:
            compiled = self._compiled[key] = _compile(self.core, key[1:], connection, self.suffix)
        given = {**compiled.constants, **values} if compiled.constants else values
        return compiled.text, [given[name] for name in compiled.names]

    def _run(self, connection: Connection, values: Values) -> Any:
        before: list[Sent] = []
        waiting = _waiting.get(connection)
        if waiting is not None and not (isinstance(self.core, Select) and waiting.leaves(self.tables)):
            del _waiting[connection]
            before = waiting.statements(connection)
        return run_together(connection, [*before, self.prepared(connection, values)])[-1]


def watch_others(engine: Engine) -> None:
    """Let what SQLAlchemy itself runs come after what waits, and make forgotten what it may have changed."""
    event.listen(engine, "before_cursor_execute", _send_waiting_first)
    event.listen(engine, "commit", send_waiting)


def _send_waiting_first(connection: Connection, _cursor: object, text: str, *_: object) -> None:
    send_waiting(connection)
    forget_unless_read(connection, text)


def send_waiting(connection: Connection) -> None:
    """Write what `add` was given; what the connection runs otherwise must not come before it."""
    if waiting := _waiting.pop(connection, None):
        run_together(connection, waiting.statements(connection))


def send_waiting_for(connection: Connection, tables: frozenset[str]) -> None:
    """Write it where one of these tables is going to be read."""
    waiting = _waiting.get(connection)
    if waiting is not None and not waiting.leaves(tables):
        send_waiting(connection)


def forget_waiting(connection: Connection) -> None:
    """Write nothing of it: its work is undone."""
    _waiting.pop(connection, None)


def run_together(connection: Connection, several: Sequence[Sent]) -> list[Any]:
    """One after the other, on PostgreSQL in one round trip; gives a cursor for each.

    Raises what SQLAlchemy would, without values.
    """
    if connection.dialect.name == "sqlite":
        return [run_by_driver(connection, text, values) for text, values in several]
    _begin(connection)
    driver: Any = connection.connection.dbapi_connection
    try:
        # Else each would wait for the one before it.
        with driver.pipeline() if len(several) > 1 else nullcontext():
            return [RawCursor(driver).execute(text, values) for text, values in several]
    except psycopg.Error as error:
        if driver.closed:
            connection.exec_driver_sql("SELECT 1")  # SQLAlchemy notices, and drops the pool's others, too
        raise DBAPIError.instance(
            several[-1][0], None, error, psycopg.Error, hide_parameters=True, dialect=connection.dialect
        ) from error


def _begin(connection: Connection) -> None:
    """In the transaction that SQLAlchemy would begin now, where there is none."""
    if not connection.in_transaction():
        connection.begin()


def run_by_driver(connection: Connection, text: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
    """Run a statement's text on SQLite, in the transaction that SQLAlchemy began or now begins.

    Raises what SQLAlchemy would, without the values.
    """
    _begin(connection)
    driver: Any = connection.connection.dbapi_connection
    try:
        cursor: sqlite3.Cursor = driver.execute(text, values)
    except sqlite3.Error as error:
        raise DBAPIError.instance(
            text, None, error, sqlite3.Error, hide_parameters=True, dialect=connection.dialect
        ) from error
    return cursor


@contextmanager
def apart(connection: Connection) -> Iterator[None]:
    """What is written within is undone, and nothing else, where it raises: a savepoint."""
    if connection.dialect.name != "sqlite":
        with connection.begin_nested():
            try:
                yield
            except BaseException:
                forget_waiting(connection)
                forget_rows(connection)
                raise
            send_waiting(connection)
        return
    send_waiting(connection)
    run_by_driver(connection, "SAVEPOINT apart")
    try:
        yield
        send_waiting(connection)
    except BaseException:
        # After a full disk and its like SQLite has undone the whole transaction: this raises then, too, and
        # nothing more is written.
        forget_waiting(connection)
        forget_rows(connection)
        run_by_driver(connection, "ROLLBACK TO apart")
        run_by_driver(connection, "RELEASE apart")
        raise
    run_by_driver(connection, "RELEASE apart")


def _compile(core: Any, given: tuple[str, ...], connection: Connection, suffix: str) -> _Compiled:
    dialect = connection.dialect if connection.dialect.name == "sqlite" else _NUMBERED
    compiled = core.compile(dialect=dialect, column_keys=list(given))
    if compiled.insert_prefetch or compiled.update_prefetch:
        raise TypeError("values that SQLAlchemy would make are not made here")
    for bound in compiled.binds.values():
        _require_as_it_is(bound.type)
        if bound.expanding:
            raise TypeError("the text of a statement depends on how many values it is given")
    constants = {name: value for name, value in compiled.params.items() if name not in given}
    return _Compiled(f"{compiled}{suffix}", tuple(compiled.positiontup), constants)


def _is_boolean(type_: TypeEngine[Any]) -> bool:
    _require_as_it_is(type_)
    return isinstance(type_, Boolean)


def _require_as_it_is(type_: TypeEngine[Any]) -> None:
    if not isinstance(type_, _AS_THEY_ARE):
        raise TypeError(f"values of type {type_} are not the driver's own")
