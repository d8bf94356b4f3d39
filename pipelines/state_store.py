"""The risk flow's state on disk: changed rows beside Bytewax's recovery, versioned by epoch.

Bytewax keeps only the version number of each epoch; this store keeps the rows. Each version also keeps what
its rows were before (`undo`), so that a flow that resumes at Bytewax's own epoch rolls the rows back to it. A
version is durable before Bytewax hears its number.
"""

from collections.abc import Generator, Mapping
from pathlib import Path

from events.crash import crash_point, declare
from models.errors import StateRowError
from pipelines.errors import StateFormatError, StateMismatchError
from pipelines.state_file import StateFile

declare(
    {
        "risk.state.writing": "rows of another version are written and not durable, nor is its number",
        "risk.state.committed": "rows of another version are durable, Bytewax does not know its number",
    }
)

FORMAT = 6
"""Raised whenever the meaning of rows changes, the models' own included.

There is no way between formats but reading the log again.
"""

UNDO_VERSIONS = 120
"""How far back a version can be asked for. Bytewax commits an epoch within one or two of the next."""

SCHEMA = """
CREATE TABLE rows (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE undo (version INTEGER NOT NULL, key TEXT NOT NULL, value BLOB, PRIMARY KEY (version, key))
    WITHOUT ROWID;
INSERT INTO about VALUES ('version', 0), ('undo_from', 0);
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
        """Raises `StateFormatError`, `StateCorruptError`."""
        self._file = StateFile(
            path, schema=SCHEMA, format=FORMAT, otherwise="the flow then reads the log again from its start."
        )

    @property
    def version(self) -> int:
        """The last committed version; 0 when nothing was ever committed."""
        return self._number("version")

    def rows(self) -> Generator[tuple[str, bytes], None, None]:
        """Every row of the committed version."""
        return self._file.iterate("SELECT key, value FROM rows")

    def unreadable(self, error: StateRowError) -> StateFormatError:
        """What to say of a row that this build cannot read, with the ways out."""
        return self._file.unreadable(str(error))

    def write(self, changed: Mapping[str, bytes | None]) -> None:
        """Put (None: remove) rows into the version being made. May be called often: it spreads the work."""
        if not changed:
            return
        making = self.version + 1
        self._file.change_many(
            # Only a version's first write to a row finds what the version before left there.
            "INSERT OR IGNORE INTO undo SELECT ?, ?, (SELECT value FROM rows WHERE key = ?)",
            [(making, key, key) for key in changed],
        )
        self._file.change_many(
            "INSERT INTO rows VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            [(key, value) for key, value in changed.items() if value is not None],
        )
        self._file.change_many(
            "DELETE FROM rows WHERE key = ?", [(key,) for key, value in changed.items() if value is None]
        )

    def commit(self, version: int) -> None:
        """Make the version durable. Versions follow each other without gaps."""
        if version != self.version + 1:
            raise StateMismatchError(
                f"version {version} cannot follow version {self.version} in {self._file.path}; "
                "two flows may be writing to it"
            )
        oldest = max(version - UNDO_VERSIONS, self._number("undo_from"))
        self._file.change("DELETE FROM undo WHERE version <= ?", (oldest,))
        self._set("undo_from", oldest)
        self._set("version", version)
        self._make_durable()

    def rewind(self, version: int) -> None:
        """Bring the rows back to an earlier version; raises `StateMismatchError` where that is impossible."""
        newest, oldest = self.version, self._number("undo_from")
        if not oldest <= version <= newest:
            raise StateMismatchError(
                f"{self._file.path} holds versions {oldest} to {newest}, but the recovery store asks for "
                f"{version}: they do not belong together. {self._file.ways_out}"
            )
        for undone in range(newest, version, -1):
            self._undo(undone)
        self._set("version", version)
        self._make_durable()

    def close(self) -> None:
        self._file.close()

    def _make_durable(self) -> None:
        crash_point("risk.state.writing")
        self._file.commit()
        crash_point("risk.state.committed")

    def _undo(self, version: int) -> None:
        self._file.change(
            "DELETE FROM rows WHERE key IN (SELECT key FROM undo WHERE version = ? AND value IS NULL)",
            (version,),
        )
        self._file.change(
            "INSERT INTO rows SELECT key, value FROM undo WHERE version = ? AND value IS NOT NULL "
            "ON CONFLICT (key) DO UPDATE SET value = excluded.value",
            (version,),
        )
        self._file.change("DELETE FROM undo WHERE version = ?", (version,))

    def _number(self, name: str) -> int:
        return int(self._file.rows("SELECT value FROM about WHERE name = ?", (name,))[0][0])

    def _set(self, name: str, value: int) -> None:
        self._file.change("UPDATE about SET value = ? WHERE name = ?", (value, name))
