"""Which schema each database of a home has, read without changing anything."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from alembic.script import ScriptDirectory
from sqlalchemy import make_url, text
from sqlalchemy.exc import DBAPIError

from gateway.errors import GatewayError
from gateway.processor.store import SCHEMA
from gateway.store import database, postgresql
from gateway.store.finding import store_url


class SchemaUnreadableError(Exception):
    """There is something where the database is to be, and its schema cannot be read."""


@dataclass(frozen=True)
class Schema:
    """One database, and the schema versions that this build knows, oldest first."""

    name: str
    known: tuple[str, ...]
    found: Callable[[], str | None]
    """Reads its version: None where it is yet to be made; raises `SchemaUnreadableError`."""

    @property
    def newest(self) -> str:
        """The version that this build writes."""
        return self.known[-1]


def schemas(home: Path) -> Iterator[Schema]:
    """The gateway's databases of a home, whether they exist yet or not."""
    scripts = ScriptDirectory(str(Path(database.__file__).with_name("migrations")))
    revisions = tuple(script.revision for script in scripts.walk_revisions())[::-1]
    url = store_url(home)
    if url.startswith("postgresql:"):
        yield Schema(url, revisions, partial(_on_postgresql, url))
    else:
        path = home / "gateway.sqlite"
        yield Schema(path.name, revisions, partial(_in_file, path, _alembic_version))
    numbers = tuple(str(version) for version in range(len(SCHEMA) + 1))
    path = home / "processor.sqlite"
    yield Schema(path.name, numbers, partial(_in_file, path, _user_version))


def _in_file(path: Path, read: Callable[[sqlite3.Connection], str]) -> str | None:
    if not path.exists():
        return None
    try:
        # A plain connect would make a file that is not there.
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            return read(connection)
    except sqlite3.Error as error:
        raise SchemaUnreadableError(str(error)) from None


def _on_postgresql(url: str) -> str | None:
    engine = postgresql.make_engine(make_url(url), only_reads=True)
    try:
        with engine.connect().execution_options(weir_reads=True) as connection:
            if connection.execute(text("SELECT to_regclass('alembic_version')")).scalar() is None:
                return None
            return str(connection.execute(text("SELECT version_num FROM alembic_version")).scalar_one())
    except GatewayError as error:
        raise SchemaUnreadableError(error.message) from None
    except DBAPIError as error:
        raise SchemaUnreadableError(f"cannot be reached ({type(error.orig).__name__})") from None
    finally:
        engine.dispose()


def _alembic_version(connection: sqlite3.Connection) -> str:
    return str(connection.execute("SELECT version_num FROM alembic_version").fetchone()[0])


def _user_version(connection: sqlite3.Connection) -> str:
    return str(connection.execute("PRAGMA user_version").fetchone()[0])
