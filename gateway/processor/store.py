"""The processor's database: one SQLite file, one thread that writes, one sync for all that wait together.

WAL and `synchronous=FULL`: what `transact` has returned survives a power loss.
"""

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal, TypeVar

from events.crash import crash_point, declare
from events.durable_files import make_folder_durably, sync_folder
from gateway.errors import StoreUnavailableError
from gateway.group_commit import GroupCommit
from gateway.scheduling import Scheduling

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

LOCK_WAIT_SECONDS = 5.0

declare(
    {
        "processor.store.committing": "the processor's waiting transactions are written, not durable",
        "processor.store.committed": "the processor's transactions are durable, nobody was told",
        "processor.migration.writing": "a newer schema of the processor's store is written, not durable",
        "processor.migration.committed": "a newer schema of the processor's store is durable",
    }
)

SCHEMA = (
    """
    CREATE TABLE cards (
        token TEXT PRIMARY KEY,
        key_version INTEGER NOT NULL,
        wrapped_key BLOB NOT NULL,
        nonce BLOB NOT NULL,
        content BLOB NOT NULL
    ) STRICT;
    CREATE INDEX cards_by_key_version ON cards (key_version);
    CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT;
    INSERT INTO counters VALUES ('stan', 0);
    CREATE TABLE attempts (
        attempt_id TEXT PRIMARY KEY,
        token TEXT NOT NULL,
        merchant_id TEXT NOT NULL,
        merchant_category TEXT,
        amount_minor INTEGER NOT NULL,
        currency TEXT NOT NULL,
        stan INTEGER NOT NULL,
        reference TEXT NOT NULL,
        transmitted_at TEXT NOT NULL,
        status TEXT NOT NULL CHECK (status IN ('sending', 'approved', 'declined', 'captured', 'reversed')),
        decline_code TEXT,
        approval_code TEXT,
        captured_minor INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE INDEX attempts_in_doubt ON attempts (attempt_id) WHERE status = 'sending';
    CREATE TABLE advices (
        attempt_id TEXT NOT NULL REFERENCES attempts,
        kind TEXT NOT NULL CHECK (kind IN ('capture', 'reversal')),
        first_type TEXT NOT NULL,
        amount_minor INTEGER NOT NULL,
        stan INTEGER NOT NULL,
        transmitted_at TEXT NOT NULL,
        transmissions INTEGER NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('waiting', 'accepted', 'refused')),
        response TEXT,
        PRIMARY KEY (attempt_id, kind)
    ) STRICT;
    CREATE INDEX advices_waiting ON advices (attempt_id) WHERE state = 'waiting';
    """,
    """
    ALTER TABLE attempts ADD COLUMN advice_code TEXT;
    ALTER TABLE attempts ADD COLUMN authorized_minor INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE attempts ADD COLUMN refunded_minor INTEGER NOT NULL DEFAULT 0;
    UPDATE attempts SET authorized_minor = amount_minor WHERE approval_code IS NOT NULL;
    CREATE TABLE increments (
        attempt_id TEXT NOT NULL REFERENCES attempts,
        increment_id TEXT NOT NULL,
        amount_minor INTEGER NOT NULL,
        stan INTEGER NOT NULL,
        transmitted_at TEXT NOT NULL,
        status TEXT NOT NULL CHECK (status IN ('sending', 'approved', 'declined', 'reversed')),
        decline_code TEXT,
        advice_code TEXT,
        PRIMARY KEY (attempt_id, increment_id)
    ) STRICT;
    CREATE INDEX increments_in_doubt ON increments (attempt_id) WHERE status = 'sending';
    DROP INDEX advices_waiting;
    ALTER TABLE advices RENAME TO single_advices;
    CREATE TABLE advices (
        attempt_id TEXT NOT NULL REFERENCES attempts,
        kind TEXT NOT NULL CHECK (kind IN ('capture', 'refund', 'reversal')),
        operation_id TEXT NOT NULL,
        first_type TEXT NOT NULL,
        amount_minor INTEGER NOT NULL,
        final INTEGER NOT NULL CHECK (final IN (0, 1)),
        stan INTEGER NOT NULL,
        transmitted_at TEXT NOT NULL,
        original_stan INTEGER,
        original_transmitted_at TEXT,
        transmissions INTEGER NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('waiting', 'accepted', 'refused')),
        response TEXT,
        PRIMARY KEY (attempt_id, kind, operation_id)
    ) STRICT;
    INSERT INTO advices SELECT attempt_id, kind, iif(kind = 'capture', '1', ''), first_type, amount_minor, 1,
        stan, transmitted_at, NULL, NULL, transmissions, state, response FROM single_advices;
    DROP TABLE single_advices;
    CREATE INDEX advices_waiting ON advices (attempt_id) WHERE state = 'waiting';
    """,
    """
    ALTER TABLE attempts ADD COLUMN eci TEXT;
    CREATE TABLE authentications (
        attempt_id TEXT PRIMARY KEY,
        request BLOB NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('waiting', 'cleared', 'refused', 'done')),
        flow TEXT NOT NULL,
        transaction_id TEXT NOT NULL,
        secret TEXT NOT NULL UNIQUE,
        url TEXT,
        result TEXT,
        eci TEXT,
        proof TEXT,
        expires_us INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX authentications_open ON authentications (attempt_id) WHERE state IN ('waiting', 'cleared');
    """,
    """
    CREATE TABLE rail_orders (
        attempt_id TEXT PRIMARY KEY,
        method TEXT NOT NULL,
        merchant TEXT NOT NULL,
        amount_minor INTEGER NOT NULL,
        currency TEXT NOT NULL,
        is_collect INTEGER NOT NULL CHECK (is_collect IN (0, 1)),
        state TEXT NOT NULL
            CHECK (state IN ('opening', 'waiting', 'approved', 'declined', 'captured', 'reversed')),
        occurred_us INTEGER NOT NULL,
        decline_code TEXT,
        url TEXT,
        link TEXT,
        expires_us INTEGER,
        reference TEXT,
        captured_minor INTEGER NOT NULL DEFAULT 0,
        refunded_minor INTEGER NOT NULL DEFAULT 0
    ) STRICT;
    CREATE TABLE rail_operations (
        attempt_id TEXT NOT NULL REFERENCES rail_orders,
        kind TEXT NOT NULL CHECK (kind IN ('capture', 'refund', 'return')),
        operation_id TEXT NOT NULL,
        amount_minor INTEGER NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('waiting', 'accepted', 'refused')),
        PRIMARY KEY (attempt_id, kind, operation_id)
    ) STRICT;
    CREATE INDEX rail_operations_waiting ON rail_operations (attempt_id) WHERE state = 'waiting';
    """,
    """
    ALTER TABLE authentications ADD COLUMN card TEXT;
    ALTER TABLE authentications ADD COLUMN asked_us INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX authentications_by_card ON authentications (card, asked_us) WHERE flow = 'challenge';
    """,
    """
    CREATE INDEX authentications_ended ON authentications (expires_us) WHERE state IN ('refused', 'done');
    """,
)
"""One entry per version of the schema; `PRAGMA user_version` counts those applied."""


