"""Charges: one for each attempt, told from what the attempt and its intent say."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from structlog.testing import capture_logs

from gateway.payments.steps import UNFINISHED
from gateway.processor_port import AnswerChanged, PayerAction
from gateway.store.intent_rows import load_attempt
from tests.contract.api_serving import served
from tests.gateway_world import World

INTENTS, CHARGES = "/v1/payment_intents", "/v1/charges"
ORDER = {"amount": 1250, "currency": "eur", "confirm": True}


async def paid(http: httpx2.AsyncClient, world: World, **members: Any) -> dict[str, Any]:
    order = {**ORDER, "payment_method": await world.token(), **members}
    answer = (await http.post(INTENTS, json=order)).json()
    return answer.get("error", {}).get("payment_intent") or answer


async def charge_of(http: httpx2.AsyncClient, intent: dict[str, Any]) -> dict[str, Any]:
    return (await http.get(f"{CHARGES}/{intent['latest_charge']}")).json()


async def settled(world: World, payment: str) -> None:
    """Wait until nothing of a payment's attempt is owed any more."""

    async def is_settled() -> bool:
        attempt = await world.store.read(lambda c: load_attempt(c, payment, 1))
        return attempt is not None and attempt.phase not in UNFINISHED

    await world.until(is_settled)


