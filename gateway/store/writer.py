"""Reading and writing: one writer whose commits are shared by all who wait (group commit).

What a service does within such a commit is a method that takes its connection and ends in `_in`: `create` is
the whole, with its wait, `_create_in` the part that is written or undone as one.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError, IntegrityError

from events.crash import crash_point, declare
from gateway.errors import StoreUnavailableError
from gateway.group_commit import GroupCommit
from gateway.scheduling import Scheduling
from gateway.store.by_key import Wanted, fetch
from gateway.store.memory import remember_rows
from gateway.store.postgresql import lost_a_race
from gateway.store.reads import AWAY, SharedReads, unavailable
from gateway.store.statements import apart, send_waiting

declare(
    {
        "gateway.store.commit.before": "the works of one group are written, their commit is not",
        "gateway.store.commit.after": "the group is durable, and nobody has been told",
    }
)

T = TypeVar("T")
Work = Callable[[Connection], Any]

PATIENCE_SECONDS = 10.0
"""How long a server may say nothing: two statements' longest, and below a caller's patience."""


class Store:
    """The operational store. `write` returns when the work survives a power loss."""

    def __init__(
        self, engine: Engine, scheduling: Scheduling, patience_seconds: float = PATIENCE_SECONDS
    ) -> None:
        self.engine = engine
        self.is_shared = engine.dialect.name == "postgresql"
        """Whether other API processes may be on it, too."""
        self._patience_seconds = patience_seconds
        self._reads = SharedReads(engine.execution_options(weir_reads=True), scheduling)
        self._writes: GroupCommit[Connection] = GroupCommit(scheduling, "store-writes", self._commit)
        self.delays = self._writes.delays
        """How long writes take, their waiting included."""

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run a read; each of its statements sees what was committed when it was asked for, or later."""
        return await self._in_time(self._reads.run(work), "read")

    async def write(self, work: Callable[[Connection], T], wanted: Iterable[Wanted] = ()) -> T:
        """Run `work` in a transaction shared with others; it alone is undone if it raises.

        Rows that are `wanted` are read beforehand, together with those of the others; that they are is no
        promise that the work looks at them, nor must it look at no others.

        It must touch nothing but its connection, and may run twice. Raises what `work` raises, or
        `StoreUnavailableError`; then nothing of it is kept, unless PostgreSQL fell silent, or the connection
        broke, within the commit itself: who asks again must find out what there is.
        """
        return await self._in_time(self._writes.run(_Asked(work, wanted)), "write")

    def close(self) -> None:
        """Close the connections; nothing may be waiting."""
        self.engine.dispose()

    async def _in_time(self, asked: Awaitable[T], what: str) -> T:
        """What is asked, unless a server that is there and does not answer keeps it for too long."""
        if not self.is_shared:
            return await asked
        try:
            async with asyncio.timeout(self._patience_seconds):
                return await asked
        except TimeoutError:
            raise StoreUnavailableError(f"the store cannot {what}: no answer in time") from None

    def _commit(self, works: list[Work]) -> list[Any]:
        wanted = [each for work in works if isinstance(work, _Asked) for each in work.wanted]
        try:
            if len(works) > 1:
                # A savepoint is two more statements for each work, and hardly ever needed.
                with suppress(_OneFailedError):
                    return in_one_commit(self.engine, lambda connection: _together(connection, works, wanted))
            return in_one_commit(self.engine, lambda connection: _results(connection, works, wanted))
        except AWAY as error:
            raise unavailable("write", error) from None


def in_one_commit(engine: Engine, work: Callable[[Connection], T]) -> T:
    """Run `work` in a transaction that is durable when this returns, and undone if it raises.

    Where another process was in its way it is undone and runs once more, with no other beside it.
    """
    try:
        return _in_one_commit(engine, work, alone=False)
    except DBAPIError as error:
        if not lost_a_race(error):
            raise
    return _in_one_commit(engine, work, alone=True)


def _in_one_commit(engine: Engine, work: Callable[[Connection], T], *, alone: bool) -> T:
    options = {"weir_writes": True, "weir_alone": alone}
    with engine.connect().execution_options(**options) as connection, connection.begin():
        remember_rows(connection)
        result = work(connection)
        send_waiting(connection)
        crash_point("gateway.store.commit.before")
    crash_point("gateway.store.commit.after")
    return result


@dataclass(frozen=True)
class _Asked(Generic[T]):
    """A work, and what it is going to look at."""

    work: Callable[[Connection], T]
    wanted: Iterable[Wanted]

    def __call__(self, connection: Connection) -> T:
        return self.work(connection)


class _OneFailedError(Exception):
    """One work of several failed, and the others with it: they run again, each apart."""


def _together(connection: Connection, works: list[Work], wanted: list[Wanted]) -> list[Any]:
    try:
        fetch(connection, wanted)
        results = [work(connection) for work in works]
        # Here, so that what the last ones wrote fails as one of several, too.
        send_waiting(connection)
        return results
    except AWAY:
        raise
    except Exception as error:
        raise _OneFailedError from error


def _results(connection: Connection, works: list[Work], wanted: list[Wanted]) -> list[Any]:
    fetch(connection, wanted)
    # One that is alone needs no savepoint: what undoes it undoes nobody else.
    return [_run(connection, work) for work in works] if len(works) > 1 else [works[0](connection)]


def _run(connection: Connection, work: Work) -> Any:
    try:
        with apart(connection):
            return work(connection)
    except AWAY:
        # The group is undone as a whole.
        raise
    except IntegrityError as error:
        if lost_a_race(error) and not connection.get_execution_options().get("weir_alone"):
            raise
        return error
    except Exception as error:
        return error
