"""Disks of a simulated process: SQLite in memory. A commit is durable; a crash undoes what was not committed.

The schemas are written once for all seeds, and every seed starts from a copy of those bytes.
"""

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import nullcontext
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import Connection, Engine, StaticPool, create_engine, update

from gateway.auth import create_key
from gateway.errors import StoreUnavailableError
from gateway.event_recorder import EventRecorder
from gateway.group_commit import GroupCommit
from gateway.people.merchants import create_merchant
from gateway.people.users import create_user
from gateway.processor.store import ProcessorStore
from gateway.scheduling import InlineScheduling, Scheduling
from gateway.store.database import migrate, prepare_sqlite
from gateway.store.reads import SharedReads
from gateway.store.tables import users
from gateway.store.writer import Store, in_one_commit
from simulator.acquirer.books import Books
from tests.gateway_world import FAST, KEYRING, MERCHANT, PASSWORD, START

Faulty = Callable[[], bool]


class Disk(sqlite3.Connection):
    """One file. `fails` says before each commit whether it fails; `committed` hears of each that did not.

    `lies` says after a commit whether it is reported as failed though it is durable, as by a server that goes
    silent or a disk that answers too late.
    """

    commits = 0
    _changes = 0
    fails: Faulty = staticmethod(lambda: False)
    lies: Faulty = staticmethod(lambda: False)
    committed: Callable[[], None] = staticmethod(lambda: None)

    def commit(self) -> None:
        if not self.in_transaction:
            return
        self._before()
        super().commit()
        self._after()

    def execute(self, sql: str, *arguments: Any) -> sqlite3.Cursor:
        if sql != "COMMIT":
            return super().execute(sql, *arguments)
        self._before()
        done = super().execute(sql)
        self._after()
        return done

    def _before(self) -> None:
        if self.fails():
            raise sqlite3.OperationalError("database or disk is full")

    def _after(self) -> None:
        if self.total_changes == self._changes:
            return
        self._changes = self.total_changes
        self.commits += 1
        self.committed()
        if self.lies():
            raise sqlite3.OperationalError("disk I/O error")

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


class _KeptOpen:
    """An engine whose one connection is opened once: SQLAlchemy's opening costs more than most reads."""

    def __init__(self, engine: Engine) -> None:
        self._connection = engine.connect()

    def connect(self) -> nullcontext[Connection]:
        return nullcontext(self._connection)


class SimulatedStore(Store):
    """The gateway's store; now and then it cannot be read."""

    def __init__(self, disk: Disk, scheduling: Scheduling, unreadable: Faulty) -> None:
        super().__init__(engines().engine, scheduling)
        kept_open: Any = _KeptOpen(self.engine.execution_options(weir_reads=True))  # all that reads use of it
        self._reads = SharedReads(kept_open, scheduling)
        self._disk = disk
        self._unreadable = unreadable
        self._found_nothing: dict[Any, int] = {}

    async def read(self, work: Callable[[Connection], Any]) -> Any:
        return await super().read(lambda connection: self._found(connection, work))

    def _found(self, connection: Connection, work: Callable[[Connection], Any]) -> Any:
        if self._unreadable():
            raise StoreUnavailableError("the store cannot read: SQLITE_IOERR")
        # Most reads are polls. What found nothing finds nothing as long as nothing was committed.
        key = _meaning(work)
        if key is not None and self._found_nothing.get(key) == self._disk.commits:
            return []
        found = work(connection)
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


class MerchantKeys(NamedTuple):
    """The merchant's API keys."""

    secret: str
    publishable: str


USER = "ada"
"""The merchant's own person, with the tests' password."""


@cache
def gateway_image() -> tuple[bytes, MerchantKeys]:
    """A store with a merchant, and the merchant's keys."""
    disk = disk_from(b"")
    engine = create_engine("sqlite://", poolclass=StaticPool, creator=lambda: disk)
    prepare_sqlite(engine)
    migrate(engine)
    entropy = _counted()
    recorder = EventRecorder(entropy)

    def begin(connection: Connection) -> MerchantKeys:
        common: dict[str, Any] = {"merchant_id": MERCHANT.id, "mode": "test", "entropy": entropy}
        common |= {"at": START, "actor": "test"}
        create_merchant(connection, recorder, MERCHANT, at=START, actor="test")
        create_user(connection, recorder, name=USER, password=PASSWORD, **common)
        # As the story's hasher keeps it, so that it need not be kept anew in every seed.
        connection.execute(update(users), {"password": FAST.hash(PASSWORD)})
        keys = (
            create_key(connection, recorder, secret=KEYRING.api_keys, publishable=publishable, **common)
            for publishable in (False, True)
        )
        return MerchantKeys(*(key.secret for key in keys))

    keys = in_one_commit(engine, begin)
    return disk.serialize(), keys


@cache
def processor_image() -> bytes:
    return bytes(ProcessorStore(":memory:", InlineScheduling())._database.serialize())


@cache
def acquirer_image() -> bytes:
    return bytes(Books(":memory:")._database.serialize())
