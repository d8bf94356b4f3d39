"""What a refusal tells a developer: which member, which address, which method, and what to do instead."""

import asyncio
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.contract.api_serving import served
from tests.gateway_world import World

INTENTS = "/v1/payment_intents"
ORDER = {"amount": 1250, "currency": "eur"}
FORM = {"content-type": "application/x-www-form-urlencoded"}
NUL = "Text cannot hold the character NUL (U+0000)."


WITH_NUL: dict[str, tuple[dict[str, Any], str | None]] = {
    "a customer": ({"customer": "a\0b"}, "customer"),
    "a value of metadata": ({"metadata": {"a": "\0"}}, "metadata[...]"),
    "a name in metadata": ({"metadata": {"a\0": "b"}}, "metadata[...]"),
    "a device": ({"risk_context": {"device_id": "d\0"}}, "risk_context[device_id]"),
    "a browser": ({"risk_context": {"user_agent": "\0"}}, "risk_context[user_agent]"),
    "an address": (
        {"risk_context": {"billing_address": {"line1": "x\0"}}},
        "risk_context[billing_address][line1]",
    ),
    "an item": (
        {"risk_context": {"items": [{"quantity": 1}, {"description": "\0"}]}},
        "risk_context[items][1][description]",
    ),
    "an unknown member": ({"nothing\0": 1}, None),
}


@pytest.mark.parametrize("name", WITH_NUL)
def test_a_nul_is_refused_in_every_text(tmp_path: Path, name: str) -> None:
    members, param = WITH_NUL[name]

    async def story(http: httpx2.AsyncClient, world: World) -> None:
        error = (await http.post(INTENTS, json={**ORDER, **members})).json()["error"]

        assert (error["code"], error.get("param")) == ("parameter_invalid", param)
        assert (await http.get(INTENTS)).json()["data"] == []

    served(tmp_path, story)