class ProcessorStore:
    """Runs transactions in the order asked; those that wait while a sync runs share the next one."""

    def __init__(
        self, path: Path | Literal[":memory:"], scheduling: Scheduling, *, synchronous: str = "FULL"
    ) -> None:
        self._database = _open(path, synchronous)
        self._transactions: GroupCommit[sqlite3.Connection] = GroupCommit(
            scheduling, "processor store", self._commit
        )
        self.delays = self._transactions.delays
        """How long transactions take, their waiting included."""

    async def transact(self, work: Work[T]) -> T:
        """Run `work` in a transaction of its own; durable when this returns.

        It must touch nothing but its connection, and may run twice. What `work` raises is raised here, and
        its changes are undone. Raises `StoreUnavailableError` where nothing could be written.
        """
        return await self._transactions.run(work)

    def forget_overwritten(self) -> None:
        """Empty the write-ahead log, which holds what was deleted before; raises `StoreUnavailableError`."""
        (busy, _, _) = self._database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise StoreUnavailableError("The write-ahead log of the vault is in use. Do the same again.")

    def close(self) -> None:
        """Close the file; nothing may be waiting."""
        self._database.close()

    def _commit(self, works: list[Work[Any]]) -> list[Any]:
        try:
            # Savepoints are two more statements for each work, and hardly ever needed.
            with suppress(_OneFailedError):
                return self._committed(works, _together)
            return self._committed(works, _each_apart)
        except sqlite3.ProgrammingError:
            # No trouble of the disk's, which passes.
            raise
        except sqlite3.Error as error:
            raise StoreUnavailableError(f"The processor cannot write: {type(error).__name__}.") from None

    def _committed(self, works: list[Work[Any]], run: Callable[..., list[Any]]) -> list[Any]:
        database = self._database
        try:
            database.execute("BEGIN IMMEDIATE")
            results = run(database, works)
            crash_point("processor.store.committing")
            database.execute("COMMIT")
        except (sqlite3.Error, _OneFailedError):
            if database.in_transaction:
                database.execute("ROLLBACK")
            raise
        crash_point("processor.store.committed")
        return results


class _OneFailedError(Exception):
    """One work of several failed, and the others with it: they run again, each apart."""


def _together(database: sqlite3.Connection, works: list[Work[Any]]) -> list[Any]:
    try:
        return [work(database) for work in works]
    except sqlite3.OperationalError:
        raise
    except Exception as error:
        raise _OneFailedError from error


def _each_apart(database: sqlite3.Connection, works: list[Work[Any]]) -> list[Any]:
    return [_attempt(database, work) for work in works]


def _attempt(database: sqlite3.Connection, work: Work[Any]) -> Any:
    """The result of `work`, or what it raised: one that fails takes no other with it."""
    database.execute("SAVEPOINT one")
    try:
        result = work(database)
    except sqlite3.OperationalError:
        raise
    except Exception as error:
        database.execute("ROLLBACK TO one")
        result = error
    database.execute("RELEASE one")
    return result


def _open(path: Path | Literal[":memory:"], synchronous: str) -> sqlite3.Connection:
    if isinstance(path, Path):
        make_folder_durably(path.parent)
    # One thread at a time uses the connection, though not always the one that opened it.
    database = sqlite3.connect(path, timeout=LOCK_WAIT_SECONDS, isolation_level=None, check_same_thread=False)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute(f"PRAGMA synchronous={synchronous}")
    database.execute("PRAGMA foreign_keys=ON")
    # A card that is deleted shall not stay readable in a free page.
    database.execute("PRAGMA secure_delete=ON")
    if isinstance(path, Path):
        path.chmod(0o600)
    _migrate(database)
    if isinstance(path, Path):
        sync_folder(path.parent)
    return database


def _migrate(database: sqlite3.Connection) -> None:
    (applied,) = database.execute("PRAGMA user_version").fetchone()
    for version, statements in enumerate(SCHEMA[applied:], applied + 1):
        database.executescript(f"BEGIN IMMEDIATE;{statements}PRAGMA user_version={version};")
        crash_point("processor.migration.writing")
        database.execute("COMMIT")
        crash_point("processor.migration.committed")
