"""Answering the gateway's other program, which shows its certificate."""

import asyncio
import socket
import ssl
from collections import deque
from collections.abc import Callable, Mapping
from typing import cast

import msgspec
import structlog

from gateway.http.listening import GRACE_SECONDS
from gateway.link.calls import CALL_BYTES_MAX, UNREADABLE, Call, Lines, LineTooLongError, line
from gateway.link.methods import Methods, Served

UNDER_WAY_MAX = 256
"""Calls of one connection: further ones that were read with them wait, and none is read meanwhile."""

IDLE_SECONDS_MAX = 90.0
"""How long a connection stays on which nothing is asked."""

LOOK_SECONDS = 0.1
HANDSHAKE_SECONDS_MAX = 10.0

_log = structlog.get_logger("gateway")


class LinkListener:
    """Serves methods by name on a bound socket, to who has a certificate that `context` trusts."""

    def __init__(self, methods: Mapping[str, Served], bound: socket.socket, context: ssl.SSLContext) -> None:
        self._methods = Methods(methods)
        self._bound = bound
        self._context = context
        self._connections: set[_Connection] = set()
        self._under_way: set[asyncio.Task[None]] = set()
        self._stopped = asyncio.Event()
        self.started = False
        self.should_exit = False

    @property
    def port(self) -> int:
        """The port that is bound."""
        return int(self._bound.getsockname()[1])

    async def run_bound(self) -> None:
        """Serve until `should_exit` is set; calls under way have a few seconds then, no other is begun."""
        server = await asyncio.get_running_loop().create_server(
            lambda: _Connection(self._connections, self._begin, self._stopped),
            sock=self._bound,
            ssl=self._context,
            ssl_handshake_timeout=HANDSHAKE_SECONDS_MAX,
        )
        self.started = True
        while not self.should_exit:
            await asyncio.sleep(LOOK_SECONDS)
            for connection in list(self._connections):
                connection.end_if_idle()
        server.close()
        self._stopped.set()
        for connection in list(self._connections):
            connection.say_goodbye()
        await self._wait_for_calls()
        for task in self._under_way:
            task.cancel()
        await self._wait_for_calls()
        for connection in list(self._connections):
            connection.close()

    async def _wait_for_calls(self) -> None:
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=GRACE_SECONDS)

    def _begin(self, call: Call, connection: "_Connection") -> None:
        task = asyncio.get_running_loop().create_task(self._answer(call, connection))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _answer(self, call: Call, connection: "_Connection") -> None:
        connection.answer(await self._methods.answer(call))


class _Connection(asyncio.Protocol):
    """One connection: calls come in, and answers go out in whichever order they are there."""

    def __init__(
        self,
        connections: "set[_Connection]",
        begin: Callable[[Call, "_Connection"], None],
        stopped: asyncio.Event,
    ) -> None:
        self._connections = connections
        self._begin = begin
        self._stopped = stopped
        self._lines = Lines(CALL_BYTES_MAX)
        self._waiting: deque[Call] = deque()
        self._owed = self._begun = 0
        self._is_full = False
        self._loop = asyncio.get_running_loop()
        self._used_at = self._loop.time()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A handshake may end after the stop: nothing is begun then."""
        self._transport = cast("asyncio.Transport", transport)
        self._connections.add(self)
        if self._stopped.is_set():
            self.say_goodbye()
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # asyncio's shape
        """What is under way goes on, what waits is not begun: who asked, asks again."""
        self._connections.discard(self)
        self._waiting.clear()

    def data_received(self, data: bytes) -> None:
        if self._stopped.is_set():
            return
        self._used_at = self._loop.time()
        try:
            self._waiting += [msgspec.json.decode(each, type=Call) for each in self._lines.ended_by(data)]
        except (LineTooLongError, *UNREADABLE) as error:
            _log.warning("what is no call ends its connection", error=type(error).__name__)
            self._transport.abort()
            return
        self._begin_waiting()

    def answer(self, content: bytes) -> None:
        """Send a call's answer, if its asker is still there."""
        self._owed -= 1
        self._used_at = self._loop.time()
        if not self._transport.is_closing():
            self._transport.write(content)
            self._begin_waiting()

    def pause_writing(self) -> None:
        """Its asker takes no answers: it is heard again when it does."""
        self._is_full = True
        self._hear_or_wait()

    def resume_writing(self) -> None:
        self._is_full = False
        self._hear_or_wait()

    def say_goodbye(self) -> None:
        """The listener stops: what it has not begun may be asked elsewhere at once."""
        self._waiting.clear()
        self._transport.write(line({"id": self._begun, "goodbye": True}))

    def end_if_idle(self) -> None:
        if not self._owed and self._loop.time() - self._used_at > IDLE_SECONDS_MAX:
            self._transport.abort()

    def close(self) -> None:
        """After what was written has left."""
        self._transport.close()

    def _begin_waiting(self) -> None:
        while self._waiting and self._owed < UNDER_WAY_MAX:
            call = self._waiting.popleft()
            self._begun = call.id
            self._owed += 1
            self._begin(call, self)
        self._hear_or_wait()

    def _hear_or_wait(self) -> None:
        if self._transport.is_closing():
            return
        if self._is_full or self._owed >= UNDER_WAY_MAX:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()
