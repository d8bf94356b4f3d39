"""Bad input: each has its documented refusal, nothing of it is quoted, and nothing else is lost."""

import json
import logging
from pathlib import Path
from typing import Any

import httpx2
import pytest

from gateway.api.application import make_application
from gateway.http.bodies import BODY_BYTES_MAX
from gateway.requests import CreateIntent
from tests.contract.api_serving import served
from tests.gateway_world import World

INTENTS = "/v1/payment_intents"
ORDER = {"amount": 1250, "currency": "eur"}
CARD = "4242424242424242"
MARK = "do-not-quote-me"


def as_json(**members: Any) -> bytes:
    return json.dumps({**ORDER, **members}).encode()


BODIES = {
    "malformed": (b'{"amount": 1', "json_malformed", None),
    "trailing": (b'{"amount": 1} x', "json_malformed", None),
    "an array": (b"[1]", "parameter_invalid", None),
    "not a number": (b'{"amount": NaN, "currency": "eur"}', "json_malformed", None),
    "infinite": (b'{"amount": 1e999, "currency": "eur"}', "json_malformed", None),
    "not UTF-8": (b'{"amount": 1, "currency": "\xff\xfe"}', "json_malformed", None),
    "half a character": (b'{"amount": 1, "currency": "\\ud800"}', "json_malformed", None),
    "very deep": (b'{"metadata":' * 5000 + b"1" + b"}" * 5000, "json_malformed", None),
    "deep arrays": (b"[" * 60_000, "json_malformed", None),
    "a line's end after a currency": (as_json(currency="eur\n"), "parameter_invalid", "currency"),
    "a line's end after an email": (
        as_json(risk_context={"email": "a@example.org\n"}),
        "parameter_invalid",
        "risk_context[email]",
    ),
    "a huge number": (as_json(amount=10**300), "parameter_invalid", "amount"),
    "a number of 5000 digits": (b'{"amount": ' + b"9" * 5000 + b"}", None, None),
    "a member twice": (b'{"amount": 1, "currency": "eur", "amount": 2}', "parameter_duplicate", "amount"),
    "a member twice, once in disguise": (
        b'{"amount": 1, "currency": "eur", "\\u0061mount": 1}',
        "parameter_duplicate",
        "amount",
    ),
    "a member twice inside": (
        b'{"amount": 1, "currency": "eur", "risk_context": {"items": [{}, {"amount": 1, "amount": 1}]}}',
        "parameter_duplicate",
        "risk_context[items][1][amount]",
    ),
    "a name of the caller's twice": (
        as_json(metadata={MARK: "a", "other": "b"}).replace(b"other", MARK.encode()),
        "parameter_duplicate",
        "metadata[...]",
    ),
    "an unknown member twice": (
        b'{"risk_context": {"%b": 1, "%b": 2}}' % (MARK.encode(), MARK.encode()),
        "parameter_duplicate",
        "risk_context",
    ),
    "twice within what is unknown": (
        b'{"%b": [{"amount": 1, "amount": 1}]}' % MARK.encode(),
        "parameter_duplicate",
        None,
    ),
    "a huge number beside a member twice": (
        b'{"amount": 1, "amount": ' + b"9" * 300 + b"}",
        "parameter_duplicate",
        "amount",
    ),
    "text for a number": (as_json(amount=MARK), "parameter_invalid", "amount"),
    "a boolean for a number": (as_json(amount=True), "parameter_invalid", "amount"),
    "zero": (as_json(amount=0), "parameter_invalid", "amount"),
    "negative": (as_json(amount=-5), "parameter_invalid", "amount"),
    "fractional": (as_json(amount=12.5), "parameter_invalid", "amount"),
    "whole, but a fraction": (as_json(amount=12.0), "parameter_invalid", "amount"),
    "above the largest": (as_json(amount=10**12), "parameter_invalid", "amount"),
    "no amount": (b'{"currency": "eur"}', "parameter_missing", "amount"),
    "null": (as_json(amount=None), "parameter_invalid", "amount"),
    "an unknown currency": (as_json(currency="xqz"), "currency_invalid", "currency"),
    "a currency with no minor unit": (as_json(currency="xau"), "currency_invalid", "currency"),
    "a currency's name": (as_json(currency=MARK), "parameter_invalid", "currency"),
    "an unknown member": (as_json(**{MARK: 1}), "parameter_unknown", None),
    "an unknown member inside": (as_json(risk_context={MARK: 1}), "parameter_unknown", "risk_context"),
    "an unknown word": (as_json(capture_method=MARK), "parameter_invalid", "capture_method"),
    "no IP address": (as_json(risk_context={"ip": "300.1.1.1"}), "parameter_invalid", "risk_context[ip]"),
    "no email address": (as_json(risk_context={"email": MARK}), "parameter_invalid", "risk_context[email]"),
    "a country by name": (
        as_json(risk_context={"billing_address": {"country": MARK}}),
        "parameter_invalid",
        "risk_context[billing_address][country]",
    ),
    "a country that there is not": (
        as_json(risk_context={"shipping_address": {"country": "ZZ"}}),
        "parameter_invalid",
        "risk_context[shipping_address][country]",
    ),
    "a bad item": (
        as_json(risk_context={"items": [{"quantity": 1}, {"quantity": 0}]}),
        "parameter_invalid",
        "risk_context[items][1][quantity]",
    ),
    "an empty customer": (as_json(customer=""), "parameter_invalid", "customer"),
    "a long customer": (as_json(customer="x" * 300), "parameter_invalid", "customer"),
    "an unknown card": (as_json(payment_method="tok_none"), "resource_missing", "payment_method"),
    "a malformed token": (as_json(payment_method=MARK + "!"), "parameter_invalid", "payment_method"),
    "much metadata": (
        as_json(metadata={str(n): "x" for n in range(51)}),
        "parameter_invalid",
        "metadata",
    ),
    "metadata that is no text": (as_json(metadata={"a": 1}), "parameter_invalid", "metadata[...]"),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_bad_body_is_refused_and_not_quoted(
    tmp_path: Path, name: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    body, code, param = BODIES[name]

    async def story(http: httpx2.AsyncClient, world: World) -> None:
        answer = await http.post(INTENTS, content=body, headers={"content-type": "application/json"})

        assert answer.status_code in (400, 404), answer.text
        problem = answer.json()
        assert answer.headers["content-type"] == "application/problem+json"
        assert problem["status"] == answer.status_code
        if code is not None:
            assert (problem["error"]["code"], problem["error"].get("param")) == (code, param)
        captured = capfd.readouterr()
        assert MARK not in answer.text + captured.out + captured.err + caplog.text
        assert (await http.get(INTENTS)).json()["data"] == []
        assert (await http.post(INTENTS, json=ORDER)).status_code == 200

    with caplog.at_level(logging.DEBUG):
        served(tmp_path, story)


FORMS = {
    "a fraction": "amount=12.0&currency=eur",
    "an exponent": "amount=1e3&currency=eur",
    "with a sign": "amount=+12&currency=eur",
    "twice": "amount=1&amount=2&currency=eur",
    "value and object": "amount=1&currency=eur&risk_context=1&risk_context[ip]=192.0.2.1",
    "open bracket": "amount=1&currency=eur&risk_context[ip=192.0.2.1",
    "too deep": "amount=1&currency=eur&metadata[a][b][c][d][e]=1",
    "no pair": "amount",
    "bad UTF-8": "amount=1&currency=eur&customer=%ff%fe",
    "not ASCII": "amount=1&currency=eur&customer=\u00e9",
    "very many": "&".join(f"metadata[{n}]=1" for n in range(600)),
    "unknown member": "amount=1&currency=eur&nothing=1",
    "null for one of several words": "amount=1&currency=eur&setup_future_usage=null",
    "null for an object": "amount=1&currency=eur&risk_context=NULL",
    "null within": "amount=1&currency=eur&payment_method_data[type]=null",
}


@pytest.mark.parametrize("name", FORMS)
def test_a_bad_form_is_refused(tmp_path: Path, name: str) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        headers = {"content-type": "application/x-www-form-urlencoded"}
        answer = await http.post(INTENTS, content=FORMS[name].encode(), headers=headers)

        assert answer.status_code == 400, answer.text

    served(tmp_path, story)


def test_the_word_null_is_a_text_where_a_text_is_expected(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        form = {**ORDER, "description": "null", "metadata[null]": "null", "customer": "null"}
        made = (await http.post(INTENTS, data=form)).json()

        assert (made["description"], made["metadata"], made["customer"]) == ("null", {"null": "null"}, "null")
        for other in ("type=null", "type=Null"):
            assert (await http.get(f"/v1/payment_methods?customer=null&{other}")).status_code == 400

    served(tmp_path, story)


DOCUMENTED = CreateIntent.__struct_fields__

MESSAGES: dict[str, tuple[dict[str, Any], str]] = {
    "a top member": (
        {MARK: 1},
        f"Member 3 is not documented. Documented here: {', '.join(DOCUMENTED)} (docs/api.md).",
    ),
    "an inner member": (
        {"risk_context": {"items": [{"quantity": 1, MARK: 1}]}},
        "risk_context[items][0]: member 2 is not documented. "
        "Documented here: description, quantity, amount (docs/api.md).",
    ),
    "a word": ({"capture_method": MARK}, "capture_method: expected one of: automatic, manual."),
    "null for a word": ({"capture_method": None}, "capture_method: expected one of: automatic, manual."),
    "an empty identifier": (
        {"payment_method": ""},
        "payment_method: expected an identifier as it was given to you: 1 to 64 letters, digits and "
        "underscores.",
    ),
    "a currency": ({"currency": "euro"}, "currency: expected a currency in three letters (ISO 4217)."),
    "nothing": ({"amount": 0}, "amount: expected a whole number of at least 1."),
    "too much": ({"amount": 10**12}, "amount: expected a whole number of at most 999999999999."),
    "a fraction": ({"amount": 12.5}, "amount: expected a whole number, got a fraction."),
    "a list": ({"risk_context": []}, "risk_context: expected an object or null, got a list."),
    "no text": ({"customer": ""}, "customer: expected text with at least 1 character."),
    "a long name": ({"metadata": {"x" * 41: ""}}, "metadata: expected names with at most 40 characters."),
    "many entries": (
        {"risk_context": {"items": [{}] * 101}},
        "risk_context[items]: expected a list with at most 100 entries.",
    ),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_a_refusal_says_in_words_what_was_expected(tmp_path: Path, name: str) -> None:
    members, message = MESSAGES[name]

    async def story(http: httpx2.AsyncClient, world: World) -> None:
        answer = await http.post(INTENTS, content=as_json(**members))

        assert answer.json()["error"]["message"] == message

    served(tmp_path, story)


@pytest.mark.parametrize("time", ["yesterday", "2026-01-05T10:00:00"])
def test_a_time_that_is_none_is_refused_with_an_example(tmp_path: Path, time: str) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        label = {"payment_intent": "pi_1", "kind": "fraud_dispute", "source": "bank", "reported_at": time}
        answer = await http.post("/v1/labels", json=label)

        expected = "reported_at: expected a time with its zone, such as 2026-01-05T10:00:00Z."
        assert answer.json()["error"]["message"] == expected

    served(tmp_path, story)


def test_a_member_that_stands_twice_in_a_form_is_refused_in_these_words(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        headers = {"content-type": "application/x-www-form-urlencoded"}
        answer = await http.post(INTENTS, content=b"amount=1&currency=eur&amount=2", headers=headers)

        assert answer.json()["error"]["message"] == "A member stands twice in the form."

    served(tmp_path, story)


def test_a_huge_body_is_refused_declared_or_not(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        read = 0

        async def endless() -> Any:
            nonlocal read
            while read < 100 * BODY_BYTES_MAX:
                read += 4096
                yield b" " * 4096

        declared = await http.post(INTENTS, content=b" " * (BODY_BYTES_MAX + 1))
        undeclared = await http.post(INTENTS, content=endless())

        assert (declared.status_code, undeclared.status_code) == (413, 413)

    served(tmp_path, story)


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/nothing", 404, "resource_missing"),
        ("PUT", INTENTS, 405, "method_not_allowed"),
        ("GET", f"{INTENTS}/pi_none", 404, "resource_missing"),
        ("GET", f"{INTENTS}?limit=0", 400, "parameter_invalid"),
        ("GET", f"{INTENTS}?limit=101", 400, "parameter_invalid"),
        ("GET", f"{INTENTS}?limit=ten", 400, "parameter_invalid"),
        ("GET", f"{INTENTS}?starting_after=pi_none", 404, "resource_missing"),
        ("GET", f"{INTENTS}?page=2", 400, "parameter_unknown"),
        ("POST", f"{INTENTS}/pi_none/confirm", 404, "resource_missing"),
        ("POST", "/v1/reviews/prv_none/approve", 404, "resource_missing"),
    ],
)
def test_every_wrong_address_has_its_answer(
    tmp_path: Path, method: str, path: str, status: int, code: str
) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        answer = await http.request(method, path)

        assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)

    served(tmp_path, story)


def test_another_media_type_is_refused(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        answer = await http.post(INTENTS, content=b"<amount/>", headers={"content-type": "text/xml"})

        assert answer.status_code == 415

    served(tmp_path, story)


CARD_PLACES: dict[str, dict[str, Any]] = {
    "as text": {"json": {**ORDER, "customer": CARD}},
    "as a number": {"json": {**ORDER, "amount": int(CARD)}},
    "as a fraction": {"content": b'{"amount": 4242424242424242.0}'},
    "in groups": {"json": {**ORDER, "metadata": {"note": "card 4242 4242 4242 4242, thanks"}}},
    "with dashes": {"json": {**ORDER, "metadata": {"note": "4242-4242-4242-4242"}}},
    "with dots and slashes": {"json": {**ORDER, "metadata": {"note": "4242.4242/4242.4242"}}},
    "in full width": {"json": {**ORDER, "customer": "４２４２４２４２４２４２４２４２"}},
    "in another script": {"json": {**ORDER, "customer": "٤٢٤٢٤٢٤٢٤٢٤٢٤٢٤٢"}},
    "escaped": {"content": b'{"customer": "' + b"\\u0034\\u0032" * 8 + b'"}'},
    "as a name": {"json": {**ORDER, "metadata": {CARD: "x"}}},
    "as an unknown member": {"json": {**ORDER, CARD: 1}},
    "in a card object": {"json": {**ORDER, "card": {"number": CARD, "cvc": "123"}}},
    "in malformed JSON": {"content": b'{"number": "4242424242424242"'},
    "in a form": {"data": {"amount": "1", "currency": "eur", "customer": "4242 4242 4242 4242"}},
    "in the query": {"params": {"card": "4242 4242 4242 4242"}, "json": ORDER},
    "in a header": {"headers": {"x-card": CARD}, "json": ORDER},
    "in a header's name": {"headers": {CARD: "x"}, "json": ORDER},
    "American Express": {"json": {**ORDER, "customer": "378282246310005"}},
    "thirteen digits": {"json": {**ORDER, "customer": "4222222222222"}},
    "nineteen digits": {"json": {**ORDER, "customer": "6304000000000000000"}},
    "deep inside": {
        "json": {**ORDER, "risk_context": {"items": [{"description": f"gift {CARD}"}]}},
    },
}


@pytest.mark.parametrize("place", CARD_PLACES)
def test_a_card_number_is_refused_wherever_it_stands_and_is_not_kept(
    tmp_path: Path, place: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        answer = await http.post(INTENTS, **CARD_PLACES[place])

        assert answer.status_code == 400, answer.text
        assert answer.json()["error"]["code"] == "card_data_not_accepted"
        assert world.log.events("payments") == []
        captured = capfd.readouterr()
        assert CARD not in answer.text + captured.out + captured.err + caplog.text

    with caplog.at_level(logging.DEBUG):
        served(tmp_path, story)
    for path in tmp_path.rglob("*"):
        assert CARD.encode() not in path.read_bytes()


def test_a_card_number_in_the_path_is_refused(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        answer = await http.get(f"{INTENTS}/{CARD}")

        assert answer.json()["error"]["code"] == "card_data_not_accepted"

    served(tmp_path, story)


@pytest.mark.parametrize(
    "innocent",
    [
        "order 4242424242424241",
        "550e8400-e29b-41d4-a716-446655440000",
        "pi_4242424242424242ab4242424242424242",
        "2026-01-05T10:00:00.000000Z",
        "+91 98765 43210",
        "1767607200000",
    ],
)
def test_what_only_looks_like_a_card_number_passes(tmp_path: Path, innocent: str) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        answer = await http.post(INTENTS, json={**ORDER, "metadata": {"note": innocent}})

        assert answer.status_code == 200, answer.text

    served(tmp_path, story)


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer sk_test_x", "Basic abc", "Bearer " + "x" * 5000])
def test_a_wrong_key_opens_nothing(tmp_path: Path, header: str) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        answer = await http.post(INTENTS, json=ORDER, headers={"authorization": header})

        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"

    served(tmp_path, story)


@pytest.mark.parametrize(
    "text", ["yesterday", "2026-01-05", "2026-01-05T10:00:00", "9999-01-01T00:00:00Z", ""]
)
def test_a_test_time_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        answer = await http.post(INTENTS, json=ORDER, headers={"weir-test-time": text})

        assert (answer.status_code, answer.json()["error"]["param"]) == (400, "weir-test-time")

    served(tmp_path, story)


def test_a_live_key_is_refused_a_time_of_its_own(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        headers = {"weir-test-time": "2026-01-05T10:00:00Z"}
        refused = await http.post(INTENTS, json=ORDER, headers=headers)
        taken = await http.post(INTENTS, json=ORDER)

        assert (refused.status_code, refused.json()["error"]["code"]) == (400, "test_time_refused")
        assert (taken.status_code, taken.json()["livemode"]) == (200, True)

    served(tmp_path, story, mode="live")


def test_an_error_that_nobody_foresaw_is_a_bare_500(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    class Broken:
        async def create(self, *_: object) -> None:
            raise RuntimeError(MARK)

    async def story(http: httpx2.AsyncClient, world: World) -> None:
        world.gateway.payments = Broken()  # type: ignore[assignment]  # it breaks on purpose
        transport = httpx2.ASGITransport(app=make_application(world.gateway))
        async with httpx2.AsyncClient(transport=transport, base_url="http://weir") as broken:
            answer = await broken.post(INTENTS, json=ORDER, headers=dict(http.headers))

        assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal_error")
        captured = capfd.readouterr()
        assert "RuntimeError" in captured.out + captured.err
        assert MARK not in answer.text + captured.out + captured.err + caplog.text

    served(tmp_path, story)
