"""Reading: what waits together shares a connection, and none waits for a later one that takes long."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, InterfaceError, InternalError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnectionError

from gateway.errors import StoreUnavailableError
from gateway.scheduling import Scheduling, resolve
from gateway.store.memory import remember_answers

T = TypeVar("T")

AWAY = (OperationalError, InterfaceError, InternalError, NoConnectionError)
"""The disk, the lock or the server, not the work: nothing can be read or written now."""

_LANE = "store-reads"


TELL_SECONDS = 0.02
"""How often those that are answered are told beside one that takes long: telling each at once costs the API's
thread a change of turns with the reader's, as much as most reads take."""


class _Asked(NamedTuple):
    work: Callable[[Connection], Any]
    done: "asyncio.Future[Any]"


class _Group:
    """Reads that wait together, and the answers that are there, in the same order."""

    def __init__(self, asked: list[_Asked]) -> None:
        self.asked = asked
        self.answers: list[Any] = []
        self._told = 0
        self._again = asyncio.get_running_loop().call_later(TELL_SECONDS, self._tell_again)

    def tell(self) -> None:
        """Tell those that are answered."""
        for asked, answer in list(zip(self.asked, self.answers, strict=False))[self._told :]:
            resolve(asked.done, answer)
            self._told += 1

    def end(self) -> None:
        """Tell the last ones."""
        self._again.cancel()
        self.tell()

    def fail(self, error: Exception) -> None:
        """Answer those that have no answer."""
        self.answers += [error] * (len(self.asked) - len(self.answers))

    def _tell_again(self) -> None:
        self.tell()
        self._again = asyncio.get_running_loop().call_later(TELL_SECONDS, self._tell_again)


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
                group, self._waiting = _Group(self._waiting), []
                try:
                    await self._scheduling.run_blocking(_LANE, partial(self._read_all, group))
                except Exception as error:
                    group.fail(error)
                finally:
                    group.end()
        finally:
            self._draining = False

    def _read_all(self, group: _Group) -> None:
        while len(group.answers) < len(group.asked):
            self._read_on_one_connection(group)

    def _read_on_one_connection(self, group: _Group) -> None:
        """Until all are read, or one has failed with the store: the others need another connection."""
        try:
            with self._engine.connect() as connection:
                remember_answers(connection)
                for asked in group.asked[len(group.answers) :]:
                    if asked.done.cancelled():
                        group.answers.append(None)  # who has given up waiting
                        continue
                    try:
                        answer = asked.work(connection)
                    except AWAY as error:
                        group.answers.append(unavailable("read", error))
                        return
                    except Exception as error:
                        answer = error
                    group.answers.append(answer)
        except AWAY as error:
            group.fail(unavailable("read", error))


def unavailable(what: str, error: SQLAlchemyError) -> StoreUnavailableError:
    """The error for a caller, without its own text: that quotes the statement with what was to be written."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    name = getattr(cause, "sqlite_errorname", type(cause).__name__)
    return StoreUnavailableError(f"the store cannot {what}: {name}")
