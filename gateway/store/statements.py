"""Statements of the payment's path: compiled once, and run by the driver itself.

SQLAlchemy spends some 15 µs on each execution, and more while other threads run, where SQLite needs 3: a
payment has nearly forty. On PostgreSQL round trips cost most: what is only written (`add`) waits for the
connection's next statement, and goes to the server with it (libpq's pipeline).
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
    Insert,
    Integer,
    LargeBinary,
    Select,
    String,
    Update,
)
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import NullType, TypeEngine

Values = Mapping[str, Any]

_AS_THEY_ARE = (BigInteger, Boolean, Integer, LargeBinary, String, NullType)
"""Types whose values the driver takes as they are, and gives so, but for booleans."""


_waiting: WeakKeyDictionary[Connection, list[tuple[str, list[Any]]]] = WeakKeyDictionary()
"""What is to be written; it goes with its connection, never to the pool's next user."""

# Numbered parameters: the driver takes them as they stand, and parses no text.
_NUMBERED = PGDialect_psycopg(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]  # no types there


class _Compiled(NamedTuple):
    text: str
    names: tuple[str, ...]
    constants: dict[str, Any]


class Statement:
    """A statement with named parameters. Its rows have its columns as attributes, and `_asdict()`."""

    def __init__(self, core: Select[Any] | Insert | Update | Delete) -> None:
        self.core = core
        self._compiled: dict[tuple[str, ...], _Compiled] = {}
        self._row: Callable[[Any], Any] = tuple
        self._booleans: tuple[str, ...] = ()
        if isinstance(core, Select):
            columns = dict(core.selected_columns.items())
            row = namedtuple("Row", list(columns))  # type: ignore[misc]  # known here alone
            self._row = row._make
            self._booleans = tuple(name for name, column in columns.items() if _is_boolean(column.type))

    def one_or_none(self, connection: Connection, values: Values) -> Any:
        """The row, None where there is none; there are never several."""
        found = self._run(connection, values).fetchone()
        return None if found is None else self._made(found)

    def all(self, connection: Connection, values: Values) -> Sequence[Any]:
        """All rows."""
        return [self._made(found) for found in self._run(connection, values).fetchall()]

    def run(self, connection: Connection, values: Values) -> int:
        """Write; gives how many rows an update or a delete touched."""
        return int(self._run(connection, values).rowcount)

    def add(self, connection: Connection, values: Values) -> None:
        """Write, on PostgreSQL with the connection's next statement, or before its commit.

        For what nobody counts, and what fails only where another process was in the way.
        """
        if connection.dialect.name == "sqlite":
            self._run(connection, values)
        else:
            _waiting.setdefault(connection, []).append(self._prepared(connection, values))

    def _made(self, found: Any) -> Any:
        row = self._row(found)
        if not self._booleans:
            return row
        named = {name: getattr(row, name) for name in self._booleans}
        return row._replace(
            **{name: value if value is None else bool(value) for name, value in named.items()}
        )

    def _run(self, connection: Connection, values: Values) -> Any:
        return _run_text(connection, *self._prepared(connection, values))

    def _prepared(self, connection: Connection, values: Values) -> tuple[str, list[Any]]:
        key = connection.dialect.name, *values
        compiled = self._compiled.get(key)
        if compiled is None:
            compiled = self._compiled[key] = _compile(self.core, key[1:], connection)
        given = {**compiled.constants, **values} if compiled.constants else values
        return compiled.text, [given[name] for name in compiled.names]


def _run_text(connection: Connection, text: str, values: Sequence[Any]) -> Any:
    if connection.dialect.name == "sqlite":
        return run_by_driver(connection, text, values)
    return _run_on_postgresql(connection, [*_waiting.pop(connection, ()), (text, values)])


def send_waiting(connection: Connection) -> None:
    """Write what `add` was given; what the connection runs otherwise must not come before it."""
    if waiting := _waiting.pop(connection, None):
        _run_on_postgresql(connection, waiting)


def forget_waiting(connection: Connection) -> None:
    """Write nothing of it: its work is undone."""
    _waiting.pop(connection, None)


def _run_on_postgresql(connection: Connection, several: Sequence[tuple[str, Sequence[Any]]]) -> Any:
    """All in one round trip; gives the last one's cursor. Raises what SQLAlchemy would, without values."""
    _begin(connection)
    driver: Any = connection.connection.driver_connection
    cursor: Any = None
    try:
        with driver.pipeline() if len(several) > 1 else nullcontext():
            for text, values in several:
                cursor = RawCursor(driver)
                cursor.execute(text, values)
    except psycopg.Error as error:
        if driver.closed:
            connection.exec_driver_sql("SELECT 1")  # SQLAlchemy notices, and drops the pool's others, too
        raise DBAPIError.instance(
            several[-1][0], None, error, psycopg.Error, hide_parameters=True, dialect=connection.dialect
        ) from error
    return cursor


def _begin(connection: Connection) -> None:
    """In the transaction that SQLAlchemy would begin now, where there is none."""
    if not connection.in_transaction():
        connection.begin()


def run_by_driver(connection: Connection, text: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
    """Run a statement's text on SQLite, in the transaction that SQLAlchemy began or now begins.

    Raises what SQLAlchemy would, without the values.
    """
    _begin(connection)
    driver: Any = connection.connection.driver_connection
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
                raise
            send_waiting(connection)
        return
    run_by_driver(connection, "SAVEPOINT apart")
    try:
        yield
    except BaseException:
        # After a full disk and its like SQLite has undone the whole transaction: this raises then, too, and
        # nothing more is written.
        run_by_driver(connection, "ROLLBACK TO apart")
        run_by_driver(connection, "RELEASE apart")
        raise
    run_by_driver(connection, "RELEASE apart")


def _compile(core: Any, given: tuple[str, ...], connection: Connection) -> _Compiled:
    dialect = connection.dialect if connection.dialect.name == "sqlite" else _NUMBERED
    compiled = core.compile(dialect=dialect, column_keys=list(given))
    if compiled.insert_prefetch or compiled.update_prefetch:
        raise TypeError("values that SQLAlchemy would make are not made here")
    for bound in compiled.binds.values():
        _require_as_it_is(bound.type)
        if bound.expanding:
            raise TypeError("the text of a statement depends on how many values it is given")
    constants = {name: value for name, value in compiled.params.items() if name not in given}
    return _Compiled(str(compiled), tuple(compiled.positiontup), constants)


def _is_boolean(type_: TypeEngine[Any]) -> bool:
    _require_as_it_is(type_)
    return isinstance(type_, Boolean)


def _require_as_it_is(type_: TypeEngine[Any]) -> None:
    if not isinstance(type_, _AS_THEY_ARE):
        raise TypeError(f"values of type {type_} are not the driver's own")
