"""Intents over HTTP: confirmed as they are created, changed before that, and listed by what they are."""

from pathlib import Path
from typing import Any

import httpx2
import pytest

from events.types import PaymentUpdated
from tests.contract.api_serving import served
from tests.gateway_world import World

INTENTS = "/v1/payment_intents"
ORDER = {"amount": 1250, "currency": "eur"}


def test_an_intent_is_created_and_confirmed_in_one_call(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        order = {**ORDER, "payment_method": await world.token(), "confirm": True}
        paid = await http.post(INTENTS, json=order)
        world.processor.decline_code = "insufficient_funds"
        declined = await http.post(INTENTS, json=order)

        assert (paid.status_code, paid.json()["status"]) == (200, "succeeded")
        assert declined.status_code == 402
        refused = declined.json()["error"]["payment_intent"]
        assert refused["status"] == "requires_payment_method"
        await world.until(lambda: "payment.captured" in world.payment_events(paid.json()["id"]))
        assert world.payment_events(paid.json()["id"]) == [
            "payment.created",
            "payment.confirmed",
            "payment.authorized",
            "payment.captured",
        ]

    served(tmp_path, story)


def test_an_intent_that_cannot_be_confirmed_as_it_is_created_is_not_created(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        answer = await http.post(INTENTS, json={**ORDER, "confirm": True}, headers={"idempotency-key": "k"})

        assert (answer.status_code, answer.json()["error"]["param"]) == (400, "payment_method")
        assert (await http.get(INTENTS)).json()["data"] == []
        order = {**ORDER, "confirm": True, "payment_method": await world.token()}
        for replayed in (None, "true"):
            paid = await http.post(INTENTS, json=order, headers={"idempotency-key": "k"})
            assert paid.json()["status"] == "succeeded"
            assert paid.headers.get("idempotent-replayed") == replayed
        assert len(world.processor.authorized) == 1

    served(tmp_path, story)


def test_an_intent_is_changed_until_it_is_confirmed(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        created = (await http.post(INTENTS, json={**ORDER, "metadata": {"a": "1", "b": "2"}})).json()
        path = f"{INTENTS}/{created['id']}"
        changes: dict[str, Any] = {
            "amount": 900,
            "currency": "usd",
            "capture_method": "manual",
            "customer": "c-1",
            "description": "tea",
            "statement_descriptor": "BOOKS AND TEA",
            "payment_method": await world.token(),
        }
        changed = (await http.post(path, json={**changes, "metadata": {"b": "", "c": "3"}})).json()

        assert {name: changed[name] for name in changes} == changes
        assert changed["metadata"] == {"a": "1", "c": "3"}
        assert changed["status"] == "requires_confirmation"
        assert changed == (await http.get(path)).json()
        assert (await http.post(path, json={"description": ""})).json()["description"] is None
        confirmed = (await http.post(f"{path}/confirm")).json()
        assert (confirmed["amount_capturable"], confirmed["currency"]) == (900, "usd")
        await world.until(lambda: "payment.authorized" in world.payment_events(created["id"]))
        assert world.payment_events(created["id"])[:3] == ["payment.created", *["payment.updated"] * 2]
        whole, words = [one for one in world.log.events("payments") if isinstance(one, PaymentUpdated)]
        assert whole.changed == sorted([*changes, "metadata"])
        assert (whole.amount_minor, whole.currency, words.changed) == (900, "USD", ["description"])

    served(tmp_path, story)


def test_of_a_confirmed_intent_only_words_are_changed(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        order = {**ORDER, "payment_method": await world.token(), "confirm": True}
        path = f"{INTENTS}/{(await http.post(INTENTS, json=order)).json()['id']}"
        refused = await http.post(path, json={"amount": 1, "description": "late"})
        words = await http.post(path, json={"description": "late", "metadata": {"a": "1"}})

        assert refused.json()["error"]["code"] == "payment_intent_unexpected_state"
        assert (words.json()["description"], words.json()["metadata"]) == ("late", {"a": "1"})
        assert words.json()["amount"] == 1250
        shown = await http.post(path, json={"expand": ["latest_charge"]})
        assert shown.json()["latest_charge"]["description"] == "late"
        name = path.rpartition("/")[2]
        await world.until(lambda: "payment.captured" in world.payment_events(name))
        assert world.payment_events(name).count("payment.updated") == 1

    served(tmp_path, story)


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"currency": "zzz"}, "currency"),
        ({"payment_method": "tok_none"}, "payment_method"),
        ({"statement_descriptor": "5 teas*"}, "statement_descriptor"),
        ({"metadata": {f"n{number}": "x" for number in range(50)}}, "metadata"),
        ({"amount": 10**12}, "amount"),
    ],
)
def test_a_change_is_held_to_what_a_creation_is_held_to(tmp_path: Path, change: Any, param: str) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        created = (await http.post(INTENTS, json={**ORDER, "metadata": {"a": "1"}})).json()
        answer = await http.post(f"{INTENTS}/{created['id']}", json=change)

        assert answer.status_code in (400, 404)
        assert answer.json()["error"]["param"] == param
        assert (await http.get(f"{INTENTS}/{created['id']}")).json() == created

    served(tmp_path, story)


def test_who_the_customer_becomes_can_be_erased_with_what_was_sealed_before(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        order = {**ORDER, "risk_context": {"email": "ada@example.com"}}
        created = (await http.post(INTENTS, json=order)).json()
        await http.post(f"{INTENTS}/{created['id']}", json={"customer": "c-1"})
        intent = await world.intent(created["id"])
        personal = world.gateway.payments.personal

        sealed = await world.store.read(lambda c: personal.unseal(c, intent.subject, intent.sealed_context))
        subject = await world.store.read(lambda c: personal.customer_subject(c, "test", "m_1", "c-1"))

        assert sealed["email"] == "ada@example.com"
        assert subject == intent.subject

    served(tmp_path, story)


def test_a_list_goes_both_ways_and_by_customer_status_and_time(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        ids = []
        for second in range(5):
            order = {**ORDER, "customer": f"c-{second % 2}"}
            headers = {"weir-test-time": f"2026-01-05T10:00:0{second}.500000Z"}
            ids.append((await http.post(INTENTS, json=order, headers=headers)).json()["id"])
        await http.post(f"{INTENTS}/{ids[0]}/cancel")

        async def page(**query: Any) -> tuple[list[int], bool]:
            answer = (await http.get(INTENTS, params=query)).json()
            return [ids.index(one["id"]) for one in answer["data"]], answer["has_more"]

        first = 1767607200
        assert await page(limit=2) == ([4, 3], True)
        assert await page(limit=2, starting_after=ids[3]) == ([2, 1], True)
        assert await page(limit=2, ending_before=ids[1]) == ([3, 2], True)
        assert await page(limit=2, ending_before=ids[2]) == ([4, 3], False)
        assert await page(customer="c-1") == ([3, 1], False)
        assert await page(status="canceled") == ([0], False)
        assert await page(**{"created[gt]": first + 1, "created[lte]": first + 3}) == ([3, 2], False)
        assert await page(**{"created[gte]": first + 1, "created[lt]": first + 3}) == ([2, 1], False)
        both = await http.get(INTENTS, params={"starting_after": ids[0], "ending_before": ids[1]})
        assert (both.status_code, both.json()["error"]["param"]) == (400, "ending_before")
        assert all(one["client_secret"] is None for one in (await http.get(INTENTS)).json()["data"])

    served(tmp_path, story)
