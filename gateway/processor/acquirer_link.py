"""One connection to the acquirer network over mutual TLS: several questions under way, told apart by number.

The link opens at the first question and signs on (0800/001) before anything else; when idle it asks for an
echo (0800/301), and a connection whose echo does not come back is closed. A broken connection leaves every
question under way in doubt; the next question opens a new one.
"""

import asyncio
import ssl
from contextlib import suppress
from typing import NamedTuple

import structlog

from events.clock import Clock
from events.crash import crash_point, declare
from gateway.metrics import ACQUIRER_SECONDS
from gateway.processor import messages
from gateway.processor.errors import (
    AcquirerError,
    AcquirerSilentError,
    AcquirerUnreachableError,
    MisfitAnswerError,
    UnreadableMessageError,
)
from gateway.processor.message_format import LENGTH_BYTES, MESSAGE_BYTES_MAX, Fields, decode, framed
from gateway.scheduling import Scheduling

declare(
    {
        "processor.message.leaving": "a message to the acquirer is made, it has not left",
        "processor.message.left": "a message to the acquirer has been written to the connection",
    }
)

CONNECT_SECONDS_MAX = 3.0
REST_SECONDS = 0.25
"""How long nobody tries again after a connection that failed."""

ANSWER_SECONDS_MAX = 8.0
ECHO_EVERY_SECONDS = 30.0

_Key = tuple[str, str]
"""What an answer is known by: the class of its message type, and its trace number."""


class _Connection(NamedTuple):
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    awaited: "dict[_Key, asyncio.Future[bytes]]"


class AcquirerLink:
    """Implements `gateway.processor.network.AcquirerNetwork`."""

    def __init__(
        self,
        host: str,
        port: int,
        *,
        context: ssl.SSLContext,
        clock: Clock,
        scheduling: Scheduling,
        answer_seconds_max: float = ANSWER_SECONDS_MAX,
        echo_every_seconds: float = ECHO_EVERY_SECONDS,
    ) -> None:
        self._address = (host, port)
        self._context = context
        self._clock = clock
        self._scheduling = scheduling
        self._answer_seconds_max = answer_seconds_max
        self._echo_every_seconds = echo_every_seconds
        self._opening = asyncio.Lock()
        self._open: _Connection | None = None
        self._own_stan = 0
        self._rests_until = float("-inf")
        self._log = structlog.get_logger("processor")

    async def exchange(self, message: bytes) -> bytes:
        began = self._clock.monotonic()
        answer = await self._ask(await self._connection(), message)
        ACQUIRER_SECONDS.observe(self._clock.monotonic() - began)
        return answer

    @property
    def closed(self) -> bool:
        """Whether the next question has to open a connection first."""
        return self._open is None

    async def close(self) -> None:
        """Close the connection; questions under way stay in doubt."""
        if self._open is not None:
            self._break(self._open)

    async def _ask(self, connection: _Connection, message: bytes) -> bytes:
        key = _key(decode(message))
        if key in connection.awaited:
            raise AcquirerUnreachableError("a question with this trace number is under way")
        if connection.writer.is_closing():
            raise AcquirerUnreachableError("the connection has just been closed")
        answer: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        connection.awaited[key] = answer
        try:
            crash_point("processor.message.leaving")
            connection.writer.write(framed(message))
            crash_point("processor.message.left")
            async with asyncio.timeout(self._answer_seconds_max):
                return await answer
        except TimeoutError:
            raise AcquirerSilentError("no answer in time") from None
        finally:
            connection.awaited.pop(key, None)

    async def _connection(self) -> _Connection:
        async with self._opening:
            if self._open is None:
                # Those that queue behind a failed attempt share its failure instead of each waiting anew.
                if self._clock.monotonic() < self._rests_until:
                    raise AcquirerUnreachableError("there was no connection a moment ago")
                try:
                    self._open = await self._connect()
                except AcquirerUnreachableError:
                    self._rests_until = self._clock.monotonic() + REST_SECONDS
                    raise
                self._scheduling.spawn(self._keep_alive(self._open), "acquirer echo")
            return self._open

    async def _connect(self) -> _Connection:
        try:
            async with asyncio.timeout(CONNECT_SECONDS_MAX):
                reader, writer = await asyncio.open_connection(*self._address, ssl=self._context)
        except (OSError, TimeoutError) as error:
            raise AcquirerUnreachableError(f"no connection ({type(error).__name__})") from None
        connection = _Connection(reader, writer, {})
        self._scheduling.spawn(self._listen(connection), "acquirer answers")
        try:
            await self._manage(connection, sign_on=True)
        except (AcquirerError, MisfitAnswerError) as error:
            self._break(connection)
            raise AcquirerUnreachableError(f"the sign-on failed ({type(error).__name__})") from None
        self._log.info("signed on to the acquirer network")
        return connection

    async def _manage(self, connection: _Connection, *, sign_on: bool) -> None:
        self._own_stan = self._own_stan % messages.STAN_MAX + 1
        question = messages.network_management(self._own_stan, self._clock.now(), sign_on=sign_on)
        fields = messages.read_answer(question, await self._ask(connection, question))
        if fields["39"] != messages.ACCEPTED:
            raise MisfitAnswerError("39")

    async def _keep_alive(self, connection: _Connection) -> None:
        while not connection.writer.is_closing():
            await self._scheduling.sleep(self._echo_every_seconds)
            if connection.awaited or connection.writer.is_closing():
                continue
            try:
                await self._manage(connection, sign_on=False)
            except (AcquirerError, MisfitAnswerError):
                self._break(connection)

    async def _listen(self, connection: _Connection) -> None:
        try:
            while True:
                length = int.from_bytes(await connection.reader.readexactly(LENGTH_BYTES), "big")
                if length > MESSAGE_BYTES_MAX:
                    raise UnreadableMessageError("the message is longer than agreed")
                self._give(connection, await connection.reader.readexactly(length))
        except (OSError, EOFError, UnreadableMessageError) as error:
            self._log.warning("the acquirer connection ended", error=type(error).__name__)
        finally:
            self._break(connection)

    def _give(self, connection: _Connection, message: bytes) -> None:
        """To whoever waits for it, readable or not; one that nobody can be found for raises.

        The network may ask for an echo too.
        """
        try:
            header, response = decode(message), messages.ACCEPTED
        except UnreadableMessageError as error:
            if not error.header.keys() >= {"t", "11"}:
                raise
            header, response = error.header, messages.FORMAT_ERROR
        if header["t"] == messages.NETWORK_MANAGEMENT:
            self._answer_echo(connection, header, response)
            return
        awaited = connection.awaited.get(_key(header))
        if awaited is None or awaited.done():
            self._log.warning("a late or unknown answer was dropped")
            return
        awaited.set_result(message)

    def _answer_echo(self, connection: _Connection, question: Fields, response: str) -> None:
        connection.writer.write(framed(messages.network_answer(question, response)))

    def _break(self, connection: _Connection) -> None:
        if self._open is connection:
            self._open = None
        with suppress(OSError):
            connection.writer.close()
        for awaited in connection.awaited.values():
            if not awaited.done():
                awaited.set_exception(AcquirerSilentError("the connection ended"))


def _key(fields: Fields) -> _Key:
    return fields["t"][:2], fields.get("11", "")
