"""The HTTP contract of the API: shapes, statuses and refusals, over the real application."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx2

from gateway.api.application import make_application
from tests.gateway_world import World

ORDER = {
    "amount": 1250,
    "currency": "eur",
    "risk_context": {"ip": "192.0.2.7", "device_id": "device-1", "email": "a@example.com"},
}
INTENTS = "/v1/payment_intents"


class Client:
    """A merchant's client."""

    def __init__(self, world: World, http: httpx2.AsyncClient) -> None:
        self.world = world
        self.http = http
        self.headers = {
            "authorization": f"Bearer {world.keys['test']}",
            "weir-test-time": "2026-01-05T10:00:00.000000Z",
        }

    async def post(self, path: str, body: Any = None, **arguments: Any) -> httpx2.Response:
        headers = {**self.headers, **arguments.pop("headers", {})}
        return await self.http.post(path, json=body or {}, headers=headers, **arguments)

    async def get(self, path: str, **arguments: Any) -> httpx2.Response:
        return await self.http.get(path, headers=self.headers, **arguments)

    async def confirmed(self, **members: Any) -> httpx2.Response:
        order = {**ORDER, "payment_method": await self.world.token(), **members}
        created = await self.post(INTENTS, order)
        return await self.post(f"{INTENTS}/{created.json()['id']}/confirm")


def served(folder: Path, story: Callable[[Client], Awaitable[None]]) -> None:
    async def live() -> None:
        async with World(folder) as world:
            transport = httpx2.ASGITransport(app=make_application(world.gateway))
            async with httpx2.AsyncClient(transport=transport, base_url="http://weir") as http:
                await story(Client(world, http))

    asyncio.run(live())


def test_a_payment_is_created_confirmed_and_succeeds(tmp_path: Path) -> None:
    async def story(client: Client) -> None:
        answer = await client.confirmed()

        assert answer.status_code == 200
        intent = answer.json()
        assert intent["object"] == "payment_intent"
        assert intent["status"] == "succeeded"
        assert intent["amount_received"] == 1250
        assert intent["outcome"]["risk_level"] == "normal"

    served(tmp_path, story)
