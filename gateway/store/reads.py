"""Reading: what waits together shares a connection, and each read has its answer as soon as it is there."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, InterfaceError, InternalError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnectionError

from gateway.errors import StoreUnavailableError
from gateway.scheduling import Scheduling
from gateway.store.memory import remember_answers

T = TypeVar("T")

AWAY = (OperationalError, InterfaceError, InternalError, NoConnectionError)
"""The disk, the lock or the server, not the work: nothing can be read or written now."""

_LANE = "store-reads"


class _Asked(NamedTuple):
    work: Callable[[Connection], Any]
    done: "asyncio.Future[Any]"


class SharedReads:
    """Runs reads in the order asked, on a lane of their own; what several ask in the same words is asked
    once.

    The engine is one for reads. A read waits for those before it, for none after it, and one that takes too
    long fails no other.
    """

    def __init__(self, engine: Engine, scheduling: Scheduling) -> None:
        self._engine = engine
        self._scheduling = scheduling
        self._waiting: list[_Asked] = []
        self._draining = False

    async def run(self, work: Callable[[Connection], T]) -> T:
        """What the work finds; raises what it raises, or `StoreUnavailableError`."""
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Asked(work, done))
        if not self._draining:
            self._draining = True
            self._scheduling.spawn(self._drain(), _LANE)
        return await done

    async def _drain(self) -> None:
        try:
            while self._waiting:
                group, self._waiting = self._waiting, []
                try:
                    await self._scheduling.run_blocking(_LANE, partial(self._read_all, group))
                except Exception as error:
                    for asked in group:
                        self._scheduling.answer(asked.done, error)
        finally:
            self._draining = False

    def _read_all(self, group: list[_Asked]) -> None:
        while group:
            group = self._read_on_one_connection(group)

    def _read_on_one_connection(self, group: list[_Asked]) -> list[_Asked]:
        """Gives the reads after the first that has failed with the store: they need another connection."""
        try:
            with self._engine.connect() as connection:
                remember_answers(connection)
                for place, asked in enumerate(group):
                    if asked.done.cancelled():
                        continue  # who has given up waiting
                    try:
                        answer = asked.work(connection)
                    except AWAY as error:
                        self._scheduling.answer(asked.done, unavailable("read", error))
                        return group[place + 1 :]
                    except Exception as error:
                        answer = error
                    self._scheduling.answer(asked.done, answer)
        except AWAY as error:
            # No connection; who has an answer keeps it.
            for asked in group:
                self._scheduling.answer(asked.done, unavailable("read", error))
        return []


def unavailable(what: str, error: SQLAlchemyError) -> StoreUnavailableError:
    """The error for a caller, without its own text: that quotes the statement with what was to be written."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    name = getattr(cause, "sqlite_errorname", type(cause).__name__)
    return StoreUnavailableError(f"the store cannot {what}: {name}")
