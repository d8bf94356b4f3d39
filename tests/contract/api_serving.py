"""The API in this process, over a gateway whose world is under the test's control."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx2

from gateway.api.application import make_application
from tests.gateway_world import World


def served(
    folder: Path, story: Callable[[httpx2.AsyncClient, World], Awaitable[None]], mode: str = "test"
) -> None:
    async def live() -> None:
        async with World(folder) as world:
            headers = {"authorization": f"Bearer {world.keys[mode]}"}  # type: ignore[index]  # a mode
            transport = httpx2.ASGITransport(app=make_application(world.gateway))
            async with httpx2.AsyncClient(
                transport=transport, base_url="http://weir", headers=headers
            ) as http:
                await story(http, world)

    asyncio.run(live())


def said(answer: httpx2.Response) -> Any:
    """What a problem says, whichever request it was."""
    problem = answer.json()
    assert problem["error"].pop("request_id").startswith("req_")
    return problem
