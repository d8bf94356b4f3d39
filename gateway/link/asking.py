"""Asking the gateway's other program."""

import asyncio
import ssl
from contextlib import suppress
from typing import Any, TypeVar, cast

import msgspec

from gateway.errors import UnavailableError
from gateway.link.calls import (
    ANSWER_BYTES_MAX,
    UNREADABLE,
    Answer,
    Lines,
    LineTooLongError,
    Refusal,
    line,
)

CONNECTIONS = 8
"""Used in turn: where several API processes listen on one port, the kernel draws one for each connection."""

AGE_SECONDS_MAX = 60.0
AGE_STEP_SECONDS = 5.0
"""A connection is replaced at this age, the next in turn so much later, lest all be replaced at once."""

IDLE_SECONDS_MAX = 60.0
"""Shorter than listeners keep an idle connection: nothing is asked over one that is closing."""

CONNECT_SECONDS_MAX = 5.0

T = TypeVar("T")


class RefusedError(Exception):
    """The other program has answered that it does not do it."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(f"refused with {refusal.status}")
        self.refusal = refusal


class _NotBegunError(Exception):
    """The other program stops and will not do it."""


class Link:
    """The other program, at `address` (`HOST:PORT`). Made, used and closed in one running event loop.

    Calls are told apart by number. A connection opens at the first call that takes its turn; one that breaks
    leaves all calls under way on it without an answer, and the next opens another. One that is old or silent,
    or has got a goodbye, is retired: it takes no call any more and closes when its last one has ended.
    """

    def __init__(
        self,
        address: str,
        context: ssl.SSLContext,
        *,
        answer_seconds_max: float,
        silent: type[UnavailableError],
    ) -> None:
        """`silent` is the error of a call that finds no answer in time."""
        host, _, port = address.rpartition(":")
        self._host, self._port = host.strip("[]"), int(port)
        self._context = context
        self._answer_seconds_max = answer_seconds_max
        self._silent = silent
        self._openings: list[asyncio.Task[_Connection] | None] = [None] * CONNECTIONS
        self._connections: set[_Connection] = set()
        self._turn = 0

    async def ask(self, kind: type[T], method: str, *params: msgspec.Struct | str) -> T:
        """The result, as a value of `kind`.

        Raises `RefusedError`, and the `silent` error, after which anything may have happened.
        """
        asked_at, connection, answer = asyncio.get_running_loop().time(), None, None
        try:
            async with asyncio.timeout(self._answer_seconds_max):
                while answer is None:
                    connection = await self._connection()
                    with suppress(_NotBegunError):
                        answer = await connection.ask(method, params)
        except (OSError, TimeoutError) as error:
            if connection is not None:
                connection.retire_if_silent_since(asked_at)
            raise self._silent(f"no answer: {type(error).__name__}") from None
        if answer.error is not None:
            raise RefusedError(answer.error)
        try:
            return msgspec.json.decode(answer.result, type=kind)
        except UNREADABLE:
            raise self._silent("the answer is not as agreed") from None

    async def close(self) -> None:
        """Close the connections; calls under way stay without an answer."""
        for opening in self._openings:
            if opening is not None:
                opening.cancel()
        for connection in list(self._connections):
            connection.close()

    async def _connection(self) -> "_Connection":
        """The next one in turn; who comes while it opens shares it, or its failure."""
        self._turn = turn = (self._turn + 1) % CONNECTIONS
        opening = self._openings[turn]
        if opening is None or (opening.done() and not _is_open(opening)):
            opening = self._openings[turn] = asyncio.create_task(self._opened(turn))
            # Those who waited may all have gone: an error that nobody hears is none to log.
            opening.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(opening)

    async def _opened(self, turn: int) -> "_Connection":
        age_seconds_max = AGE_SECONDS_MAX + turn * AGE_STEP_SECONDS
        async with asyncio.timeout(CONNECT_SECONDS_MAX):
            _, connection = await asyncio.get_running_loop().create_connection(
                lambda: _Connection(self._connections, age_seconds_max),
                self._host,
                self._port,
                ssl=self._context,
            )
        return connection


def _is_open(opening: "asyncio.Task[_Connection]") -> bool:
    if not opening.done() or opening.cancelled() or opening.exception() is not None:
        return False
    return opening.result().is_open


class _Connection(asyncio.Protocol):
    """One connection, with the calls that are under way on it."""

    def __init__(self, connections: "set[_Connection]", age_seconds_max: float) -> None:
        self._connections = connections
        self._lines = Lines(ANSWER_BYTES_MAX)
        self._awaited: dict[int, asyncio.Future[Answer | Exception]] = {}
        self._number = 0
        self._is_retired = False
        self._loop = asyncio.get_running_loop()
        self._used_at, self._heard_at = self._loop.time(), float("-inf")
        self._old_at = self._used_at + age_seconds_max

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._connections.add(self)

    @property
    def is_open(self) -> bool:
        """Whether calls may be made on it; one that is old, or was idle for too long, is retired."""
        now = self._loop.time()
        if now > self._old_at or (not self._awaited and now - self._used_at > IDLE_SECONDS_MAX):
            self._retire()
        return not (self._is_retired or self._transport.is_closing())

    async def ask(self, method: str, params: tuple[Any, ...]) -> Answer:
        """The answer; raises `OSError` where the connection ends before it, and `_NotBegunError`."""
        if self._is_retired:
            raise _NotBegunError
        if self._transport.is_closing():
            raise ConnectionResetError
        self._number += 1
        number, self._used_at = self._number, self._loop.time()
        awaited: asyncio.Future[Answer | Exception] = self._loop.create_future()
        self._awaited[number] = awaited
        try:
            self._transport.write(line({"id": number, "method": method, "params": params}))
            answer = await awaited
        finally:
            self._awaited.pop(number, None)
            self._close_if_done()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def retire_if_silent_since(self, at: float) -> None:
        """Where nothing has come since, nobody may be there any more; calls under way have their time yet."""
        if self._heard_at < at:
            self._retire()

    def close(self) -> None:
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._heard_at = self._loop.time()
        try:
            for each in self._lines.ended_by(data):
                answer = msgspec.json.decode(each, type=Answer)
                if answer.goodbye:
                    self._retire()
                    self._end(_NotBegunError, after=answer.id)
                else:
                    self._give(answer.id, answer)
        except (LineTooLongError, *UNREADABLE):
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # asyncio's shape
        self._connections.discard(self)
        self._end(ConnectionResetError, after=0)

    def _retire(self) -> None:
        """Have it take no call any more; those under way go on."""
        self._is_retired = True
        self._close_if_done()

    def _close_if_done(self) -> None:
        if self._is_retired and not self._awaited:
            self.close()

    def _end(self, error: type[Exception], *, after: int) -> None:
        for number in list(self._awaited):
            if number > after:
                self._give(number, error())

    def _give(self, number: int, answer: Answer | Exception) -> None:
        """To whoever waits for it still."""
        awaited = self._awaited.get(number)
        if awaited is not None and not awaited.done():
            awaited.set_result(answer)
