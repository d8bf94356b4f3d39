"""The public listener: what it takes, what it refuses, and that it never says a card number back."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import httpx2
import pytest

from gateway.errors import ApiUnavailableError
from gateway.pressure.adapting import Delays
from gateway.pressure.measuring import Gauge
from gateway.processor import vault_rows
from gateway.processor.card_input import CARD_BODY_BYTES_MAX
from gateway.processor.internal import internal_methods
from gateway.scheduling import InlineScheduling
from tests.linked import answer_of
from tests.processor_parts import GOOD_KEY, NOW, Bench, in_one_thread

NUMBER = "4242424242424242"
CARD = {"number": NUMBER, "exp_month": 12, "exp_year": 2031, "cvc": "737"}


class Answer:
    """Status, body and error of one answer."""

    def __init__(self, response: httpx2.Response) -> None:
        self.status, self.text, self.headers = response.status_code, response.text, response.headers
        self.body: dict[str, Any] = response.json()
        self.error: dict[str, Any] = self.body.get("error", {})


def shopper(bench: Bench) -> httpx2.AsyncClient:
    transport = httpx2.ASGITransport(app=bench.public().app())
    return httpx2.AsyncClient(
        transport=transport, base_url="https://pay", headers={"authorization": f"Bearer {GOOD_KEY}"}
    )


def post(bench: Bench | None = None, **request: Any) -> Answer:
    async def run() -> Answer:
        async with shopper(bench or Bench()) as client:
            return Answer(await client.post("/v1/tokens", **request))

    return asyncio.run(run())


def with_card(**changes: Any) -> Answer:
    return post(json={"card": {**CARD, **changes}})


def test_a_card_as_json_becomes_a_token_that_says_what_may_be_known() -> None:
    answer = post(json={"card": CARD})

    assert answer.status == 200
    assert answer.body["id"].startswith("tok_")
    assert answer.body["card"] == {
        "object": "card",
        "brand": "visa",
        "last4": "4242",
        "exp_month": 12,
        "exp_year": 2031,
        "funding": "credit",
        "country": "US",
    }


def test_a_card_as_a_form_becomes_the_same_token() -> None:
    form = urlencode({f"card[{name}]": value for name, value in CARD.items()})

    answer = post(content=form, headers={"content-type": "application/x-www-form-urlencoded"})

    assert answer.status == 200
    assert answer.body["card"]["last4"] == "4242"


@in_one_thread
async def test_the_api_hears_of_the_token_before_the_vault_keeps_the_card() -> None:
    bench = Bench()

    token = await bench.token()

    (registered,) = bench.registry.registered
    assert (registered.token, registered.bin, registered.last4) == (token, "424242", "4242")
    assert NUMBER not in repr(registered)


@pytest.mark.parametrize(
    ("changes", "code", "param"),
    [
        ({"number": "4242424242424241"}, "incorrect_number", "number"),
        ({"number": "4242"}, "invalid_number", "number"),
        ({"number": "4242abcd42424242"}, "invalid_number", "number"),
        ({"number": ""}, "invalid_number", "number"),
        ({"exp_month": 13}, "invalid_expiry_month", "exp_month"),
        ({"exp_month": 0}, "invalid_expiry_month", "exp_month"),
        ({"exp_month": "ab"}, "invalid_expiry_month", "exp_month"),
        ({"exp_year": 1999}, "invalid_expiry_year", "exp_year"),
        ({"exp_year": 2199}, "invalid_expiry_year", "exp_year"),
        ({"exp_year": -1}, "invalid_expiry_year", "exp_year"),
        ({"exp_month": 12, "exp_year": 2025}, "expired_card", "exp_month"),
        ({"cvc": "12"}, "invalid_cvc", "cvc"),
        ({"cvc": "12345"}, "invalid_cvc", "cvc"),
        ({"cvc": "abc"}, "invalid_cvc", "cvc"),
        ({"number": "378282246310005", "cvc": "123"}, "invalid_cvc", "cvc"),
    ],
)
def test_a_card_that_cannot_be_is_refused_with_its_code(
    changes: dict[str, Any], code: str, param: str
) -> None:
    answer = with_card(**changes)

    assert answer.status == 402
    assert (answer.error["type"], answer.error["code"], answer.error["param"]) == ("card_error", code, param)
    assert answer.body["type"] == f"urn:weir:problem:{code}"


@pytest.mark.parametrize(
    "changes",
    [
        {"number": "4242 4242 4242 4242"},
        {"number": "4242-4242-4242-4242"},
        {"exp_year": 31},
        {"exp_month": "1", "exp_year": "2026"},
        {"number": "378282246310005", "cvc": "1234"},
        {"cvc": None},
    ],
)
def test_a_card_may_be_written_as_people_write_it(changes: dict[str, Any]) -> None:
    assert with_card(**changes).status == 200


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "parameter_missing"),
        (b"{", "json_malformed"),
        (b"\xff\xfe", "json_malformed"),
        (b"[]", "parameter_invalid"),
        (b"{}", "parameter_missing"),
        (b'{"card":{}}', "parameter_missing"),
        (b'{"card":{"number":4242424242424242,"exp_month":1,"exp_year":2030}}', "parameter_invalid"),
        (b'{"card":{"number":"4242424242424242","exp_month":1.5,"exp_year":2030}}', "parameter_invalid"),
        (b'{"card":{"4242424242424242":1,"number":"1","exp_month":1,"exp_year":1}}', "parameter_unknown"),
        (b'{"4242424242424242":1}', "parameter_unknown"),
        (b'{"card":"4242424242424242"}', "parameter_invalid"),
        (b"9" * 5000, "json_malformed"),
        (b'{"card":' + b"[" * 3000, "json_malformed"),
    ],
)
def test_a_body_that_is_no_token_request_is_refused_without_quoting_it(body: bytes, code: str) -> None:
    answer = post(content=body, headers={"content-type": "application/json"})

    assert (answer.status, answer.error["code"]) == (400, code)
    assert "4242" not in answer.text


@pytest.mark.parametrize(
    ("form", "code"),
    [
        (b"card[number]=4242424242424242", "parameter_missing"),
        (
            b"card[number]=4242424242424242&card[number]=4242424242424242&card[exp_month]=1&card[exp_year]=30",
            "form_malformed",
        ),
        (b"card[number][4242424242424242]=1&card[exp_month]=1&card[exp_year]=30", "parameter_invalid"),
        (b"card[4242424242424242]=1", "parameter_unknown"),
        (b"card[x4242424242424242]=1", "parameter_unknown"),
        (b"card[0]=4242424242424242", "parameter_invalid"),
        (b"4242424242424242", "form_malformed"),
        (b"card[number]=%ff&card[exp_month]=1&card[exp_year]=30", "form_malformed"),
        (b"&".join(b"a%d=1" % number for number in range(50)), "parameter_unknown"),
        (b"&".join(b"a%d=1" % number for number in range(600)), "form_malformed"),
        (b"", "parameter_missing"),
    ],
)
def test_a_form_that_is_no_token_request_is_refused_without_quoting_it(form: bytes, code: str) -> None:
    answer = post(content=form, headers={"content-type": "application/x-www-form-urlencoded"})

    assert (answer.status, answer.error["code"]) == (400, code)
    assert "4242" not in answer.text


def test_a_body_of_another_type_is_refused() -> None:
    assert post(content=b"<card/>", headers={"content-type": "text/xml"}).status == 415


def test_a_body_larger_than_the_limit_is_refused() -> None:
    body = json.dumps({"card": {**CARD, "number": "4" * CARD_BODY_BYTES_MAX}}).encode()

    answer = post(content=body, headers={"content-type": "application/json"})

    assert (answer.status, answer.headers["connection"]) == (413, "close")


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Bearer pk_test_1",
        "Basic sk_test_good",
        "Bearer sk_" + "1" * 200,
        "Bearer sk_test_x",
        "Bearer sk_test_" + "1" * 48,
    ],
)
def test_without_a_good_key_there_is_no_token_and_no_card_in_the_vault(authorization: str) -> None:
    bench = Bench()

    answer = post(bench, json={"card": CARD}, headers={"authorization": authorization})

    assert (answer.status, answer.error["code"]) == (401, "api_key_invalid")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert asyncio.run(bench.store.transact(vault_rows.vault_is_empty))


def test_a_page_of_any_origin_may_make_a_token_but_sets_no_time() -> None:
    page = {"origin": "https://shop.example", "authorization": "Bearer pk_test_" + "0a" * 24}

    made = post(json={"card": CARD}, headers={"origin": page["origin"]})
    refused = post(json={"card": CARD}, headers={**page, "weir-test-time": "2026-06-05T10:00:00Z"})

    assert (made.status, made.headers["access-control-allow-origin"]) == (200, "*")
    assert (refused.status, refused.error["code"]) == (401, "secret_key_required")


def test_an_api_that_gives_no_answer_is_a_503_and_keeps_no_card() -> None:
    class Away:
        async def register(self, registration: Any) -> Any:
            raise ApiUnavailableError("away")

    bench = Bench(registry=Away())

    answer = post(bench, json={"card": CARD})

    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert asyncio.run(bench.store.transact(vault_rows.vault_is_empty))


@pytest.mark.parametrize(
    ("at", "status"),
    [("2025-12-31T23:59:59Z", 200), ("2026-01-01T00:00:00Z", 402), ("2026-01-01T05:30:00+05:30", 402)],
)
def test_a_card_expires_by_the_time_that_the_test_request_carries(at: str, status: int) -> None:
    card = {**CARD, "exp_month": 12, "exp_year": 2025}

    assert post(json={"card": card}, headers={"weir-test-time": at}).status == status


@pytest.mark.parametrize("at", ["yesterday", "2026-01-05T10:00:00", "9999-01-01T00:00:00Z"])
def test_a_test_time_that_is_none_is_refused(at: str) -> None:
    answer = post(json={"card": CARD}, headers={"weir-test-time": at})

    assert (answer.status, answer.error["param"]) == (400, "weir-test-time")


@pytest.mark.parametrize(("key", "later"), [(GOOD_KEY, 402), ("sk_test_" + "9" * 48, 200)])
def test_the_test_clock_follows_the_times_of_good_keys_alone(key: str, later: int) -> None:
    async def run() -> int:
        async with shopper(Bench()) as client:
            strange = {"weir-test-time": "2027-01-01T00:00:00Z", "authorization": f"Bearer {key}"}
            await client.post("/v1/tokens", json={"card": CARD}, headers=strange)
            expired = {**CARD, "exp_month": 12, "exp_year": 2026}
            return (await client.post("/v1/tokens", json={"card": expired})).status_code

    assert asyncio.run(run()) == later


def test_a_live_key_is_refused_a_time_of_its_own() -> None:
    headers = {"weir-test-time": "2026-01-05T10:00:00Z", "authorization": f"Bearer sk_live_{'1' * 48}"}

    answer = post(json={"card": CARD}, headers=headers)

    assert (answer.status, answer.error["code"]) == (400, "test_time_refused")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/tokens", 405),
        ("POST", f"/v1/tokens/?{NUMBER}", 404),
        ("POST", f"/v1/{NUMBER}", 404),
        ("GET", "/", 404),
        ("GET", "/health", 200),
    ],
)
@in_one_thread
async def test_other_paths_and_methods_are_refused_without_quoting_them(
    method: str, path: str, status: int
) -> None:
    async with shopper(Bench()) as client:
        response = await client.request(method, path)

    assert response.status_code == status
    assert NUMBER not in response.text + str(response.headers)


@in_one_thread
async def test_who_asks_the_processor_for_a_payment_or_a_sign_in_is_sent_to_the_api() -> None:
    async with shopper(Bench()) as client:
        payment = await client.post("/v1/payment_intents", json={"amount": 1, "currency": "eur"})
        sign_in = await client.post("/signin", json={"username": "ada", "password": "secret"})
        method = await client.delete("/v1/tokens")

    assert "API's address" in payment.json()["detail"]
    assert sign_in.json()["detail"] == payment.json()["detail"]
    assert (method.headers["allow"], method.json()["detail"]) == ("POST", "This path takes: POST.")


@in_one_thread
async def test_an_error_that_nobody_foresaw_is_told_by_its_class_alone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    class Broken:
        async def register(self, registration: Any) -> Any:
            raise RuntimeError(f"broken by {NUMBER}")

    bench = Bench(registry=Broken())
    async with shopper(bench) as client:
        response = await client.post("/v1/tokens", json={"card": CARD})

    assert response.status_code == 500
    printed = capsys.readouterr()
    assert NUMBER not in response.text + printed.out + printed.err
    assert "RuntimeError" in printed.out + printed.err


@in_one_thread
async def test_the_internal_listener_speaks_the_port_and_refuses_what_is_not_agreed() -> None:
    bench = Bench()
    token = await bench.token()
    body = {
        "attempt_id": "a",
        "token": token,
        "amount_minor": 1000,
        "currency": "EUR",
        "merchant_id": "m_1",
        "mode": "test",
        "occurred_at": NOW.isoformat(),
    }
    at = {"occurred_at": datetime(2026, 1, 5, 11, tzinfo=UTC).isoformat()}

    methods = internal_methods(bench.cards, Gauge(InlineScheduling(), Delays()))
    calls: list[tuple[str, str, tuple[Any, ...]]] = [
        ("unknown", "find", ("a",)),
        ("approved", "authorize", (body,)),
        ("captured", "capture", ("a", {"capture_id": "1", "amount_minor": 5, **at})),
        ("captured", "refund", ("a", {"refund_id": "1", "amount_minor": 5, **at})),
        ("captured", "increment", ("a", {"increment_id": "1", "amount_minor": 5, **at})),
        ("captured", "reverse", ("a", at)),
    ]
    for status, method, params in calls:
        assert (await answer_of(methods, method, *params))["result"]["status"] == status, method
    broken = [
        await answer_of(methods, "authorize", {**body, "amount_minor": "many"}),
        await answer_of(methods, "capture", "a"),
        await answer_of(methods, "find"),
    ]

    assert [answer["error"]["status"] for answer in broken] == [400, 400, 400]
