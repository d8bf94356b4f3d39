"""Runs as `sitecustomize` in programs under watch: tells which functions made something durable, and how.

Each place is written down once, beside this file, as `guarded PLACE` where its function, or the one that
called it, passes a crash point; else as `bare PLACE`. Seen are commits of SQLite (a statement outside of a
transaction commits by itself), files that get their name, and what is written to a file by its descriptor.
"""

import os
import sqlite3
import stat
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import CodeType
from typing import Any

HERE = Path(__file__).parent
FRAMES = 2
"""The function that writes, and the one that it writes for."""

WRITING = ("INSERT", "UPDATE", "DELETE", "REPLACE", "CREATE", "DROP", "ALTER")

_connect_unseen = sqlite3.connect
_write_unseen = os.write
_root = ""
_told: set[tuple[CodeType, ...]] = set()
_wrote: set[int] = set()


def _connect(*arguments: Any, **options: Any) -> sqlite3.Connection:
    connection = _connect_unseen(*arguments, **options)
    connection.set_trace_callback(partial(_statement, connection))
    return connection


def _write(descriptor: int, content: bytes) -> int:
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        _tell()
    return _write_unseen(descriptor, content)


def _renamed(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "os.rename" and "__pycache__" not in str(arguments[1]):
        _tell()


def _statement(connection: sqlite3.Connection, text: str) -> None:
    word = text.lstrip().partition(" ")[0].rstrip(";").upper()
    if word in WRITING and connection.in_transaction:
        _wrote.add(id(connection))
    elif word in WRITING:
        _tell()
    elif word in ("COMMIT", "END", "ROLLBACK"):
        if id(connection) in _wrote and word != "ROLLBACK":
            _tell()
        _wrote.discard(id(connection))


def _tell() -> None:
    codes = tuple(_own_code())[:FRAMES]
    if codes in _told or not codes:
        return
    _told.add(codes)
    how = "guarded" if any("crash_point" in code.co_names for code in codes) else "bare"
    places = [f"{code.co_filename.removeprefix(_root)}:{code.co_qualname}" for code in codes]
    with (HERE / f"{os.getpid()}.seen").open("a") as file:
        file.write(f"{how} {' < '.join(places)}\n")


def _own_code() -> Iterator[CodeType]:
    """The functions of the product that are running, the innermost first."""
    frame = sys._getframe()
    while frame := frame.f_back:  # type: ignore[assignment]  # None ends the loop
        name = frame.f_code.co_filename
        if name.startswith(_root) and "site-packages" not in name:
            yield frame.f_code


if (HERE / "watched-root").exists():
    _root = (HERE / "watched-root").read_text()
    sys.addaudithook(_renamed)
    os.write = _write  # type: ignore[assignment]  # it takes what the real one takes
    sqlite3.connect = sqlite3.dbapi2.connect = _connect  # type: ignore[assignment]  # it takes what the real one takes
