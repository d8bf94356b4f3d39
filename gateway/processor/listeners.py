"""The two TLS listeners of the process, both on one event loop."""

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from starlette.applications import Starlette

GRACE_SECONDS = 3
"""How long a stop waits for requests under way."""


class Listener(uvicorn.Server):
    """Serves one application on a socket that is bound already; signals are the program's, not its own."""

    def __init__(self, app: Starlette, context: ssl.SSLContext, bound: socket.socket) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                ssl_context_factory=lambda config, default: context,  # noqa: ARG005  # uvicorn's shape
                log_config=None,
                access_log=False,
                lifespan="off",
                server_header=False,
                timeout_keep_alive=75,
                timeout_graceful_shutdown=GRACE_SECONDS,
            )
        )
        self._bound = bound

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def run_bound(self) -> None:
        """Serve until `should_exit` is set."""
        await self.serve(sockets=[self._bound])


def bind(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises `OSError` where the address is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=512)
