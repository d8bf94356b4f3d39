"""A program that commits to one of the stores of flows and network, and says so each time.

`python -m tests.integration.keeping_process KIND FOLDER SYNCHRONOUS COUNT` prints a commit's number when it
is durable. Whatever mode a store asks SQLite for, it gets `SYNCHRONOUS`; an empty one leaves it as it is.
"""

import re
import sqlite3
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from pipelines.learning_store import LearningStore
from pipelines.state_store import Point, StateStore
from simulator.acquirer.books import Authorization, Books, Key

AT = datetime(2026, 1, 5, 10, tzinfo=UTC)

FILES = {"state": "home/state.sqlite", "learning": "home/learning.sqlite", "books": "acquirer.sqlite"}
"""Kind → its file below the folder. The network makes no folder for its books."""


def commits_to(kind: str, folder: Path) -> Callable[[int], None]:
    """What commits once, by number, to a store of this kind."""
    path = folder / FILES[kind]
    if kind == "state":
        return partial(_state, StateStore(path))
    if kind == "learning":
        return partial(_learn, LearningStore(path))
    return partial(_authorize, Books(path))


def last_of(kind: str, folder: Path) -> int:
    """The number of the last commit that a store of this kind holds."""
    path = folder / FILES[kind]
    if kind == "state":
        store = StateStore(path)
        assert dict(store.rows()).get("card/7", b"0") == b"%d" % store.version
        return store.version
    if kind == "learning":
        found = LearningStore(path).learner()
        return int(found[0]) if found else 0
    return len(Books(path).states())


def _state(store: StateStore, number: int) -> None:
    store.write({"card/7": b"%d" % number})
    store.commit(Point(version=number))
    store.settle()


def _learn(store: LearningStore, number: int) -> None:
    store.commit(b"%d" % number, number, {"labels/0": number})


def _authorize(books: Books, number: int) -> None:
    key = Key("000001", f"{number:012}", f"{number:06}", "0105100000")
    with books.together():
        books.put(Authorization(key, "card", 100, "EUR", 100, AT, "approved", "00", f"{number:06}"))


class _InMode(sqlite3.Connection):
    """A connection that syncs as the command line says."""

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        return super().execute(
            re.sub(r"(PRAGMA synchronous ?= ?)\w+", rf"\g<1>{sys.argv[3]}", sql), *parameters
        )


def main(kind: str, folder: Path, synchronous: str, count: int) -> None:
    """Commit so often, telling each."""
    if synchronous:
        sqlite3.connect = partial(sqlite3.connect, factory=_InMode)  # type: ignore[assignment]  # the same, but for the mode
    commit = commits_to(kind, folder)
    for number in range(1, count + 1):
        commit(number)
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
