"""What a transaction has read or written by key, so that no work of its group asks for it again.

Every write sees one state of the store, with what it wrote itself: that of its transaction. Within one, a row
is what was read first, then what was written last; what is written otherwise than by key makes it forgotten.
"""

from collections.abc import Iterable
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import Connection

Rows = dict[tuple[Any, ...], Any]
"""Key → row; None where there is none."""

_answers: WeakKeyDictionary[Connection, dict[Any, Any]] = WeakKeyDictionary()
_memories: WeakKeyDictionary[Connection, dict[str, Rows]] = WeakKeyDictionary()


def remember_rows(connection: Connection) -> None:
    """From here on, until the transaction ends with its connection."""
    _memories[connection] = {}


def remember_answers(connection: Connection) -> None:
    """From here on what a statement found with the same values: for reads that were asked for before this."""
    _answers[connection] = {}


def answers_of(connection: Connection) -> dict[Any, Any] | None:
    """What was found, by statement and values; None where nothing is remembered."""
    return _answers.get(connection)


def rows_of(connection: Connection, table: str) -> Rows | None:
    """What is known of a table's rows, None where nothing is remembered."""
    memory = _memories.get(connection)
    return None if memory is None else memory.setdefault(table, {})


def forget_rows(connection: Connection, tables: Iterable[str] | None = None) -> None:
    """Look again: at these tables, or at all."""
    if memory := _memories.get(connection):
        for table in list(memory) if tables is None else tables:
            memory.pop(table, None)


def forget_unless_read(connection: Connection, text: str) -> None:
    """What SQLAlchemy runs may change any row, unless it only reads."""
    if not text.startswith("SELECT"):
        forget_rows(connection)
