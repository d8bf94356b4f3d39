"""What a shopper's browser may do: confirm and see one intent, with a publishable key and its secret."""

from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx2
import pytest

from gateway.auth import create_key
from gateway.event_recorder import EventRecorder
from tests.contract.api_serving import said, served
from tests.gateway_world import KEYRING, MERCHANT, World

INTENTS = "/v1/payment_intents"
ORDER = {
    "amount": 1250,
    "currency": "eur",
    "customer": "c-1",
    "description": "seldom buys",
    "receipt_email": "ada@example.com",
    "metadata": {"order": "7"},
}
PAGE = {"origin": "https://shop.example"}


async def publishable_key(world: World) -> str:
    def make(connection: object) -> str:
        return create_key(
            connection,  # type: ignore[arg-type]  # the store gives its connection
            EventRecorder(world.entropy),
            merchant_id=MERCHANT.id,
            mode="test",
            secret=KEYRING.api_keys,
            entropy=world.entropy,
            at=world.clock.now(),
            actor="test",
            publishable=True,
        ).secret

    return await world.store.write(make)


Story = Callable[[httpx2.AsyncClient, World, dict[str, str]], Awaitable[None]]


def browsed(folder: Path, story: Story) -> None:
    """A story with the headers of a page that knows the merchant's publishable key."""

    async def live(http: httpx2.AsyncClient, world: World) -> None:
        await story(http, world, {**PAGE, "authorization": f"Bearer {await publishable_key(world)}"})

    served(folder, live)


def test_a_page_confirms_with_the_intents_secret_and_sees_nothing_of_the_merchants(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World, page: dict[str, str]) -> None:
        created = (await http.post(INTENTS, json={**ORDER, "payment_method": await world.token()})).json()
        path, secret = f"{INTENTS}/{created['id']}", created["client_secret"]
        confirmed = await http.post(f"{path}/confirm", json={"client_secret": secret}, headers=page)
        seen = await http.get(path, params={"client_secret": secret}, headers=page)

        assert secret.startswith(f"{created['id']}_secret_")
        assert (confirmed.status_code, seen.json()) == (200, confirmed.json())
        assert seen.json()["status"] == "succeeded"
        assert (seen.json()["customer"], seen.json()["metadata"], seen.json()["outcome"]) == (None, {}, None)
        assert seen.json()["description"] is None
        assert (await http.get(path)).json()["outcome"] is not None

    browsed(tmp_path, story)


def test_a_declined_page_learns_no_more_than_the_payer(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World, page: dict[str, str]) -> None:
        world.processor.decline_code = "stolen_card"
        created = (await http.post(INTENTS, json={**ORDER, "payment_method": await world.token()})).json()
        body = {"client_secret": created["client_secret"]}
        answer = await http.post(f"{INTENTS}/{created['id']}/confirm", json=body, headers=page)

        assert answer.status_code == 402
        assert answer.headers["access-control-allow-origin"] == "*"
        assert answer.json()["error"]["payment_intent"]["outcome"] is None
        assert "stolen" not in answer.text
        assert "seldom" not in answer.text

    browsed(tmp_path, story)


def test_a_page_is_not_told_why_the_merchant_canceled(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World, page: dict[str, str]) -> None:
        created = (await http.post(INTENTS, json=ORDER)).json()
        path = f"{INTENTS}/{created['id']}"
        await http.post(f"{path}/cancel", json={"cancellation_reason": "fraudulent"})
        seen = await http.get(path, params={"client_secret": created["client_secret"]}, headers=page)

        assert (seen.json()["status"], seen.json()["cancellation_reason"]) == ("canceled", None)
        assert (await http.get(path)).json()["cancellation_reason"] == "fraudulent"

    browsed(tmp_path, story)


def test_another_secret_is_answered_as_no_intent_at_all(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World, page: dict[str, str]) -> None:
        one, other = [(await http.post(INTENTS, json=ORDER)).json() for _ in range(2)]
        wrong = other["client_secret"]
        missing = await http.get(f"{INTENTS}/pi_none", params={"client_secret": wrong}, headers=page)
        for query in ({}, {"client_secret": wrong}, {"client_secret": one["client_secret"][:-1] + "é"}):
            answer = await http.get(f"{INTENTS}/{one['id']}", params=query, headers=page)
            assert (answer.status_code, said(answer)) == (404, said(missing))
        confirmed = await http.post(
            f"{INTENTS}/{one['id']}/confirm", json={"client_secret": wrong}, headers=page
        )
        merchant = await http.get(f"{INTENTS}/{one['id']}", params={"client_secret": wrong})
        assert (confirmed.status_code, merchant.status_code) == (404, 404)

    browsed(tmp_path, story)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", INTENTS),
        ("GET", INTENTS),
        ("POST", f"{INTENTS}/{{id}}"),
        ("POST", f"{INTENTS}/{{id}}/capture"),
        ("POST", f"{INTENTS}/{{id}}/cancel"),
        ("GET", "/v1/reviews"),
        ("POST", "/v1/labels"),
    ],
)
def test_a_publishable_key_opens_nothing_else(tmp_path: Path, method: str, path: str) -> None:
    async def story(http: httpx2.AsyncClient, world: World, page: dict[str, str]) -> None:
        created = (await http.post(INTENTS, json=ORDER)).json()
        answer = await http.request(method, path.format(id=created["id"]), headers=page)

        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "secret_key_required")

    browsed(tmp_path, story)


def test_a_page_sets_no_time_says_nothing_of_risk_and_confirms_no_manual_intent(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World, page: dict[str, str]) -> None:
        order = {**ORDER, "payment_method": await world.token()}
        manual = {**order, "confirmation_method": "manual"}
        first, second = [(await http.post(INTENTS, json=each)).json() for each in (order, manual)]

        async def confirm(intent: dict[str, str], headers: dict[str, str], **body: object) -> int:
            sent = {"client_secret": intent["client_secret"], **body}
            path = f"{INTENTS}/{intent['id']}/confirm"
            return (await http.post(path, json=sent, headers=headers)).status_code

        assert await confirm(first, {**page, "weir-test-time": "2030-01-05T10:00:00Z"}) == 401
        assert await confirm(first, page, risk_context={"ip": "192.0.2.7"}) == 401
        assert await confirm(second, page) == 401
        assert await confirm(second, {}) == 200
        assert await confirm(first, page) == 200

    browsed(tmp_path, story)


def test_any_origin_may_ask_where_a_browser_may_and_nowhere_else(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World, page: dict[str, str]) -> None:
        asked = {**PAGE, "access-control-request-method": "POST"}
        for path, allowed in (
            (f"{INTENTS}/pi_1/confirm", True),
            (f"{INTENTS}/pi_1", True),
            (f"{INTENTS}/pi_1/capture", False),
            (INTENTS, False),
            ("/v1/labels", False),
        ):
            preflight = await http.options(path, headers=asked)
            assert (preflight.status_code == 204) is allowed
            assert (preflight.headers.get("access-control-allow-origin") == "*") is allowed
        assert "access-control-allow-origin" not in (await http.get(f"{INTENTS}/pi_1")).headers

    browsed(tmp_path, story)
