"""A listener with an application of a test's own, served while the test runs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol, TypeVar

from gateway.http.listening import Listener


class Place(Protocol):
    """What is served, and the connections that the test has opened to it."""

    listener: Listener
    opened: list[asyncio.StreamWriter]


P = TypeVar("P", bound=Place)


@asynccontextmanager
async def served(place: P) -> AsyncIterator[P]:
    """Serve it; at the end whoever still hangs on is dropped."""
    serving = asyncio.create_task(place.listener.run_bound())
    while not place.listener.started:
        await asyncio.sleep(0.01)
    try:
        yield place
    finally:
        for writer in place.opened:
            writer.transport.abort()
        place.listener.should_exit = True
        await serving
