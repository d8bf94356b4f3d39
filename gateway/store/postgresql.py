"""PostgreSQL as the operational store: connections that sync, and that end in time.

Every write is serializable, as it is on SQLite by its nature: what a work read is still so when it commits,
or its group is undone and runs again, alone (`gateway.store.writer`). A reader sees what was committed by
then, statement by statement.
"""

from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError

from gateway.errors import StoreUnsafeError
from gateway.store.statements import watch_others

DRIVER = "postgresql+psycopg"
CONNECT_SECONDS_MAX = 3
STATEMENT_MS_MAX = 5_000
"""A statement that runs, or waits for a lock, for longer is given up: below a caller's patience."""
SILENCE_MS_MAX = 5_000
"""After this long without a sign of life the server counts as gone, and so does a client to the server."""

_RACES = frozenset({"40001", "40P01"})
"""SQLSTATE: could not serialize, deadlock. Nothing of the transaction is kept; again it may well succeed."""
_DUPLICATE = "23505"
_MIGRATION_LOCK = 0x57454952
"""Any number that is Weir's own: who migrates holds it. (The letters spell WEIR.)"""

_DURABLE = {"fsync": ("on",), "full_page_writes": ("on",), "server_encoding": ("UTF8",)}
"""What the server must be set to. `synchronous_commit` may be anything but off, which waits for no sync."""


def make_engine(url: URL, *, only_reads: bool = False) -> Engine:
    """An engine whose connections begin transactions as their work asks, and whose commits are synced.

    Nothing connects yet; the first connection raises `StoreUnsafeError` where the server does not sync.
    """
    engine = create_engine(
        url.set(drivername=DRIVER),
        hide_parameters=True,
        # The statements are few and always the same; one thread reads, one writes, one relays.
        pool_size=4,
        max_overflow=4,
        pool_timeout=CONNECT_SECONDS_MAX,
        connect_args={
            "autocommit": True,
            "connect_timeout": CONNECT_SECONDS_MAX,
            "application_name": "weir",
            "options": _options(only_reads=only_reads),
            "keepalives_idle": 2,
            "keepalives_interval": 1,
            "keepalives_count": 3,
            "tcp_user_timeout": SILENCE_MS_MAX,
        },
    )
    event.listen(engine, "connect", _require_durable)
    event.listen(engine, "begin", _begin_as_asked)
    watch_others(engine)
    return engine


def lost_a_race(error: DBAPIError) -> bool:
    """Whether another process was in the way, so that the same may succeed where it runs alone.

    A duplicate key counts: the other may have put it in since this work looked for it.
    """
    return getattr(error.orig, "sqlstate", None) in (*_RACES, _DUPLICATE)


def take_migration_lock(connection: Connection) -> None:
    """Wait until nobody else migrates; held until the transaction ends."""
    connection.execute(text("SET LOCAL statement_timeout = 0"))
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})


def vacuum(engine: Engine, tables: tuple[str, ...]) -> None:
    """Free what deleted and overwritten rows took in these tables, for new rows to overwrite."""
    with engine.connect().execution_options(weir_reads=True) as connection:
        connection.execute(text("SET statement_timeout = 0"))
        for name in tables:
            connection.execute(text(f"VACUUM {name}"))
        connection.invalidate()  # its time-out is gone, so the pool must not have it again


def _options(*, only_reads: bool) -> str:
    settings = {
        "statement_timeout": STATEMENT_MS_MAX,
        # A process that stops in the middle of a transaction must not hold the others up for good.
        "idle_in_transaction_session_timeout": 2 * STATEMENT_MS_MAX,
        "tcp_user_timeout": SILENCE_MS_MAX,
        "TimeZone": "UTC",
        # What a payment asks for is always behind an index. A plan that reads a whole table, as it was small
        # when the plan was made, slows down as it grows, and conflicts with everybody who writes to it.
        "enable_seqscan": "off",
        "enable_hashjoin": "off",
        "enable_mergejoin": "off",
        "jit": "off",
        "default_transaction_read_only": "on" if only_reads else "off",
    }
    return " ".join(f"-c {name}={value}" for name, value in settings.items())


def _require_durable(connection: Any, _record: object) -> None:
    """Raises `StoreUnsafeError` where an acknowledged commit might not survive a power loss.

    At each connection: the server may have come back with other settings.
    """
    for name, good in {**_DURABLE, "synchronous_commit": ()}.items():
        found = connection.execute(f"SHOW {name}").fetchone()[0]
        if found == "off" or (good and found not in good):
            wanted = good[0] if good else "on"
            raise StoreUnsafeError(f"PostgreSQL has {name} = {found}; the store needs it {wanted}")


def _begin_as_asked(connection: Connection) -> None:
    options = connection.get_execution_options()
    if options.get("weir_reads"):
        return
    if not options.get("weir_writes"):
        connection.exec_driver_sql("BEGIN")
        return
    # Before the first look at anything, so that who waits to be alone sees all that the others committed.
    mode = "EXCLUSIVE" if options.get("weir_alone") else "ROW EXCLUSIVE"
    begin = f"BEGIN ISOLATION LEVEL SERIALIZABLE; LOCK TABLE instances IN {mode} MODE"
    connection.exec_driver_sql(begin, execution_options={"no_parameters": True})  # both in one round trip
