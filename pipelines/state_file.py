"""A flow's own SQLite file: made or opened, checked, its damage named.

Used by one thread of one process.
"""

import re
import sqlite3
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from events.crash import crash_point, declare
from events.durable_files import make_folder_durably, sync_folder
from pipelines.errors import StateCorruptError, StateFormatError

declare(
    {
        "state.file.making": "the tables of a flow's new file are written, not durable",
        "state.file.made": "a flow's new file is durable, with nothing in it yet",
    }
)

ABOUT = "CREATE TABLE about (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"

Parameters = Sequence[Any]
Synchronous = Literal["FULL", "NORMAL"]


class StateFile:
    """Statements on the file; what SQLite says of a damaged one becomes `StateCorruptError`.

    Other trouble of SQLite's (a full disk, a lock) comes through as it is: the flow stops, and starts again.
    """

    def __init__(
        self,
        path: Path,
        *,
        schema: str,
        format: int,
        ways_out: str,
        synchronous: Synchronous = "FULL",
        looks_through: bool = True,
    ) -> None:
        """`schema` makes the tables of a new file; `ways_out` says what to do about one that cannot be used.

        With `synchronous` NORMAL no commit but the file's making waits for the disk: a power loss may drop
        the last ones. With `looks_through` every page is looked at: damage is found now, and not when it is
        met; it takes seconds for each GB.

        Raises `StateFormatError` and `StateCorruptError`.
        """
        self.path = path
        self.ways_out = ways_out
        self._tables = {"about", *re.findall(r"CREATE TABLE (\w+)", schema)}
        with self.reported():
            make_folder_durably(path.parent)
            self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            if not self._present():
                self._make(schema, format)
            self._connection.execute(f"PRAGMA synchronous = {synchronous}")
            self._check(format, looks_through)

    def rows(self, statement: str, parameters: Parameters = ()) -> list[tuple[Any, ...]]:
        """Every row that a statement gives."""
        with self.reported():
            return self._connection.execute(statement, parameters).fetchall()

    def iterate(self, statement: str) -> Generator[Any, None, None]:
        """The rows one by one, for those who do not want all of them at once."""
        with self.reported():
            yield from self._connection.execute(statement)

    def change(self, statement: str, parameters: Parameters = ()) -> None:
        """One statement of the open transaction, which begins with the first."""
        with self.reported():
            self._begin()
            self._connection.execute(statement, parameters)

    def change_many(self, statement: str, parameters: Iterable[Parameters]) -> None:
        """The same statement for each of the parameters."""
        with self.reported():
            self._begin()
            self._connection.executemany(statement, parameters)

    def commit(self) -> None:
        """Make the open transaction durable."""
        with self.reported():
            self._begin()
            self._connection.execute("COMMIT")

    def unreadable(self, what: str) -> StateFormatError:
        """For content that is whole to SQLite, and nothing to this build."""
        return StateFormatError(f"{self.path}: {what}. Run the build that wrote it. {self.ways_out}")

    def damaged(self, what: str) -> StateCorruptError:
        """For content that is not what was written."""
        return StateCorruptError(f"{self.path} is damaged ({what}). {self.ways_out}")

    def set_up(self, pragma: str) -> None:
        """Set how SQLite works for this connection."""
        with self.reported():
            self._connection.execute(pragma)

    def close(self) -> None:
        """What was not committed is gone."""
        self._connection.close()

    @contextmanager
    def reported(self) -> Iterator[None]:
        """Turn what SQLite says of a damaged file into the folder's own error."""
        try:
            yield
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:
            raise self.damaged(str(error)) from error

    def _make(self, schema: str, format: int) -> None:
        self._connection.executescript(f"BEGIN IMMEDIATE; {ABOUT} {schema}")
        self._connection.execute("INSERT INTO about VALUES ('format', ?)", (format,))
        crash_point("state.file.making")
        self._connection.execute("COMMIT")
        sync_folder(self.path.parent)
        crash_point("state.file.made")

    def _present(self) -> set[str]:
        """The tables; none in a file that a crash left before it was made, whatever its size."""
        return {row[0] for row in self._connection.execute("SELECT name FROM sqlite_master")}

    def _begin(self) -> None:
        if not self._connection.in_transaction:
            self._connection.execute("BEGIN IMMEDIATE")

    def _check(self, format: int, looks_through: bool) -> None:
        if not self._tables <= self._present():
            raise StateCorruptError(
                f"{self.path} is a database, but not the one that this flow keeps there. {self.ways_out}"
            )
        found = self._connection.execute("SELECT value FROM about WHERE name = 'format'").fetchone()
        if found is None or found[0] != format:
            raise StateFormatError(
                f"{self.path} has format {found[0] if found else 'unknown'}, this build reads {format}. "
                f"Run the build that wrote it. {self.ways_out}"
            )
        if not looks_through:
            return
        verdict = self._connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict)
