"""Which store the tests of a run, or one test, stand on: SQLite, or a database of their own on PostgreSQL."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg

from gateway.store.database import open_engine

TEMPLATE = "weir_template"


class Stores:
    """The stores of the test that runs; `server` is the URL of a PostgreSQL server, None for SQLite."""

    def __init__(self) -> None:
        self.server: str | None = None
        self._made: list[str] = []

    @contextmanager
    def on(self, server: str | None) -> Iterator[None]:
        """Have new stores on this server, and drop them in the end."""
        before, self.server = self.server, server
        try:
            yield
        finally:
            self.server = before
            if server is not None:
                with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
                    for name in self._made:
                        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
                self._made.clear()

    def url(self, folder: Path) -> str:
        """The URL of the folder's store, which is made, with all its tables, at the first call."""
        if self.server is None:
            path = folder / "gateway.sqlite"
            if folder.exists() and not path.exists():
                path.write_bytes(migrated())
            return f"sqlite:///{path}"
        kept = folder / "store-url"
        if not kept.exists():
            folder.mkdir(parents=True, exist_ok=True)
            kept.write_text(self._cloned())
        return kept.read_text()

    def _cloned(self) -> str:
        name = f"weir_{uuid.uuid4().hex}"
        with psycopg.connect(f"{self.server}/postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
        self._made.append(name)
        return f"{self.server}/{name}"


stores = Stores()


@cache
def migrated() -> bytes:
    """An empty store on SQLite, migrated once for all tests of a run."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "gateway.sqlite"
        open_engine(f"sqlite:///{path}").dispose()
        return path.read_bytes()


def make_template(server: str) -> None:
    """Make the database that each test's is a copy of."""
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {TEMPLATE}")
    open_engine(f"{server}/{TEMPLATE}").dispose()
