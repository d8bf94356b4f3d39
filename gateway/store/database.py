"""Opening the store: engine, durability, and migrations at the program's start."""

from functools import partial
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DBAPIError

from events.crash import crash_point, declare
from events.durable_files import make_folder_durably
from gateway.errors import StoreUnavailableError
from gateway.store import postgresql
from gateway.store.statements import watch_others

declare(
    {
        "gateway.migration.writing": "the store's newest schema is written, its commit is not",
        "gateway.migration.committed": "the store's newest schema is durable, nothing was done with it",
    }
)

PERSONAL = ("subject_keys", "surrogates", "subject_surrogates", "tokens", "intents")
"""Tables of which rows are deleted or blanked where a person is forgotten."""

BUSY_SECONDS = 5.0
"""How long a writer waits for another process: far above one group commit, below a caller's patience."""


def open_engine(url: str, *, synchronous: str = "FULL") -> Engine:
    """An engine whose commits survive a power loss, migrated to the newest version.

    `url` is SQLAlchemy's: `sqlite:///ABSOLUTE/PATH/gateway.sqlite`, `postgresql://USER@HOST/DATABASE`.
    `synchronous` is SQLite's; anything but FULL is for showing what is lost without it. Raises
    `StoreUnavailableError`, and `StoreUnsafeError` where PostgreSQL does not sync.
    """
    place = make_url(url)
    if place.get_backend_name() == "postgresql":
        engine = postgresql.make_engine(place)
        try:
            migrate(engine)
        except DBAPIError as error:
            engine.dispose()
            # The first line alone: those after it may quote rows.
            reason = str(error.orig).partition("\n")[0]
            raise StoreUnavailableError(f"the store cannot be opened: {reason}") from None
        return engine
    # Works run on threads, one at a time, and not always on the one that opened the connection.
    engine = create_engine(
        url, hide_parameters=True, connect_args={"check_same_thread": False, "timeout": BUSY_SECONDS}
    )
    make_folder_durably(Path(engine.url.database or "").absolute().parent)
    prepare_sqlite(engine, synchronous=synchronous)
    migrate(engine)
    return engine


def prepare_sqlite(engine: Engine, *, synchronous: str = "FULL") -> None:
    """Make connections of an engine on SQLite durable, and begin their transactions as the store asks."""
    event.listen(engine, "connect", partial(_make_durable, synchronous))
    event.listen(engine, "begin", _begin_as_asked)
    watch_others(engine)


def open_read_only(url: str) -> Engine:
    """An engine that can only read, and neither makes nor migrates the store."""
    place = make_url(url)
    if place.get_backend_name() == "postgresql":
        return postgresql.make_engine(place, only_reads=True)
    return create_engine(f"sqlite:///file:{place.database}?mode=ro&uri=true", hide_parameters=True)


def migrate(engine: Engine) -> None:
    """Bring the schema to its newest version, in one transaction that other processes wait for."""
    shared = engine.dialect.name == "postgresql"
    with engine.connect().execution_options(weir_writes=not shared) as connection, connection.begin():
        if shared:
            postgresql.take_migration_lock(connection)
        command.upgrade(_alembic(connection), "head")
        crash_point("gateway.migration.writing")
    crash_point("gateway.migration.committed")


def forget_overwritten(engine: Engine) -> None:
    """Leave nothing in the store's files of what was deleted or changed before: empty the write-ahead log.

    Pages are overwritten as soon as they are free (`secure_delete`), the log beside them only when it is
    emptied. Waits for readers and writers of the moment, as long as a writer does; raises
    `StoreUnavailableError` where they never leave it alone.

    On PostgreSQL less is in Weir's hands: the rows' place is freed for others to overwrite. Until then, and
    in the server's write-ahead log until it is recycled, who reads its files may find what was deleted.
    """
    if engine.dialect.name == "postgresql":
        try:
            postgresql.vacuum(engine, PERSONAL)
        except DBAPIError as error:
            raise StoreUnavailableError(
                f"The store was not vacuumed, and may hold what was deleted ({type(error.orig).__name__}). "
                "Do the same again."
            ) from None
        return
    # As a read, for which no transaction is begun: within one SQLite does not empty its log.
    with engine.connect().execution_options(weir_reads=True) as connection:
        busy = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").scalar_one()
    if busy:
        raise StoreUnavailableError(
            "The write-ahead log of the store is in use, and may hold what was deleted. Do the same again."
        )


def downgrade(connection: Connection, revision: str) -> None:
    """Bring the schema back to an older version; what only newer ones hold is lost."""
    command.downgrade(_alembic(connection), revision)


def _alembic(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    config.attributes["connection"] = connection
    return config


def _make_durable(synchronous: str, connection: Any, _record: object) -> None:
    # The driver's own transactions begin late and in the wrong mode; `_begin_as_asked` begins them.
    connection.isolation_level = None
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute(f"PRAGMA synchronous={synchronous}")
    connection.execute("PRAGMA foreign_keys=ON")
    # A key or a name that is deleted shall not stay readable in a free page.
    connection.execute("PRAGMA secure_delete=ON")


def _begin_as_asked(connection: Connection) -> None:
    options = connection.get_execution_options()
    if not options.get("weir_reads"):
        connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("weir_writes") else "BEGIN")
