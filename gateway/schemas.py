"""Which schema each database of a home has, read without changing anything."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from alembic.script import ScriptDirectory

from gateway.processor.store import SCHEMA
from gateway.store import database


@dataclass(frozen=True)
class Schema:
    """One database file, and the schema versions that this build knows, oldest first."""

    path: Path
    known: tuple[str, ...]
    _read: Callable[[sqlite3.Connection], str]

    @property
    def newest(self) -> str:
        """The version that this build writes."""
        return self.known[-1]

    def found(self) -> str:
        """The version in the file; raises `sqlite3.Error` where it is no database."""
        # A plain connect would make a file that is not there.
        with closing(sqlite3.connect(f"file:{self.path}?mode=ro", uri=True)) as connection:
            return self._read(connection)


def schemas(home: Path) -> Iterator[Schema]:
    """The gateway's databases of a home, whether they exist yet or not."""
    scripts = ScriptDirectory(str(Path(database.__file__).with_name("migrations")))
    revisions = tuple(script.revision for script in scripts.walk_revisions())[::-1]
    yield Schema(home / "gateway.sqlite", revisions, _alembic_version)
    yield Schema(
        home / "processor.sqlite", tuple(str(version) for version in range(len(SCHEMA) + 1)), _user_version
    )


def _alembic_version(connection: sqlite3.Connection) -> str:
    return str(connection.execute("SELECT version_num FROM alembic_version").fetchone()[0])


def _user_version(connection: sqlite3.Connection) -> str:
    return str(connection.execute("PRAGMA user_version").fetchone()[0])
