"""Calls of one program to the other, with and without a connection."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from gateway.errors import ProcessorUnavailableError
from gateway.http.listening import bind
from gateway.keys.tls import client_context, ensure_certificates, server_context
from gateway.link.answering import LinkListener
from gateway.link.asking import Link
from gateway.link.calls import Call, line
from gateway.link.methods import Methods, Served

Handler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def answer_of(methods: Mapping[str, Served], method: str, *params: Any) -> Any:
    """What a call is answered, as it arrives: an object with `result` or `error`."""
    call = msgspec.json.decode(line({"id": 1, "method": method, "params": params}), type=Call)
    return json.loads(await Methods(methods).answer(call))


def linked(keys: Path, port: int, answer_seconds_max: float = 60) -> Link:
    """The program at a port, with the API's certificate."""
    context = client_context(keys, "api", "internal")
    address = f"127.0.0.1:{port}"
    return Link(address, context, answer_seconds_max=answer_seconds_max, silent=ProcessorUnavailableError)


def ask_once(keys: Path, port: int, method: str, *params: Any) -> dict[str, Any]:
    """One call over a connection of its own; raises `ProcessorUnavailableError`, `RefusedError`."""

    async def asked() -> dict[str, Any]:
        link = linked(keys, port)
        try:
            return await link.ask(dict[str, Any], method, *params)
        finally:
            await link.close()

    return asyncio.run(asked())


@asynccontextmanager
async def serving(
    keys: Path, methods: Mapping[str, Served], port: int = 0, *, shared: bool = False
) -> AsyncIterator[LinkListener]:
    """A program that serves `methods` until the end; where it is stopped before, until then."""
    ensure_certificates(keys, datetime.now(UTC))
    context = server_context(keys, "processor", "internal")
    listener = LinkListener(methods, bind("127.0.0.1", port, shared=shared), context)
    running = asyncio.create_task(listener.run_bound())
    while not listener.started:
        await asyncio.sleep(0.01)
    try:
        yield listener
    finally:
        listener.should_exit = True
        await running


@asynccontextmanager
async def raw(keys: Path, handler: Handler) -> AsyncIterator[int]:
    """The port of a program that does with a connection what `handler` does."""
    ensure_certificates(keys, datetime.now(UTC))

    async def handled(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            await handler(reader, writer)

    context = server_context(keys, "processor", "internal")
    server = await asyncio.start_server(handled, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@asynccontextmanager
async def asker(keys: Path, port: int, answer_seconds_max: float = 10.0) -> AsyncIterator[Link]:
    """As `linked`, closed at the end."""
    link = linked(keys, port, answer_seconds_max)
    try:
        yield link
    finally:
        await link.close()


async def echo(text: str) -> str:
    return text


ECHO = {"echo": Served(tuple[str], echo)}
