"""Disks of a simulated process: SQLite in memory. A commit is durable; a crash undoes what was not committed.

The schemas are written once for all seeds, and every seed starts from a copy of those bytes.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from functools import cache
from typing import Any

from sqlalchemy import Connection, Engine, StaticPool, create_engine

from gateway.auth import create_key
from gateway.errors import StoreUnavailableError
from gateway.event_recorder import EventRecorder
from gateway.group_commit import GroupCommit
from gateway.people.merchants import create_merchant
from gateway.processor.store import ProcessorStore
from gateway.scheduling import InlineScheduling, Scheduling
from gateway.store.database import migrate, prepare_sqlite
from gateway.store.writer import Store, in_one_commit
from simulator.acquirer.books import Books
from tests.gateway_world import KEYRING, MERCHANT, START

Faulty = Callable[[], bool]


class Disk(sqlite3.Connection):
    """One file. `fails` says before each commit whether it fails; `committed` hears of each that did not."""

    commits = 0
    _changes = 0
    fails: Faulty = staticmethod(lambda: False)
    committed: Callable[[], None] = staticmethod(lambda: None)

    def commit(self) -> None:
        writes = self.in_transaction
        if writes and self.fails():
            raise sqlite3.OperationalError("database or disk is full")
        super().commit()
        if writes:
            self._count()

    def execute(self, sql: str, *arguments: Any) -> sqlite3.Cursor:
        if sql != "COMMIT":
            return super().execute(sql, *arguments)
        if self.fails():
            raise sqlite3.OperationalError("database or disk is full")
        done = super().execute(sql)
        self._count()
        return done

    def _count(self) -> None:
        if self.total_changes != self._changes:
            self._changes = self.total_changes
            self.commits += 1
            self.committed()

    def power_off(self) -> None:
        """What was not committed is gone."""
        if self.in_transaction:
            self.rollback()

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """What is durable now."""
        return super().execute(query).fetchall()


def disk_from(image: bytes) -> Disk:
    disk = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False, factory=Disk)
    if image:
        disk.deserialize(image)
    return disk


class Engines:
    """The engine of the gateway's store: one for all seeds, so that statements are compiled once."""

    def __init__(self) -> None:
        self._disk = disk_from(b"")
        self.engine = create_engine("sqlite://", poolclass=StaticPool, creator=lambda: self._disk)
        prepare_sqlite(self.engine)

    def put(self, disk: Disk) -> Engine:
        """The engine, from now on over another disk."""
        self.engine.dispose()
        self._disk = disk
        return self.engine


@cache
def engines() -> Engines:
    return Engines()


class SimulatedStore(Store):
    """The gateway's store; now and then it cannot be read."""

    def __init__(self, disk: Disk, scheduling: Scheduling, unreadable: Faulty) -> None:
        super().__init__(engines().engine, scheduling)
        self._disk = disk
        self._unreadable = unreadable
        self._found_nothing: dict[Any, int] = {}

    def _read(self, work: Callable[[Connection], Any]) -> Any:
        if self._unreadable():
            raise StoreUnavailableError("the store cannot read: SQLITE_IOERR")
        # Most reads are polls. What found nothing finds nothing as long as nothing was committed.
        key = _meaning(work)
        if key is not None and self._found_nothing.get(key) == self._disk.commits:
            return []
        found = super()._read(work)
        if found == [] and key is not None:
            self._found_nothing[key] = self._disk.commits
        return found


def _meaning(work: Any) -> Any:
    """The same for works that do the same; None where nobody can tell."""
    code, cells = getattr(work, "__code__", None), getattr(work, "__closure__", None)
    if code is None:
        return work
    try:
        key = (code, tuple(cell.cell_contents for cell in cells or ()))
        hash(key)
    except (TypeError, ValueError):
        return None
    return key


class SimulatedProcessorStore(ProcessorStore):
    """The processor's store over a disk that outlives it."""

    def __init__(self, disk: Disk, scheduling: Scheduling) -> None:
        self._database = disk
        self._found_nothing: dict[Callable[[sqlite3.Connection], Any], int] = {}
        self._transactions = GroupCommit(scheduling, "processor store", self._commit)

    async def transact(self, work: Callable[[sqlite3.Connection], Any]) -> Any:
        # As above: most are polls.
        if self._found_nothing.get(work) == self._database.total_changes:
            await asyncio.sleep(0)
            return []
        found = await super().transact(work)
        if found == []:
            self._found_nothing[work] = self._database.total_changes
        return found


class SimulatedBooks(Books):
    """The acquirer's books over a disk that outlives them."""

    def __init__(self, disk: Disk) -> None:
        self._database = disk


def _counted() -> Callable[[int], bytes]:
    made = iter(range(1, 1000))
    return lambda size: (b"\xcd" * 24 + next(made).to_bytes(8, "big"))[-size:]


@cache
def gateway_image() -> tuple[bytes, str]:
    """A store with a merchant, and the merchant's key."""
    disk = disk_from(b"")
    engine = create_engine("sqlite://", poolclass=StaticPool, creator=lambda: disk)
    prepare_sqlite(engine)
    migrate(engine)
    entropy = _counted()
    recorder = EventRecorder(entropy)

    def begin(connection: Connection) -> str:
        create_merchant(connection, recorder, MERCHANT, at=START, actor="test")
        return create_key(
            connection,
            recorder,
            merchant_id=MERCHANT.id,
            mode="test",
            secret=KEYRING.api_keys,
            entropy=entropy,
            at=START,
            actor="test",
        ).secret

    key = in_one_commit(engine, begin)
    return disk.serialize(), key


@cache
def processor_image() -> bytes:
    return bytes(ProcessorStore(":memory:", InlineScheduling())._database.serialize())


@cache
def acquirer_image() -> bytes:
    return bytes(Books(":memory:")._database.serialize())
