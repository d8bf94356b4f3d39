"""Listeners: uvicorn servers with bounded heads, stopped by the program, silent about what is asked."""

import asyncio
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from gateway.errors import GatewayError, HeadTooLargeError, InvalidRequestError
from gateway.http.answers import refused

GRACE_SECONDS = 3
"""How long a stop waits for requests under way: a third of what the supervisor allows."""

KEEP_ALIVE_SECONDS = 75
"""How long an idle connection stays open: longer than clients do, lest they ask over a closed one."""

HEAD_BYTES_MAX = 32 * 1024
"""Of a request line and its headers together."""


class Connection(HttpToolsProtocol):
    """uvicorn's protocol with a bound on heads, and without waiting for the farewell of an idle peer.

    What comes in one read with an unfinished head counts towards its bound: a caller that sends its next
    request behind a large body without waiting for the answer may be refused.
    """

    _head_bytes = 0
    _in_head = True
    _refusal: GatewayError | None = None

    def data_received(self, data: bytes) -> None:
        """Parse what came, unless a head that does not end has grown beyond its bound."""
        super().data_received(data)
        self._head_bytes += len(data)
        if self._in_head and self._head_bytes > HEAD_BYTES_MAX and not self.transport.is_closing():
            self._refuse(HeadTooLargeError(HEAD_BYTES_MAX))

    def on_message_begin(self) -> None:
        """A new head begins, and is counted from zero."""
        self._in_head, self._head_bytes = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Refuse a head that came in one piece and is too large."""
        self._in_head = False
        names_and_values = sum(len(name) + len(value) for name, value in self.headers)
        if len(self.url) + names_and_values > HEAD_BYTES_MAX:
            self._refusal = HeadTooLargeError(HEAD_BYTES_MAX)
            raise self._refusal  # the parser stops, and `send_400_response` is called
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002  # uvicorn's shape
        """Answer what cannot be parsed as every other refusal: a problem document."""
        self._refuse(
            self._refusal or InvalidRequestError("This cannot be read as HTTP.", code="request_malformed")
        )

    def shutdown(self) -> None:
        """Drop what is idle at once: over TLS a farewell would wait until the peer reads it."""
        cycle: RequestResponseCycle | None = self.cycle  # none before the first request
        under_way = cycle is not None and not cycle.response_complete
        if under_way or self.transport.get_write_buffer_size() > 0:
            super().shutdown()
        else:
            self.transport.abort()

    def _refuse(self, error: GatewayError) -> None:
        answer = refused(error)
        head = [f"HTTP/1.1 {error.STATUS} {error.TITLE}".encode(), b"connection: close"]
        head += [b": ".join(header) for header in answer.raw_headers]
        self.transport.write(b"\r\n".join(head) + b"\r\n\r\n" + bytes(answer.body))
        self.transport.close()


class Listener(uvicorn.Server):
    """Serves one application on a bound socket, over TLS where a context is given.

    Signals are the program's. No access log is kept, as paths may hold anything.
    """

    def __init__(
        self, application: ASGIApp, bound: socket.socket, context: ssl.SSLContext | None = None
    ) -> None:
        super().__init__(
            uvicorn.Config(
                application,
                http=Connection,
                ws="none",
                log_config=None,
                access_log=False,
                lifespan="off",
                server_header=False,
                proxy_headers=False,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=GRACE_SECONDS,
                ssl_context_factory=None if context is None else lambda _config, _default: context,
            )
        )
        self._bound = bound

    async def run_bound(self) -> None:
        """Serve until `should_exit` is set."""
        await self.serve(sockets=[self._bound])

    @property
    def port(self) -> int:
        """The port that is bound, also where any free one was asked for."""
        return int(self._bound.getsockname()[1])

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone: they are the program's."""
        yield


async def serve_until(stop: asyncio.Event, listeners: Sequence[Listener], ready: Callable[[], None]) -> None:
    """Run the listeners together; calls `ready` when all of them accept connections."""
    serving = [asyncio.create_task(listener.run_bound()) for listener in listeners]
    while not all(listener.started for listener in listeners):
        await asyncio.sleep(0.01)
    ready()
    await stop.wait()
    for listener in listeners:
        listener.should_exit = True
    await asyncio.gather(*serving)


def bind(host: str, port: int, *, shared: bool = False) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises `OSError` where the address is taken.

    Where it is `shared` by all who bind it so, the kernel gives each connection to one of them.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=512, reuse_port=shared)
