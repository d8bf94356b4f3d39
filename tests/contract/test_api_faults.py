"""A fault of the API's own under an idempotency key: answered again where something was done, else free."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

import httpx2
from sqlalchemy import select

from gateway.api.application import make_application
from gateway.scheduling import InlineScheduling
from gateway.store.tables import idempotency_keys
from tests.gateway_world import Counter, World

T = TypeVar("T")
INTENTS = "/v1/payment_intents"
KEY = {"idempotency-key": "order-7"}


class FaultyEntropy(Counter):
    """Fails once where it is told to."""

    fails = False

    def __call__(self, count: int) -> bytes:
        if self.fails:
            self.fails = False
            raise RuntimeError("a fault that nobody foresaw")
        return super().__call__(count)


class FaultyScheduling(InlineScheduling):
    """Starts nothing that has to do with a debt, where it is told so."""

    fails = False

    def spawn(self, work: Coroutine[Any, Any, T], name: str) -> "asyncio.Task[T]":
        if self.fails and name.startswith("debt "):
            work.close()
            raise RuntimeError("a fault that nobody foresaw")
        return super().spawn(work, name)


Story = Callable[[httpx2.AsyncClient, World, FaultyEntropy, FaultyScheduling], Awaitable[None]]


def faulty(folder: Path, story: Story) -> None:
    async def live() -> None:
        scheduling, entropy = FaultyScheduling(), FaultyEntropy()
        world = World(folder, scheduling=scheduling)
        world.entropy = entropy
        async with world:
            headers = {"authorization": f"Bearer {world.keys['test']}"}
            transport = httpx2.ASGITransport(app=make_application(world.gateway), raise_app_exceptions=False)
            async with httpx2.AsyncClient(
                transport=transport, base_url="http://weir", headers=headers
            ) as http:
                await story(http, world, entropy, scheduling)

    asyncio.run(live())


def test_an_error_before_anything_was_done_leaves_the_key_free(tmp_path: Path) -> None:
    async def story(
        http: httpx2.AsyncClient, world: World, entropy: FaultyEntropy, scheduling: FaultyScheduling
    ) -> None:
        entropy.fails = True
        order = {"amount": 1250, "currency": "eur"}
        failed = await http.post(INTENTS, json=order, headers=KEY)
        # A moment later nothing is kept of it.
        await asyncio.sleep(0.1)
        done = await http.post(INTENTS, json=order, headers=KEY)

        assert (failed.status_code, done.status_code) == (500, 200)
        assert "idempotent-replayed" not in done.headers

    faulty(tmp_path, story)


def test_an_error_after_something_was_done_is_answered_again(tmp_path: Path) -> None:
    async def story(
        http: httpx2.AsyncClient, world: World, entropy: FaultyEntropy, scheduling: FaultyScheduling
    ) -> None:
        order = {"amount": 1250, "currency": "eur", "capture_method": "manual", "confirm": True}
        order["payment_method"] = await world.token()
        payment = (await http.post(INTENTS, json=order)).json()["id"]
        scheduling.fails = True
        failed = await http.post(f"{INTENTS}/{payment}/capture", headers=KEY)
        scheduling.fails = False

        async def kept() -> bool:
            query = select(idempotency_keys.c.status)
            return await world.store.read(lambda c: c.execute(query).scalar_one()) == 500

        await world.until(kept)
        again = await http.post(f"{INTENTS}/{payment}/capture", headers=KEY)
        seen = (await http.get(f"{INTENTS}/{payment}")).json()

        assert (failed.status_code, again.status_code) == (500, 500)
        assert again.headers["idempotent-replayed"] == "true"
        assert (seen["status"], seen["amount_received"]) == ("succeeded", 1250)

    faulty(tmp_path, story)
