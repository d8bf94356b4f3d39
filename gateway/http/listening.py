"""Listeners: uvicorn servers with bounded connections, stopped by the program, silent about what is asked."""

import asyncio
import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

import uvicorn
from starlette.types import ASGIApp

from gateway.http.connections import Connections
from gateway.http.doors import Door, GuardedConnection
from gateway.http.proxies import NO_PROXIES, Proxies

GRACE_SECONDS = 3
"""How long a stop waits for requests under way: a third of what the supervisor allows."""

KEEP_ALIVE_SECONDS = 75
"""How long an idle connection stays open: longer than clients do, lest they ask over a closed one."""


class Listener(uvicorn.Server):
    """Serves one application on a bound socket, over TLS where a context is given.

    Signals are the program's. No access log is kept, as paths may hold anything.
    """

    def __init__(
        self,
        application: ASGIApp,
        bound: socket.socket,
        context: ssl.SSLContext | None = None,
        *,
        connections: Connections | None = None,
        proxies: Proxies = NO_PROXIES,
        door: Door | None = None,
    ) -> None:
        """`connections` None is a public listener's, which counts none of its proxies'.

        `door` None lets everybody in.
        """
        super().__init__(
            uvicorn.Config(
                application,
                http=GuardedConnection,
                ws="none",
                log_config=None,
                access_log=False,
                lifespan="off",
                server_header=False,
                proxy_headers=bool(proxies.networks),
                forwarded_allow_ips=proxies.as_texts(),
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=GRACE_SECONDS,
                ssl_context_factory=None if context is None else lambda _config, _default: context,
            )
        )
        self._bound = bound
        self._door = door
        self._connections = connections or Connections(proxies=proxies)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn's, which knows neither our connections nor a time for handshakes."""
        loop, context = asyncio.get_running_loop(), self.config.ssl
        handshake_seconds = self._connections.patience.handshake_seconds if context else None
        self.servers = [
            await loop.create_server(
                self._connection,
                sock=bound,
                ssl=context,
                backlog=self.config.backlog,
                ssl_handshake_timeout=handshake_seconds,
            )
            for bound in sockets or ()
        ]
        self.started = True

    async def on_tick(self, counter: int) -> bool:
        """Called ten times a second."""
        if counter % 10 == 0:
            self._connections.look()
        return await super().on_tick(counter)

    def _connection(self) -> GuardedConnection:
        return GuardedConnection(
            self._connections,
            self._door,
            config=self.config,
            server_state=self.server_state,
            app_state={},
        )

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


class Serving(Protocol):
    """What listens, whatever it speaks. `run_bound` serves until `should_exit` is set."""

    started: bool
    should_exit: bool

    async def run_bound(self) -> None: ...


async def serve_until(stop: asyncio.Event, listeners: Sequence[Serving], ready: Callable[[], None]) -> None:
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
