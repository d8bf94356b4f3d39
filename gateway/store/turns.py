"""What one process at a time does for all on a shared store: whose turn it is, and how to wake it.

The turn is a lock of PostgreSQL that a connection holds, and all that its holder reads, it reads through that
connection: who has lost the turn cannot read on without noticing. SQLite has one process, whose turn it is.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol, TypeVar

import psycopg
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from gateway.errors import StoreUnavailableError
from gateway.scheduling import Scheduling
from gateway.store.reads import AWAY
from gateway.store.writer import Store

T = TypeVar("T")

_KEYSPACE = 0x57454952
"""Weir's own advisory locks; the second number says which."""
_NUMBERS = {"outbox": 1}


class Turn(Protocol):
    """One at a time. Both raise `StoreUnavailableError`."""

    async def read(self, work: Callable[[Connection], T]) -> T | None:
        """What `work` reads where it is this process's turn; else None, and whose turn it is is woken."""
        ...

    async def called(self, seconds: float) -> bool:
        """Wait until another process wakes this one, at most so long."""
        ...

    def close(self) -> None:
        """Leave the turn to others; nothing may be waiting."""
        ...


def turn(store: Store, scheduling: Scheduling, name: str) -> Turn:
    """The turn of that name on the store."""
    return _SharedTurn(store.engine, scheduling, name) if store.is_shared else _SoleTurn(store, scheduling)


class _SoleTurn:
    def __init__(self, store: Store, scheduling: Scheduling) -> None:
        self._store = store
        self._scheduling = scheduling

    async def read(self, work: Callable[[Connection], T]) -> T | None:
        return await self._store.read(work)

    async def called(self, seconds: float) -> bool:
        # Nobody else is here who could.
        await self._scheduling.sleep(seconds)
        return False

    def close(self) -> None:
        return


class _SharedTurn:
    def __init__(self, engine: Engine, scheduling: Scheduling, name: str) -> None:
        self._engine = engine.execution_options(weir_reads=True)
        self._scheduling = scheduling
        self._name = name
        self._asking: Connection | None = None
        self._is_ours = False
        self._listening: Connection | None = None

    async def read(self, work: Callable[[Connection], T]) -> T | None:
        return await self._scheduling.run_blocking(f"{self._name}-turn", lambda: self._read(work))

    async def called(self, seconds: float) -> bool:
        return await self._scheduling.run_blocking(f"{self._name}-calls", lambda: self._called(seconds))

    def close(self) -> None:
        for connection in (self._asking, self._listening):
            _give_up(connection)
        self._asking = self._listening = None
        self._is_ours = False

    def _read(self, work: Callable[[Connection], T]) -> T | None:
        try:
            if self._asking is None:
                self._asking = self._opened()
            # Who has to wait asks again by the same connection: a new one would cost the server much more.
            self._is_ours = self._is_ours or self._is_free(self._asking)
            return work(self._asking) if self._is_ours else None
        except AWAY as error:
            _give_up(self._asking)
            self._asking, self._is_ours = None, False
            raise StoreUnavailableError(f"the store cannot read: {_name(error)}") from None

    def _is_free(self, connection: Connection) -> bool:
        place = {"keyspace": _KEYSPACE, "number": _NUMBERS[self._name]}
        if connection.execute(text("SELECT pg_try_advisory_lock(:keyspace, :number)"), place).scalar_one():
            return True
        connection.execute(text("SELECT pg_notify(:channel, '')"), {"channel": self._channel})
        return False

    def _called(self, seconds: float) -> bool:
        try:
            if self._listening is None:
                self._listening = self._opened()
                self._listening.exec_driver_sql(f"LISTEN {self._channel}")
            driver: Any = self._listening.connection.dbapi_connection
            return any(True for _ in driver.notifies(timeout=seconds, stop_after=1))
        except (*AWAY, psycopg.Error) as error:
            _give_up(self._listening)
            self._listening = None
            raise StoreUnavailableError(f"the store cannot be listened to: {_name(error)}") from None

    @property
    def _channel(self) -> str:
        return f"weir_{self._name}"

    def _opened(self) -> Connection:
        # Not the pool's any more: a lock and a subscription must not come to whoever has it next.
        connection = self._engine.connect()
        connection.detach()
        return connection


def _give_up(connection: Connection | None) -> None:
    if connection is not None:
        with suppress(*AWAY):
            connection.close()


def _name(error: Exception) -> str:
    return type(error.orig if isinstance(error, DBAPIError) else error).__name__
