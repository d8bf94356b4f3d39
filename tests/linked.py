"""Calls of one program to the other, with and without a connection."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from gateway.errors import ProcessorUnavailableError
from gateway.keys.tls import client_context
from gateway.link.asking import Link
from gateway.link.calls import Call, line
from gateway.link.methods import Methods, Served


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
