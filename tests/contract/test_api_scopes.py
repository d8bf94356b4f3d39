"""What belongs to one merchant, in one mode, does not exist for anybody else: on every path of the API."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from events.vocabulary import Mode
from gateway.api.application import make_application
from gateway.auth import create_key
from gateway.event_recorder import EventRecorder
from gateway.people.merchants import Merchant, create_merchant
from tests.gateway_world import KEYRING, START, World

INTENTS, REVIEWS, LABELS = "/v1/payment_intents", "/v1/reviews", "/v1/labels"
ORDER = {"amount": 1250, "currency": "eur"}
TIME = {"weir-test-time": START.isoformat()}


@dataclass(frozen=True)
class Owned:
    """What the owner has: a payment that waits for its capture, one under review, one to confirm, a token."""

    held: str
    reviewed: str
    review: str
    unconfirmed: str
    token: str


class Client:
    """Someone with a key."""

    def __init__(self, http: httpx2.AsyncClient, key: str) -> None:
        self._http = http
        self._headers = {"authorization": f"Bearer {key}", **(TIME if key.startswith("sk_test_") else {})}

    async def post(self, path: str, body: Any = None) -> httpx2.Response:
        return await self._http.post(path, json=body or {}, headers=self._headers)

    async def get(self, path: str) -> httpx2.Response:
        return await self._http.get(path, headers=self._headers)

    async def created(self, **members: Any) -> str:
        return str((await self.post(INTENTS, {**ORDER, **members})).json()["id"])

    async def confirmed(self, **members: Any) -> dict[str, Any]:
        answer = await self.post(f"{INTENTS}/{await self.created(**members)}/confirm")
        return dict(answer.json())


Story = Callable[[Client, Client, Owned], Awaitable[None]]

strangers = pytest.mark.parametrize("stranger", ["another merchant", "the merchant's other mode"])


def told(folder: Path, stranger: str, story: Story) -> None:
    """Run the story with the owner, the stranger, and what the owner has."""

    async def live() -> None:
        async with World(folder) as world:
            transport = httpx2.ASGITransport(app=make_application(world.gateway))
            async with httpx2.AsyncClient(transport=transport, base_url="http://weir") as http:
                owner = Client(http, world.keys["test"])
                owned = await possessions(world, owner)
                key = await _strangers_key(world) if stranger == "another merchant" else world.keys["live"]
                await story(owner, Client(http, key), owned)

    asyncio.run(live())


async def possessions(world: World, owner: Client) -> Owned:
    token = await world.token()
    held = await owner.confirmed(payment_method=token, capture_method="manual")
    world.risk.outcome = "review"
    reviewed = await owner.confirmed(payment_method=token)
    world.risk.outcome = "allow"
    unconfirmed = await owner.created(payment_method=token)
    assert (held["status"], reviewed["status"]) == ("requires_capture", "requires_capture")
    return Owned(held["id"], reviewed["id"], reviewed["review"], unconfirmed, token)


async def _strangers_key(world: World, mode: Mode = "test") -> str:
    recorder = EventRecorder(world.entropy)
    merchant = Merchant(id="acct_stranger", name="Stranger", category="5999", country="DE")

    def made(connection: Any) -> str:
        create_merchant(connection, recorder, merchant, at=START, actor="test")
        return create_key(
            connection,
            recorder,
            merchant_id=merchant.id,
            mode=mode,
            secret=KEYRING.api_keys,
            entropy=world.entropy,
            at=START,
            actor="test",
        ).secret

    return await world.store.write(made)


@strangers
def test_a_stranger_can_read_and_move_nothing(tmp_path: Path, stranger: str) -> None:
    async def story(owner: Client, other: Client, owned: Owned) -> None:
        before = [(await owner.get(f"{INTENTS}?limit=100")).json(), (await owner.get(REVIEWS)).json()]
        read = (f"{INTENTS}/{owned.held}", f"{REVIEWS}/{owned.review}")
        moves = (
            f"{INTENTS}/{owned.unconfirmed}/confirm",
            f"{INTENTS}/{owned.held}/capture",
            f"{INTENTS}/{owned.held}/cancel",
            f"{REVIEWS}/{owned.review}/approve",
            f"{REVIEWS}/{owned.review}/reject",
        )

        answers = {path: (await other.get(path)).status_code for path in read}
        answers |= {path: (await other.post(path)).status_code for path in moves}

        assert answers == dict.fromkeys((*read, *moves), 404)
        after = [(await owner.get(f"{INTENTS}?limit=100")).json(), (await owner.get(REVIEWS)).json()]
        assert after == before

    told(tmp_path, stranger, story)


@strangers
def test_a_strangers_lists_hold_nothing_of_it_and_cannot_begin_at_it(tmp_path: Path, stranger: str) -> None:
    async def story(owner: Client, other: Client, owned: Owned) -> None:
        assert len((await owner.get(INTENTS)).json()["data"]) == 3
        assert len((await owner.get(REVIEWS)).json()["data"]) == 1

        assert (await other.get(INTENTS)).json()["data"] == []
        assert (await other.get(REVIEWS)).json()["data"] == []
        assert (await other.get(f"{INTENTS}?starting_after={owned.held}")).status_code == 404
        assert (await other.get(f"{REVIEWS}?starting_after={owned.review}")).status_code == 404

    told(tmp_path, stranger, story)


@strangers
def test_a_stranger_cannot_pay_with_its_token(tmp_path: Path, stranger: str) -> None:
    async def story(_owner: Client, other: Client, owned: Owned) -> None:
        of_its_own = await other.created()
        token = {"payment_method": owned.token}

        assert (await other.post(INTENTS, {**ORDER, **token})).status_code == 404
        assert (await other.post(f"{INTENTS}/{of_its_own}/confirm", token)).status_code == 404
        assert (await other.get(f"{INTENTS}/{of_its_own}")).json()["status"] == "requires_payment_method"

    told(tmp_path, stranger, story)


@strangers
def test_a_stranger_cannot_label_its_payment(tmp_path: Path, stranger: str) -> None:
    async def story(owner: Client, other: Client, owned: Owned) -> None:
        body = {"payment_intent": owned.held, "kind": "fraud_dispute", "source": "bank"}

        assert (await other.post(LABELS, body)).status_code == 404
        assert (await owner.post(LABELS, body)).status_code == 200

    told(tmp_path, stranger, story)