def test_a_nul_is_refused_in_forms_queries_reports_and_paths(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        form = await http.post(INTENTS, content=b"amount=1&currency=eur&customer=a%00", headers=FORM)
        query = await http.get(f"{INTENTS}?starting_after=pi_%00")
        sign_in = await http.post("/v1/account_events", json={"type": "sign_in", "customer": "a\0"})
        path = await http.get(f"{INTENTS}/pi_%00")

        assert form.json()["error"]["message"] == f"customer: {NUL[0].lower()}{NUL[1:]}"
        assert [query.status_code, sign_in.status_code, path.status_code] == [400, 400, 404]

    served(tmp_path, story)


def test_the_address_of_a_sign_in_is_named_as_it_was_sent(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        sign_in = await http.post("/v1/account_events", json={"type": "sign_in", "ip": "1.2.3"})
        order = await http.post(INTENTS, json={**ORDER, "risk_context": {"ip": "1.2.3"}})

        assert [answer.json()["error"]["param"] for answer in (sign_in, order)] == ["ip", "risk_context[ip]"]

    served(tmp_path, story)


@pytest.mark.parametrize("said", ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"])
def test_a_time_at_an_end_of_the_calendar_is_refused_as_any_other_that_is_too_far(
    tmp_path: Path, said: str
) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        sign_in = {"type": "sign_in", "customer": "c-1", "occurred_at": said}
        answer = await http.post("/v1/account_events", json=sign_in)

        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "time_out_of_range")

    served(tmp_path, story)


FORMS = {
    "a fraction inside": (
        "risk_context[items][0][amount]=1.5",
        "risk_context[items][0][amount]: expected a whole number.",
    ),
    "no object": ("risk_context=1", "risk_context: expected an object."),
    "an unknown member": (
        "risk_context[ip]=192.0.2.1&risk_context[colour]=red",
        "risk_context: member 2 is not documented.",
    ),
}


@pytest.mark.parametrize("name", FORMS)
def test_a_form_is_told_its_member_and_nothing_that_a_form_cannot_send(tmp_path: Path, name: str) -> None:
    fields, message = FORMS[name]

    async def story(http: httpx2.AsyncClient, world: World) -> None:
        content = f"amount=1&currency=eur&{fields}".encode()
        answer = await http.post(INTENTS, content=content, headers=FORM)

        assert answer.json()["error"]["message"].startswith(message)

    served(tmp_path, story)


def test_metadata_may_have_the_name_of_a_number(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        content = b"amount=1&currency=eur&metadata[amount]=12.50"
        answer = await http.post(INTENTS, content=content, headers=FORM)

        assert answer.json()["metadata"] == {"amount": "12.50"}

    served(tmp_path, story)


def test_a_query_is_not_told_of_null(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        answer = await http.get("/v1/reviews?open=maybe")

        assert answer.json()["error"]["message"] == "open: expected true or false."

    served(tmp_path, story)


def test_a_missing_member_is_named_in_the_message(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        answer = await http.post(INTENTS, json={"amount": 1})

        assert answer.json()["detail"] == "The required member currency is missing."

    served(tmp_path, story)


def test_who_asks_the_api_for_a_token_is_sent_to_the_processor(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        card = {"card": {"number": "4242424242424242", "exp_month": 12, "exp_year": 2031}}
        answer = await http.post("/v1/tokens", json=card)

        assert (answer.status_code, answer.json()["error"]["code"]) == (404, "resource_missing")
        assert "processor's listener" in answer.json()["detail"]
        assert (await http.post("/pay", json={})).json()["detail"] == answer.json()["detail"]

    served(tmp_path, story)


def test_a_wrong_method_is_told_the_right_ones(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        answer = await http.delete(INTENTS)

        assert (answer.status_code, answer.headers["allow"]) == (405, "GET, POST")
        assert answer.json()["detail"] == "This path takes: GET, POST."

    served(tmp_path, story)


def test_a_key_may_come_as_the_user_name_of_basic_authentication(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        del http.headers["authorization"]

        assert (await http.get(INTENTS, auth=(world.keys["test"], ""))).status_code == 200
        for user, password in ((world.keys["test"], "x"), ("ada", ""), ("", world.keys["test"])):
            assert (await http.get(INTENTS, auth=(user, password))).status_code == 401
        for garbled in ("Basic", "Basic =", "Basic \u00e4".encode(), "Basic c2tfdGVzdF8="):
            assert (await http.get(INTENTS, headers={"authorization": garbled})).status_code == 401

    served(tmp_path, story)


def test_a_payment_that_was_never_confirmed_takes_no_label(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        created = (await http.post(INTENTS, json={**ORDER, "payment_method": await world.token()})).json()
        label = {"payment_intent": created["id"], "kind": "fraud_dispute", "source": "bank"}
        early = await http.post("/v1/labels", json=label)
        world.processor.decline_code = "insufficient_funds"
        await http.post(f"{INTENTS}/{created['id']}/confirm")
        after = await http.post("/v1/labels", json=label)

        assert (early.status_code, early.json()["error"]["code"]) == (400, "payment_never_confirmed")
        assert after.status_code == 200, after.text

    served(tmp_path, story)


def test_a_review_that_was_closed_says_how(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        world.risk.outcome = "review"
        created = (await http.post(INTENTS, json={**ORDER, "payment_method": await world.token()})).json()
        held = (await http.post(f"{INTENTS}/{created['id']}/confirm")).json()
        await http.post(f"/v1/reviews/{held['review']}/approve")
        answer = await http.post(f"/v1/reviews/{held['review']}/reject")

        assert answer.json()["detail"] == "This review was closed before: approved."

    served(tmp_path, story)


def test_the_issuers_word_is_told_in_words(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        world.processor.decline_code = "stolen_card"
        created = (await http.post(INTENTS, json={**ORDER, "payment_method": await world.token()})).json()
        answer = (await http.post(f"{INTENTS}/{created['id']}/confirm")).json()

        intent = answer["error"]["payment_intent"]
        assert intent["outcome"]["seller_message"] == "The issuer declined: the card is reported stolen."
        assert "stolen" not in answer["detail"]

    served(tmp_path, story)


def test_a_step_that_is_sent_again_does_nothing_twice_and_says_where_the_intent_stands(
    tmp_path: Path,
) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        order = {**ORDER, "capture_method": "manual", "payment_method": await world.token()}
        path = f"{INTENTS}/{(await http.post(INTENTS, json=order)).json()['id']}"
        at_once = await asyncio.gather(*(http.post(f"{path}/confirm") for _ in range(3)))
        captures = [await http.post(f"{path}/capture") for _ in range(2)]
        canceled = await http.post(f"{path}/cancel")

        assert sorted(answer.status_code for answer in at_once) == [200, 400, 400]
        refused = [answer for answer in (*at_once, *captures, canceled) if answer.status_code != 200]
        assert {answer.json()["error"]["code"] for answer in refused} == {"payment_intent_unexpected_state"}
        assert [answer.status_code for answer in captures] == [200, 400]
        assert "status is succeeded" in captures[1].json()["detail"]
        assert len(world.processor.authorized) == 1

    served(tmp_path, story)
