"""Where a receipt goes: shown on intent and charge, found, changed, hidden from browsers, and forgotten."""

from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import select

from gateway.store.tables import intents
from tests.contract.api_serving import served
from tests.gateway_world import MERCHANT, World

INTENTS, SEARCH, CHARGES = "/v1/payment_intents", "/v1/payment_intents/search", "/v1/charges"
ADA = "Ada@example.com"


async def paid(http: httpx2.AsyncClient, world: World, **members: Any) -> dict[str, Any]:
    order = {"amount": 1250, "currency": "eur", "payment_method": await world.token(), "confirm": True}
    answer: dict[str, Any] = (await http.post(INTENTS, json={**order, **members})).json()
    return answer


async def found(http: httpx2.AsyncClient, query: str) -> list[str]:
    answer = await http.get(SEARCH, params={"query": query})
    return [one["receipt_email"] for one in answer.json()["data"]]


@pytest.mark.both_stores
def test_the_address_is_shown_and_found_as_a_whole_and_kept_sealed(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        intent = await paid(http, world, receipt_email=ADA)
        await paid(http, world)
        charge = (await http.get(f"{CHARGES}/{intent['latest_charge']}")).json()
        listed = (await http.get(INTENTS)).json()["data"]

        assert intent["receipt_email"] == charge["receipt_email"] == ADA
        assert [one["receipt_email"] for one in listed] == [None, ADA]
        assert await found(http, "receipt_email:'ada@EXAMPLE.com'") == [ADA]
        assert await found(http, "receipt_email:'example.com'") == []
        assert await found(http, "receipt_email:null") == [None]
        partly = await http.get(SEARCH, params={"query": "receipt_email~'ada'"})
        assert partly.json()["error"]["code"] == "query_invalid"
        rows = await world.store.read(lambda c: c.execute(select(intents)).all())
        assert "example" not in str(rows).lower()

    served(tmp_path, story)


@pytest.mark.both_stores
def test_a_guest_has_a_receipt_and_a_risk_context_under_one_key(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        order = {"amount": 1250, "currency": "eur", "receipt_email": ADA}
        given = {"risk_context": {"ip": "192.0.2.7", "email": "bob@example.com"}}
        created = (await http.post(INTENTS, json={**order, **given})).json()
        confirmed = await paid(http, world, receipt_email=ADA, **given)

        assert [one["receipt_email"] for one in (created, confirmed)] == [ADA, ADA]
        assert confirmed["status"] == "succeeded"
        personal = world.gateway.receipts.personal
        for one in (created, confirmed):
            kept = await world.intent(one["id"])
            opened = await world.store.read(lambda c, k=kept: personal.unseal(c, k.subject, k.sealed_context))
            assert {"192.0.2.7", "bob@example.com"} <= set(opened.values())

    served(tmp_path, story)


def test_the_address_is_changed_at_any_time_and_follows_the_customer(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        order = {"amount": 1250, "currency": "eur", "receipt_email": ADA}
        path = f"{INTENTS}/{(await http.post(INTENTS, json=order)).json()['id']}"

        named = (await http.post(path, json={"customer": "c-1"})).json()
        confirm = {"payment_method": await world.token(), "receipt_email": "bob@example.com"}
        confirmed = (await http.post(f"{path}/confirm", json=confirm)).json()
        changed = (await http.post(path, json={"receipt_email": "eve@example.com"})).json()

        assert (named["receipt_email"], confirmed["receipt_email"]) == (ADA, "bob@example.com")
        assert (changed["status"], changed["receipt_email"]) == ("succeeded", "eve@example.com")
        assert await found(http, f"receipt_email:'{ADA}'") == []
        wrong = (await http.post(path, json={"receipt_email": "nobody"})).json()
        assert wrong["error"]["param"] == "receipt_email"
        assert "nobody" not in wrong["error"]["message"]

    served(tmp_path, story)


def test_the_address_of_a_person_who_was_erased_is_gone(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        intent = await paid(http, world, receipt_email=ADA, customer="c-1")
        personal = world.gateway.payments.personal

        def erase(connection: Any) -> None:
            subject = personal.customer_subject(connection, "test", MERCHANT.id, "c-1")
            assert subject is not None
            personal.erase(connection, subject)

        await world.store.write(erase)

        shown = (await http.get(f"{INTENTS}/{intent['id']}")).json()
        charge = (await http.get(f"{CHARGES}/{intent['latest_charge']}")).json()
        assert shown["receipt_email"] is None
        assert charge["receipt_email"] is None
        assert await found(http, f"receipt_email:'{ADA}'") == []

    served(tmp_path, story)
