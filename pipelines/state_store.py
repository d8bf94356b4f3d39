"""The risk flow's state on disk: changed rows beside Bytewax's recovery, versioned by epoch.

Bytewax keeps only the version number of each epoch; this store keeps the rows. Each version also keeps what
its rows were before (`undo`), so that a flow that resumes at Bytewax's own epoch rolls the rows back to it. A
version is durable before Bytewax hears its number.
"""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from events.crash import crash_point, declare
from pipelines.errors import StateCorruptError, StateFormatError, StateMismatchError

declare(
    {
        "risk.state.writing": "the epoch's rows are not yet durable, nor is Bytewax's version number",
        "risk.state.committed": "the epoch's rows are durable, Bytewax's version number is not",
    }
)

FORMAT = 1
"""Raised whenever the meaning of rows changes; there is no way between formats but reading the log again."""

UNDO_VERSIONS = 120
"""How far back a version can be asked for. Bytewax commits an epoch within one or two of the next."""

SCHEMA = """
CREATE TABLE about (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE rows (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE undo (version INTEGER NOT NULL, key TEXT NOT NULL, value BLOB, PRIMARY KEY (version, key))
    WITHOUT ROWID;
INSERT INTO about VALUES ('format', {format}), ('version', 0), ('undo_from', 0);
"""


class StateStore:
    """Rows by key, at one version; used by one thread of one process.

    >>> import tempfile
    >>> store = StateStore(Path(tempfile.mkdtemp()) / "state.sqlite")
    >>> store.write({"card/7": b"one"}); store.commit(1)
    >>> store.write({"card/7": b"two"}); store.commit(2)
    >>> store.rewind(1); dict(store.rows())
    {'card/7': b'one'}
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._reported():
            fresh = not path.exists() or path.stat().st_size == 0
            path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            if fresh:
                self._connection.executescript("BEGIN;" + SCHEMA.format(format=FORMAT) + "COMMIT;")
            self._check()

    @property
    def version(self) -> int:
        """The last committed version; 0 when nothing was ever committed."""
        return self._number("version")

    def rows(self) -> Iterator[tuple[str, bytes]]:
        """Every row of the committed version."""
        with self._reported():
            yield from self._connection.execute("SELECT key, value FROM rows")

    def write(self, changed: Mapping[str, bytes | None]) -> None:
        """Put (None: remove) rows into the version being made. May be called often: it spreads the work."""
        if not changed:
            return
        with self._reported():
            self._begin()
            making = self.version + 1
            self._connection.executemany(
                "INSERT OR IGNORE INTO undo SELECT ?1, ?2, (SELECT value FROM rows WHERE key = ?2)",
                [(making, key) for key in changed],
            )
            self._connection.executemany(
                "INSERT INTO rows VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
                [(key, value) for key, value in changed.items() if value is not None],
            )
            self._connection.executemany(
                "DELETE FROM rows WHERE key = ?", [(key,) for key, value in changed.items() if value is None]
            )

    def commit(self, version: int) -> None:
        """Make the version durable. Versions follow each other without gaps."""
        if version != self.version + 1:
            raise StateMismatchError(
                f"version {version} cannot follow version {self.version} in {self._path}; "
                "two flows may be writing to it"
            )
        with self._reported():
            self._begin()
            oldest = max(version - UNDO_VERSIONS, self._number("undo_from"))
            self._connection.execute("DELETE FROM undo WHERE version <= ?", (oldest,))
            self._set("undo_from", oldest)
            self._set("version", version)
            crash_point("risk.state.writing")
            self._connection.execute("COMMIT")
            crash_point("risk.state.committed")

    def rewind(self, version: int) -> None:
        """Bring the rows back to an earlier version; raises `StateMismatchError` where that is impossible."""
        newest, oldest = self.version, self._number("undo_from")
        if not oldest <= version <= newest:
            raise StateMismatchError(
                f"{self._path} holds versions {oldest} to {newest}, but the recovery store asks for "
                f"{version}: they do not belong together. {self._ways_out()}"
            )
        with self._reported():
            self._begin()
            for undone in range(newest, version, -1):
                self._undo(undone)
            self._set("version", version)
            self._connection.execute("COMMIT")

    def close(self) -> None:
        self._connection.close()

    def _undo(self, version: int) -> None:
        self._connection.execute(
            "DELETE FROM rows WHERE key IN (SELECT key FROM undo WHERE version = ? AND value IS NULL)",
            (version,),
        )
        self._connection.execute(
            "INSERT INTO rows SELECT key, value FROM undo WHERE version = ? AND value IS NOT NULL "
            "ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            (version,),
        )
        self._connection.execute("DELETE FROM undo WHERE version = ?", (version,))

    def _begin(self) -> None:
        if not self._connection.in_transaction:
            self._connection.execute("BEGIN IMMEDIATE")

    def _number(self, name: str) -> int:
        row = self._connection.execute("SELECT value FROM about WHERE name = ?", (name,)).fetchone()
        return int(row[0])

    def _set(self, name: str, value: int) -> None:
        self._connection.execute("UPDATE about SET value = ? WHERE name = ?", (value, name))

    def _check(self) -> None:
        names = {row[0] for row in self._connection.execute("SELECT name FROM sqlite_master")}
        if "about" not in names:
            raise StateCorruptError(f"{self._path} is a database, but not one of this flow's states")
        found = self._number("format")
        if found != FORMAT:
            raise StateFormatError(
                f"{self._path} has format {found}, this build reads {FORMAT}. Run the build that wrote it. "
                f"{self._ways_out()}"
            )
        verdict = self._connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict)

    @contextmanager
    def _reported(self) -> Iterator[None]:
        """Turn what SQLite says of a damaged file into the folder's own error."""
        try:
            yield
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:
            raise StateCorruptError(f"{self._path} is damaged ({error}). {self._ways_out()}") from error

    def _ways_out(self) -> str:
        return (
            f"Restore the whole folder {self._path.parent} from one backup, or delete it: the flow then "
            "reads the log again from its start."
        )
