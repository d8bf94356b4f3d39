"""Servers of a street, each at a port of its own, in a thread: what a payer's browser walks between."""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol, TypeVar

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from gateway.http.listening import Listener
from gateway.keys.tls import ensure_certificates


class Street(Protocol):
    """`prepare` makes what the payer finds, and gives the listeners; it runs in the servers' own loop."""

    async def prepare(self) -> Sequence[Listener]: ...


S = TypeVar("S", bound=Street)


@contextmanager
def open_street(keys: Path, street: type[S]) -> Iterator[S]:
    """The street of these keys, until the block ends."""
    ensure_certificates(keys, datetime.now(UTC))
    found, ready = street(keys), threading.Event()  # type: ignore[call-arg]  # each is made of its keys
    listeners: list[Listener] = []

    async def serve() -> None:
        listeners.extend(await found.prepare())
        serving = asyncio.gather(*(listener.run_bound() for listener in listeners))
        while not all(listener.started for listener in listeners):
            await asyncio.sleep(0.01)
        ready.set()
        await serving

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        assert ready.wait(60)
        yield found
    finally:
        for listener in listeners:
            listener.should_exit = True
        thread.join(60)


def shop() -> Starlette:
    """Where payers come back to: it shows which payment they say they made."""

    async def show(request: Request) -> Response:
        return HTMLResponse(f"<h1>The shop</h1><p>{request.query_params.get('payment_intent')}</p>")

    return Starlette(routes=[Route("/{all}", show)])
