"""Statements of the payment's path: compiled once, and on SQLite run by the driver itself.

SQLAlchemy spends some 15 µs on each execution, and more while other threads run, where SQLite needs 3: a
payment has nearly forty. On PostgreSQL, whose round trips cost far more, SQLAlchemy runs them as any other.
"""

import sqlite3
from collections import namedtuple
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

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
from sqlalchemy.exc import DBAPIError
from sqlalchemy.types import NullType, TypeEngine

Values = Mapping[str, Any]

_AS_THEY_ARE = (BigInteger, Boolean, Integer, LargeBinary, String, NullType)
"""Types whose values the driver takes as they are, and gives so, but for booleans."""


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
        if connection.dialect.name != "sqlite":
            return connection.execute(self.core, values).one_or_none()
        found = self._run(connection, values).fetchone()
        return None if found is None else self._made(found)

    def all(self, connection: Connection, values: Values) -> Sequence[Any]:
        """All rows."""
        if connection.dialect.name != "sqlite":
            return connection.execute(self.core, values).all()
        return [self._made(found) for found in self._run(connection, values).fetchall()]

    def run(self, connection: Connection, values: Values) -> int:
        """Write; gives how many rows an update or a delete touched."""
        if connection.dialect.name != "sqlite":
            return connection.execute(self.core, values).rowcount
        return self._run(connection, values).rowcount

    def _made(self, found: Any) -> Any:
        row = self._row(found)
        if not self._booleans:
            return row
        named = {name: getattr(row, name) for name in self._booleans}
        return row._replace(
            **{name: value if value is None else bool(value) for name, value in named.items()}
        )

    def _run(self, connection: Connection, values: Values) -> sqlite3.Cursor:
        key = tuple(values)
        compiled = self._compiled.get(key)
        if compiled is None:
            compiled = self._compiled[key] = _compile(self.core, key, connection)
        given = {**compiled.constants, **values} if compiled.constants else values
        return run_by_driver(connection, compiled.text, [given[name] for name in compiled.names])


def run_by_driver(connection: Connection, text: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
    """Run a statement's text on SQLite, in the transaction that SQLAlchemy began or now begins.

    Raises what SQLAlchemy would, without the values.
    """
    if not connection.in_transaction():
        connection.begin()
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
            yield
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
    compiled = core.compile(dialect=connection.dialect, column_keys=list(given))
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
