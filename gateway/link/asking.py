"""Asking the gateway's other program."""

import asyncio
import ssl
from typing import Any, TypeVar, cast

import msgspec

from gateway.errors import UnavailableError
from gateway.link.calls import ANSWER_BYTES_MAX, Answer, Lines, LineTooLongError, Refusal, line

CONNECTIONS = 4
"""Used in turn: where several API processes listen on one port, the kernel gives each of them some."""

IDLE_SECONDS_MAX = 60.0
"""Shorter than listeners keep an idle connection: nothing is asked over one that is closing."""

CONNECT_SECONDS_MAX = 5.0

T = TypeVar("T")


class RefusedError(Exception):
    """The other program has answered that it does not do it."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(f"refused with {refusal.status}")
        self.refusal = refusal


class Link:
    """The other program, at `address` (`HOST:PORT`). Made, used and closed in one running event loop.

    Calls are told apart by number. A connection opens at the first call that takes its turn; one that breaks
    leaves all calls under way on it without an answer, and the next opens another.
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
        self._turn = 0

    async def ask(self, kind: type[T], method: str, *params: msgspec.Struct | str) -> T:
        """The result, as a value of `kind`.

        Raises `RefusedError`, and the `silent` error, after which anything may have happened.
        """
        asked_at, connection = asyncio.get_running_loop().time(), None
        try:
            async with asyncio.timeout(self._answer_seconds_max):
                connection = await self._connection()
                answer = await connection.ask(method, params)
        except (OSError, TimeoutError) as error:
            if connection is not None:
                connection.end_if_silent_since(asked_at)
            raise self._silent(f"no answer: {type(error).__name__}") from None
        if answer.error is not None:
            raise RefusedError(answer.error)
        try:
            return msgspec.json.decode(answer.result, type=kind)
        except msgspec.DecodeError:
            raise self._silent("the answer is not as agreed") from None

    async def close(self) -> None:
        """Close the connections; calls under way stay without an answer."""
        for opening in self._openings:
            if opening is not None:
                opening.cancel()
                if _is_open(opening):
                    opening.result().close()

    async def _connection(self) -> "_Connection":
        """The next one in turn; who comes while it opens shares it, or its failure."""
        self._turn = (self._turn + 1) % CONNECTIONS
        opening = self._openings[self._turn]
        if opening is None or (opening.done() and not _is_open(opening)):
            opening = self._openings[self._turn] = asyncio.create_task(self._opened())
            # Those who waited may all have gone: an error that nobody hears is none to log.
            opening.add_done_callback(lambda done: done.cancelled() or done.exception())
        return await asyncio.shield(opening)

    async def _opened(self) -> "_Connection":
        async with asyncio.timeout(CONNECT_SECONDS_MAX):
            _, connection = await asyncio.get_running_loop().create_connection(
                _Connection, self._host, self._port, ssl=self._context
            )
        return connection


def _is_open(opening: "asyncio.Task[_Connection]") -> bool:
    if not opening.done() or opening.cancelled() or opening.exception() is not None:
        return False
    return opening.result().is_open


class _Connection(asyncio.Protocol):
    """One connection, with the calls that are under way on it."""

    def __init__(self) -> None:
        self._lines = Lines(ANSWER_BYTES_MAX)
        self._awaited: dict[int, asyncio.Future[Answer | None]] = {}
        self._number = 0
        self._loop = asyncio.get_running_loop()
        self._used_at, self._heard_at = self._loop.time(), float("-inf")

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    @property
    def is_open(self) -> bool:
        """Whether calls may be made on it; one that was idle for too long is closed."""
        if not self._awaited and self._loop.time() - self._used_at > IDLE_SECONDS_MAX:
            self.close()
        return not self._transport.is_closing()

    async def ask(self, method: str, params: tuple[Any, ...]) -> Answer:
        """The answer; raises `OSError` where the connection ends before it."""
        if self._transport.is_closing():
            raise ConnectionResetError
        self._number += 1
        number, self._used_at = self._number, self._loop.time()
        awaited: asyncio.Future[Answer | None] = self._loop.create_future()
        self._awaited[number] = awaited
        try:
            self._transport.write(line({"id": number, "method": method, "params": params}))
            if (answer := await awaited) is not None:
                return answer
        finally:
            self._awaited.pop(number, None)
        raise ConnectionResetError

    def end_if_silent_since(self, at: float) -> None:
        """Give it up where nothing has come since: nobody may be there any more."""
        if self._heard_at < at:
            self._transport.abort()

    def close(self) -> None:
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._heard_at = self._loop.time()
        try:
            for each in self._lines.ended_by(data):
                answer = msgspec.json.decode(each, type=Answer)
                self._give(answer.id, answer)
        except (LineTooLongError, msgspec.DecodeError):
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # asyncio's shape
        for number in list(self._awaited):
            self._give(number, None)

    def _give(self, number: int, answer: Answer | None) -> None:
        """To whoever waits for it still."""
        awaited = self._awaited.get(number)
        if awaited is not None and not awaited.done():
            awaited.set_result(answer)
