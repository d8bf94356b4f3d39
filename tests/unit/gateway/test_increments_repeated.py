"""An increment that is answered late, asked for again under its idempotency key: its own end is told."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx2
import pytest
from sqlalchemy import update

from gateway.api.application import make_application
from gateway.store.tables import idempotency_keys
from tests.gateway_world import World, live_virtually

INTENTS = "/v1/payment_intents"
FIRST = {"idempotency-key": "first"}


class Desk:
    """One authorized intent of 1000, whose issuer is out of reach at will."""

    def __init__(self, http: httpx2.AsyncClient, world: World) -> None:
        self.http, self.world, self.id = http, world, ""

    async def authorize(self) -> None:
        order = {"amount": 1000, "currency": "eur", "capture_method": "manual", "confirm": True}
        order["payment_method"] = await self.world.token()
        self.id = (await self.http.post(INTENTS, json=order)).json()["id"]

    async def increment(self, amount: int, headers: dict[str, str] | None = None) -> httpx2.Response:
        path = f"{INTENTS}/{self.id}/increment_authorization"
        return await self.http.post(path, json={"amount": amount}, headers=headers)

    async def hear(self, *, refused: bool) -> None:
        """The issuer is back, and says what it does to the increment that waits."""
        self.world.processor.refusing, self.world.processor.refuses_increments = None, refused
        event = "payment.increment_declined" if refused else "payment.incremented"
        await self.world.until(lambda: event in self.world.payment_events(self.id), 300.0)


def at_the_desk(folder: Path, story: Callable[[Desk], Awaitable[None]]) -> None:
    async def live(world: World) -> None:
        headers = {"authorization": f"Bearer {world.keys['test']}"}
        transport = httpx2.ASGITransport(app=make_application(world.gateway))
        async with httpx2.AsyncClient(transport=transport, base_url="http://weir", headers=headers) as http:
            desk = Desk(http, world)
            await desk.authorize()
            world.processor.refusing = "increment"
            await story(desk)

    live_virtually(folder, live)


@pytest.mark.parametrize("refused", [False, True])
def test_the_same_request_is_told_that_it_is_under_way_and_then_its_end(
    tmp_path: Path, refused: bool
) -> None:
    async def story(desk: Desk) -> None:
        waited = [await desk.increment(1100, FIRST) for _ in range(2)]
        await desk.hear(refused=refused)
        ended = [await desk.increment(1100, FIRST) for _ in range(2)]

        assert [answer.json()["error"]["code"] for answer in waited] == ["idempotency_key_in_use"] * 2
        assert [answer.status_code for answer in ended] == [402 if refused else 200] * 2
        assert all(answer.headers["idempotent-replayed"] == "true" for answer in ended)
        shown = ended[0].json()["error"]["payment_intent"] if refused else ended[0].json()
        assert shown["amount"] == (1000 if refused else 1100)
        increments = [key for key in desk.world.processor.operations if key[1] == "increment"]
        assert len(increments) == 1

    at_the_desk(tmp_path, story)


@pytest.mark.parametrize("refused", [False, True])
def test_a_later_increment_does_not_answer_for_an_earlier_one(tmp_path: Path, refused: bool) -> None:
    async def story(desk: Desk) -> None:
        await desk.increment(1100, FIRST)
        await desk.hear(refused=refused)
        desk.world.processor.refuses_increments = not refused
        later = await desk.increment(1200)

        assert later.status_code == (200 if refused else 402)
        assert (await desk.increment(1100, FIRST)).status_code == (402 if refused else 200)

    at_the_desk(tmp_path, story)


def test_without_a_key_the_intent_is_shown_as_it_stands(tmp_path: Path) -> None:
    async def story(desk: Desk) -> None:
        answer = await desk.increment(1100)

        assert (answer.status_code, answer.json()["amount"]) == (200, 1000)

    at_the_desk(tmp_path, story)


@pytest.mark.parametrize("refused", [False, True])
def test_a_key_that_was_claimed_before_keys_named_their_increment_is_answered_by_the_latest(
    tmp_path: Path, refused: bool
) -> None:
    async def story(desk: Desk) -> None:
        await desk.increment(1100, FIRST)
        unnamed = update(idempotency_keys).values(attempt=None, operation=None)
        await desk.world.store.write(lambda c: c.execute(unnamed))
        waiting = await desk.increment(1100, FIRST)
        await desk.hear(refused=refused)
        ended = await desk.increment(1100, FIRST)

        assert waiting.json()["error"]["code"] == "idempotency_key_in_use"
        assert ended.status_code == (402 if refused else 200)
        assert ended.headers["idempotent-replayed"] == "true"

    at_the_desk(tmp_path, story)
