"""The HTTP contract of the API: shapes, statuses and refusals, over the real application."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta, timezone
from pathlib import Path
from typing import Any

import httpx2
import pytest

from events.types import LabelReported, SignInAttempted
from gateway.api.application import make_application
from tests.gateway_world import START, World

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


def test_money_is_shown_in_minor_units_and_stripes_shapes(tmp_path: Path) -> None:
    async def story(client: Client) -> None:
        created = await client.post(INTENTS, {**ORDER, "metadata": {"order": "7"}, "customer": "c-1"})

        expected = {
            "object": "payment_intent",
            "amount": 1250,
            "amount_capturable": 0,
            "amount_received": 0,
            "amount_refunded": 0,
            "cancellation_reason": None,
            "canceled_at": None,
            "capture_at": None,
            "capture_delay_hours": None,
            "capture_method": "automatic",
            "client_secret": created.json()["client_secret"],
            "confirmation_method": "automatic",
            "created": 1767607200,
            "currency": "eur",
            "customer": "c-1",
            "description": None,
            "last_payment_error": None,
            "refund_owed": False,
            "latest_charge": None,
            "livemode": False,
            "metadata": {"order": "7"},
            "next_action": None,
            "not_assessed": False,
            "outcome": None,
            "payment_method": None,
            "payment_method_types": ["card", "wallet"],
            "review": None,
            "setup_future_usage": None,
            "statement_descriptor": None,
            "status": "requires_payment_method",
        }
        assert {name: created.json()[name] for name in expected} == expected
        assert (await client.get(f"{INTENTS}/{created.json()['id']}")).json() == created.json()

    served(tmp_path, story)


def test_a_form_in_bracket_form_says_the_same_as_json(tmp_path: Path) -> None:
    async def story(client: Client) -> None:
        form = {
            "amount": "1250",
            "currency": "inr",
            "capture_method": "manual",
            "metadata[order]": "7",
            "risk_context[ip]": "192.0.2.7",
            "risk_context[billing_address][country]": "IN",
            "risk_context[items][0][quantity]": "2",
            "risk_context[items][1][amount]": "5",
        }
        answer = await client.http.post(INTENTS, data=form, headers=client.headers)

        assert answer.status_code == 200, answer.text
        assert (answer.json()["amount"], answer.json()["metadata"]) == (1250, {"order": "7"})

    served(tmp_path, story)


def test_a_declined_card_answers_402_with_the_intent(tmp_path: Path) -> None:
    async def story(client: Client) -> None:
        client.world.processor.decline_code = "insufficient_funds"
        answer = await client.confirmed()

        assert answer.status_code == 402
        assert answer.headers["content-type"] == "application/problem+json"
        problem = answer.json()
        assert problem["status"] == 402
        assert problem["error"]["type"] == "card_error"
        assert (problem["error"]["code"], problem["error"]["decline_code"]) == (
            "card_declined",
            "insufficient_funds",
        )
        assert problem["error"]["payment_intent"]["status"] == "requires_payment_method"

    served(tmp_path, story)


def test_a_review_is_approved_over_http(tmp_path: Path) -> None:
    async def story(client: Client) -> None:
        client.world.risk.outcome = "review"
        intent = (await client.confirmed()).json()
        assert intent["outcome"]["type"] == "manual_review"

        review = await client.post(f"/v1/reviews/{intent['review']}/approve")

        assert (review.json()["open"], review.json()["closed_reason"]) == (False, "approved")
        assert (await client.get(f"{INTENTS}/{intent['id']}")).json()["status"] == "succeeded"

    served(tmp_path, story)


def test_the_queue_of_reviews_is_read_page_by_page_and_only_where_open(tmp_path: Path) -> None:
    async def story(client: Client) -> None:
        client.world.risk.outcome = "review"
        held = [(await client.confirmed()).json() for _ in range(3)]
        await client.post(f"/v1/reviews/{held[0]['review']}/approve")

        first = (await client.get("/v1/reviews?limit=2")).json()
        last = first["data"][-1]["id"]
        rest = (await client.get(f"/v1/reviews?limit=2&starting_after={last}")).json()
        waiting = (await client.get("/v1/reviews?open=true")).json()
        closed = (await client.get("/v1/reviews?open=false")).json()

        assert (first["object"], first["url"]) == ("list", "/v1/reviews")
        assert (len(first["data"]), first["has_more"], rest["has_more"]) == (2, True, False)
        everything = first["data"] + rest["data"]
        assert [review["id"] for review in everything] == sorted(
            (intent["review"] for intent in held), reverse=True
        )
        assert {review["id"] for review in waiting["data"]} == {intent["review"] for intent in held[1:]}
        assert [review["closed_reason"] for review in closed["data"]] == ["approved"]
        assert waiting["data"][0] == (await client.get(f"/v1/reviews/{waiting['data'][0]['id']}")).json()

    served(tmp_path, story)


@pytest.mark.parametrize("query", ["open=maybe", "open=", "limit=0", "state=open", "starting_after=x-y"])
def test_a_wrong_question_to_the_queue_is_refused(tmp_path: Path, query: str) -> None:
    async def story(client: Client) -> None:
        assert (await client.get(f"/v1/reviews?{query}")).status_code == 400

    served(tmp_path, story)


def test_a_sign_in_is_an_event_without_the_person(tmp_path: Path) -> None:
    async def story(client: Client) -> None:
        body = {"type": "sign_in_failed", "customer": "c-1", "ip": "192.0.2.7", "device_id": "d-1"}
        answer = await client.post("/v1/account_events", body)

        assert (answer.status_code, answer.json()["object"]) == (200, "account_event")
        await client.world.until(lambda: len(client.world.log.events("accounts")) == 1)
        [event] = client.world.log.events("accounts")
        assert isinstance(event, SignInAttempted)
        assert (event.succeeded, event.ip_country) == (False, "IN")

    served(tmp_path, story)


def test_a_sign_in_s_time_is_utc_whatever_zone_it_was_said_in(tmp_path: Path) -> None:
    async def story(client: Client) -> None:
        body = {"type": "sign_in", "customer": "c-1", "occurred_at": START.astimezone(INDIA).isoformat()}
        answer = await client.post("/v1/account_events", body)

        assert answer.status_code == 200
        await client.world.until(lambda: len(client.world.log.events("accounts")) == 1)
        [event] = client.world.log.events("accounts")
        assert event.occurred_at.isoformat() == START.isoformat()

    served(tmp_path, story)


INDIA = timezone(timedelta(hours=5, minutes=30))
LABEL = {"kind": "fraud_dispute", "source": "bank", "reported_at": "2026-01-09T08:00:00Z"}
LATER = {"weir-test-time": "2026-01-09T09:00:00Z"}


def test_the_same_label_twice_is_one_label_and_one_event(tmp_path: Path) -> None:
    async def story(client: Client) -> None:
        body = {**LABEL, "payment_intent": (await client.confirmed()).json()["id"]}
        first = await client.post("/v1/labels", body, headers=LATER)
        again = await client.post("/v1/labels", body, headers=LATER)
        without_time = {name: value for name, value in body.items() if name != "reported_at"}
        third = await client.post("/v1/labels", without_time, headers=LATER)

        assert first.status_code == 200, first.text
        assert first.json() == again.json() == third.json()
        [event] = await labels_on_the_log(client, body["payment_intent"])
        assert (event.fraud, event.occurred_at.isoformat()) == (True, "2026-01-09T08:00:00+00:00")

    served(tmp_path, story)


def test_a_verdict_is_another_label_whenever_it_changes_and_none_when_it_is_said_again(
    tmp_path: Path,
) -> None:
    async def story(client: Client) -> None:
        payment = (await client.confirmed()).json()["id"]
        body = {"payment_intent": payment, "kind": "analyst_verdict", "source": "desk"}
        verdicts = (True, False, False, True, True)
        answers = [await client.post("/v1/labels", {**body, "fraud": v}, headers=LATER) for v in verdicts]

        first, second, again, third, last = (answer.json()["id"] for answer in answers)
        assert (again, last) == (second, third)
        assert len({first, second, third}) == 3
        assert [event.fraud for event in await labels_on_the_log(client, payment)] == [True, False, True]

    served(tmp_path, story)


async def labels_on_the_log(client: Client, payment: str) -> list[LabelReported]:
    """All that was reported so far: they are there once one that is reported behind them is."""
    marker = {"payment_intent": payment, "kind": "confirmed_genuine", "source": "marker"}
    await client.post("/v1/labels", marker, headers=LATER)

    def found() -> list[LabelReported]:
        return [event for event in client.world.log.events("labels") if isinstance(event, LabelReported)]

    await client.world.until(lambda: "marker" in [event.source for event in found()])
    return [event for event in found() if event.source != "marker"]


@pytest.mark.parametrize(
    ("change", "status", "param"),
    [
        ({"fraud": False}, 400, "fraud"),
        ({"kind": "matured"}, 400, "kind"),
        ({"kind": "analyst_verdict"}, 400, "fraud"),
        ({"reported_at": "2026-01-12T00:00:00Z"}, 400, "reported_at"),
        ({"reported_at": "1970-01-01T00:00:00Z"}, 400, "reported_at"),
        ({"reported_at": "2026-01-09T08:00:00"}, 400, "reported_at"),
        ({"payment_intent": "pi_unknown"}, 404, None),
        ({"payment_intent": None}, 400, "payment_intent"),
    ],
)
def test_a_label_that_contradicts_itself_or_knows_no_payment_is_refused(
    tmp_path: Path, change: dict[str, Any], status: int, param: str | None
) -> None:
    async def story(client: Client) -> None:
        body = {**LABEL, "payment_intent": (await client.confirmed()).json()["id"], **change}
        answer = await client.post("/v1/labels", body, headers=LATER)

        assert (answer.status_code, answer.json()["error"].get("param")) == (status, param)
        assert client.world.log.events("labels") == []

    served(tmp_path, story)