def test_a_paid_intent_has_a_charge_with_what_a_receipt_says(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        intent = await paid(http, world, description="tea", statement_descriptor="BOOKS", customer="c-1")
        charge = await charge_of(http, intent)

        assert intent["latest_charge"] == f"ch_{intent['id'][3:]}_1"
        assert (charge["status"], charge["state"], charge["paid"]) == ("succeeded", "captured", True)
        assert (charge["amount"], charge["amount_captured"], charge["amount_refunded"]) == (1250, 1250, 0)
        assert charge["payment_method_details"]["card"]["last4"] == "4242"
        assert charge["payment_method_details"]["card"]["authorization_code"] == "A00001"
        assert charge["receipt_number"] == f"{intent['id'][-8:].upper()}-1"
        assert (charge["description"], charge["statement_descriptor"]) == ("tea", "BOOKS")
        assert charge["outcome"] == intent["outcome"]

    served(tmp_path, story)


def test_a_charge_names_the_payment_method_that_was_named_to_pay(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        card = {"type": "card", "card": {"token": await world.token()}}
        kept = (await http.post("/v1/payment_methods", json=card)).json()["id"]
        world.processor.decline_code = "insufficient_funds"
        declined = await paid(http, world, payment_method=kept)
        world.processor.decline_code = None
        await http.post(f"{INTENTS}/{declined['id']}/confirm", json={"payment_method": "tok_1"})
        answer = (await http.get(CHARGES, params={"expand[]": "data.payment_method"})).json()
        second, first = sorted(answer["data"], key=lambda one: one["id"], reverse=True)

        assert (await charge_of(http, declined))["payment_method"] == kept
        assert first["payment_method"]["id"] == kept
        assert second["payment_method"]["id"] == "tok_1"

    served(tmp_path, story)


def test_each_attempt_keeps_the_outcome_that_it_had(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        world.processor.decline_code = "insufficient_funds"
        declined = await paid(http, world)
        world.processor.decline_code = None
        await http.post(f"{INTENTS}/{declined['id']}/confirm", json={"payment_method": "tok_1"})
        answer = (await http.get(CHARGES, params={"payment_intent": declined["id"]})).json()
        second, first = sorted(answer["data"], key=lambda one: one["id"], reverse=True)

        assert (first["status"], first["state"]) == ("failed", "failed")
        assert (first["failure_code"], first["amount_captured"]) == ("insufficient_funds", 0)
        assert first["outcome"]["type"] == "issuer_declined"
        assert (second["status"], second["failure_code"]) == ("succeeded", None)
        assert second["outcome"]["type"] == "authorized"

    served(tmp_path, story)


@pytest.mark.parametrize(
    ("step", "state", "refunded"),
    [(None, "authorized", 0), ("capture", "captured", 0), ("cancel", "refunded", 1250)],
)
def test_the_state_says_where_the_money_is(
    tmp_path: Path, step: str | None, state: str, refunded: int
) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        intent = await paid(http, world, capture_method="manual")
        if step:
            await http.post(f"{INTENTS}/{intent['id']}/{step}")
        charge = await charge_of(http, intent)

        assert (charge["state"], charge["status"], charge["amount_refunded"]) == (
            state,
            "succeeded",
            refunded,
        )

    served(tmp_path, story)


@pytest.mark.parametrize(
    ("steps", "received", "given_back"),
    [
        ([("capture", {"amount_to_capture": 400})], 400, 850),
        ([("capture", {"amount_to_capture": 400, "final_capture": False})], 400, 0),
        ([("capture", {"amount_to_capture": 400, "final_capture": False}), ("cancel", {})], 400, 850),
        ([("capture", {"amount_to_capture": 400, "final_capture": False}), ("capture", {})], 1250, 0),
        ([("cancel", {})], 0, 1250),
    ],
)
def test_what_was_authorized_and_is_never_captured_is_given_back_however_it_ends(
    tmp_path: Path, steps: list[tuple[str, dict[str, Any]]], received: int, given_back: int
) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        intent = await paid(http, world, capture_method="manual")
        for step, body in steps:
            await http.post(f"{INTENTS}/{intent['id']}/{step}", json=body)
            await settled(world, intent["id"])
        charge = await charge_of(http, intent)

        assert (charge["amount"], charge["amount_captured"]) == (1250, received)
        assert charge["amount_refunded"] == given_back
        assert charge["refunded"] is (received == 0)
        assert (await http.get(f"{INTENTS}/{intent['id']}")).json()["amount_refunded"] == 0

    served(tmp_path, story)


@pytest.mark.parametrize("way", ["card", "wallet"])
def test_what_a_payer_had_approved_and_the_merchant_cancels_was_given_back(tmp_path: Path, way: str) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        until = world.clock.now() + timedelta(minutes=10)
        world.processor.action = PayerAction(kind="redirect", url="https://pays.example/1", expires_at=until)
        data = {"type": way, "card": {"token": await world.token()}} if way == "card" else {"type": way}
        order = {**ORDER, "confirmation_method": "manual", "payment_method_data": data}
        intent = (await http.post(INTENTS, json=order)).json()
        world.processor.payer_is_done(f"{intent['id']}_1")
        await world.gateway.payer_steps.answer_changed(AnswerChanged(attempt_id=f"{intent['id']}_1"))
        assert (await charge_of(http, intent))["state"] == "pending"
        await http.post(f"{INTENTS}/{intent['id']}/cancel")
        charge = await charge_of(http, intent)

        assert (charge["state"], charge["status"], charge["paid"]) == ("refunded", "succeeded", True)
        assert (charge["amount_refunded"], charge["refunded"]) == (1250, True)

    served(tmp_path, story)


def test_a_blocked_attempt_failed_and_a_disputed_one_is_a_chargeback(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        world.risk.outcome = "block"
        blocked = await charge_of(http, await paid(http, world))
        world.risk.outcome = "allow"
        intent = await paid(http, world)
        label = {"payment_intent": intent["id"], "kind": "fraud_dispute", "source": "bank"}
        await http.post("/v1/labels", json=label)
        disputed = await charge_of(http, intent)

        assert (blocked["state"], blocked["outcome"]["type"]) == ("failed", "blocked")
        assert (disputed["state"], disputed["disputed"]) == ("chargeback", True)

    served(tmp_path, story)


def test_of_several_attempts_that_alone_is_disputed_that_took_the_money(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        world.processor.decline_code = "insufficient_funds"
        intent = await paid(http, world)
        world.processor.decline_code = None
        await http.post(f"{INTENTS}/{intent['id']}/confirm", json={"payment_method": "tok_1"})
        label = {"payment_intent": intent["id"], "kind": "other_dispute", "source": "bank"}
        await http.post("/v1/labels", json=label)

        charges = (await http.get(CHARGES, params={"payment_intent": intent["id"]})).json()["data"]
        told = {one["id"][-1]: (one["state"], one["disputed"]) for one in charges}
        assert told == {"1": ("failed", False), "2": ("chargeback", True)}

    served(tmp_path, story)


def test_charges_are_listed_by_intent_and_customer_and_are_the_merchants_alone(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        ada, bob = [await paid(http, world, customer=name) for name in ("ada", "bob")]

        async def ids(**query: str) -> list[str]:
            return [one["id"] for one in (await http.get(CHARGES, params=query)).json()["data"]]

        assert sorted(await ids()) == sorted([ada["latest_charge"], bob["latest_charge"]])
        assert await ids(customer="bob") == [bob["latest_charge"]]
        assert await ids(payment_intent=ada["id"]) == [ada["latest_charge"]]
        newest = (await ids())[0]
        assert await ids(ending_before=newest) == []
        live = {"authorization": f"Bearer {world.keys['live']}"}
        assert (await http.get(f"{CHARGES}/{newest}", headers=live)).status_code == 404
        for unknown in ("ch_none", "pi_1", f"{newest}9"):
            assert (await http.get(f"{CHARGES}/{unknown}")).status_code == 404

    served(tmp_path, story)


def test_an_intent_is_shown_with_the_resources_that_were_asked_for(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        expand = ["latest_charge", "payment_method", "review"]
        order = {**ORDER, "payment_method": await world.token(test_risk="elevated"), "expand": expand}
        held = (await http.post(INTENTS, json=order, headers={"idempotency-key": "k"})).json()
        again = (await http.post(INTENTS, json=order, headers={"idempotency-key": "k"})).json()
        queried = (await http.get(f"{INTENTS}/{held['id']}?expand[]=review&expand[]=latest_charge")).json()
        indexed = (await http.get(f"{INTENTS}/{held['id']}?expand[0]=latest_charge")).json()

        assert held["latest_charge"]["payment_intent"] == held["id"]
        assert held["payment_method"]["card"]["last4"] == "4242"
        assert held["review"]["open"] is True
        assert again == held
        twice = {"expand": ["review", "review"]}
        shown = (await http.post(f"{INTENTS}/{held['id']}", json=twice)).json()
        assert shown["review"]["id"] == held["review"]["id"]
        assert queried == {**held, "payment_method": "tok_1"}
        assert indexed["latest_charge"] == held["latest_charge"]
        for wrong in ("expand[]=customer", "expand=review", "expand[][]=review", "expand[]="):
            assert (await http.get(f"{INTENTS}/{held['id']}?{wrong}")).status_code == 400

    with capture_logs():
        served(tmp_path, story)
