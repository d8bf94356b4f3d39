"""Bad input over the wire, to both public listeners of a running platform: each gets its documented refusal.

Never a 500, and after each refusal the same connection takes the next request.
"""

import asyncio
import http.client
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import closing
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.e2e.whole_platform import FIVE, WholePlatform, whole_platform

pytestmark = pytest.mark.timeout(600)

STARTED_SECONDS_MAX = 240
EXAMPLES = 60
ANSWERED_SECONDS_MAX = 2.0
"""A request that breaks off gets no answer: what comes later than this is not waited for."""
INTENTS, TOKENS = "/v1/payment_intents", "/v1/tokens"
JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
ORDER = {"amount": 1999, "currency": "eur"}
CARD = {"number": "4242424242424242", "exp_month": 12, "exp_year": 2034, "cvc": "123"}


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WholePlatform]:
    """A platform for the whole module, in a thread of its own; nobody may have died at the end."""
    folder = tmp_path_factory.mktemp("bad-input")
    ready: Future[WholePlatform] = Future()
    over = threading.Event()

    async def live() -> None:
        async with whole_platform(folder, f"sqlite:///{folder}/log.sqlite") as running:
            ready.set_result(running)
            await asyncio.to_thread(over.wait)

    thread = threading.Thread(target=lambda: asyncio.run(live()), name="platform")
    thread.start()
    try:
        running = ready.result(STARTED_SECONDS_MAX)
        yield running
        assert [running.chronicles[name].statuses for name in FIVE] == [[]] * len(FIVE)
        assert "request failed" not in running.tails()
    finally:
        over.set()
        thread.join()


class Answer(NamedTuple):
    status: int
    code: str
    media_type: str


def connection(platform: WholePlatform, path: str) -> http.client.HTTPConnection:
    """To the listener that serves the path."""
    if path.startswith(TOKENS):
        trusted = ssl.create_default_context(cafile=str(platform.keys / "ca.pem"))
        return http.client.HTTPSConnection(urlsplit(platform.processor).netloc, timeout=60, context=trusted)
    return http.client.HTTPConnection(urlsplit(platform.api).netloc, timeout=60)


def ask(
    open_connection: http.client.HTTPConnection,
    key: str,
    method: str,
    path: str,
    body: bytes,
    headers: dict[str, str],
) -> Answer:
    bearer = {"authorization": f"Bearer {key}", "content-type": JSON}
    open_connection.request(method, path, body, {**bearer, **headers})
    response = open_connection.getresponse()
    told = json.loads(response.read() or b"{}")
    code = told.get("error", {}).get("code", "")
    return Answer(response.status, code, response.headers.get("content-type", ""))


def order(**members: Any) -> bytes:
    return json.dumps({**ORDER, **members}).encode()


def card(**members: Any) -> bytes:
    return json.dumps({"card": {**CARD, **members}}).encode()


class Case(NamedTuple):
    """A bad request, and the status and code that the documents promise."""

    path: str
    body: bytes
    status: int
    code: str
    headers: dict[str, str] = {}  # noqa: RUF012  # never changed
    method: str = "POST"


CASES = {
    "malformed JSON": Case(INTENTS, b'{"amount": 1', 400, "json_malformed"),
    "malformed JSON of a card": Case(TOKENS, b'{"card": {', 400, "json_malformed"),
    "no JSON but bytes": Case(INTENTS, b"\xff\xfe\x00", 400, "json_malformed"),
    "a member twice": Case(INTENTS, order()[:-1] + b', "amount": 1}', 400, "parameter_duplicate"),
    "a card's member twice": Case(
        TOKENS, card().replace(b'"cvc"', b'"number": "4000000000000002", "cvc"'), 400, "parameter_duplicate"
    ),
    "an array": Case(INTENTS, b"[]", 400, "parameter_invalid"),
    "deep nesting": Case(INTENTS, b"[" * 60_000, 400, "json_malformed"),
    "text for an amount": Case(INTENTS, order(amount="1999"), 400, "parameter_invalid"),
    "a list for a currency": Case(INTENTS, order(currency=["eur"]), 400, "parameter_invalid"),
    "a number for a context": Case(INTENTS, order(risk_context=1), 400, "parameter_invalid"),
    "a list for a card": Case(TOKENS, b'{"card": []}', 400, "parameter_invalid"),
    "a number for a card number": Case(TOKENS, card(number=4242), 400, "parameter_invalid"),
    "an unknown currency": Case(INTENTS, order(currency="xqz"), 400, "currency_invalid"),
    "a negative amount": Case(INTENTS, order(amount=-1), 400, "parameter_invalid"),
    "an amount of nothing": Case(INTENTS, order(amount=0), 400, "parameter_invalid"),
    "a fractional amount": Case(INTENTS, order(amount=19.99), 400, "parameter_invalid"),
    "a fractional amount in a form": Case(
        INTENTS, b"amount=19.99&currency=eur", 400, "parameter_invalid", {"content-type": FORM}
    ),
    "an amount beyond any": Case(INTENTS, order(amount=10**30), 400, "parameter_invalid"),
    "a bad check digit": Case(TOKENS, card(number="4242424242424241"), 402, "incorrect_number"),
    "a number too short": Case(TOKENS, card(number="4242"), 402, "invalid_number"),
    "letters for a number": Case(TOKENS, card(number="4242x4242y424z42"), 402, "invalid_number"),
    "an expired card": Case(TOKENS, card(exp_year=2001), 402, "expired_card"),
    "a thirteenth month": Case(TOKENS, card(exp_month=13), 402, "invalid_expiry_month"),
    "a security code too long": Case(TOKENS, card(cvc="123456"), 402, "invalid_cvc"),
    "no card": Case(TOKENS, b"{}", 400, "parameter_missing"),
    "a card at the API": Case(INTENTS, card(), 400, "card_data_not_accepted"),
    "a card at the API's confirm": Case(f"{INTENTS}/pi_1/confirm", card(), 400, "card_data_not_accepted"),
    "a huge body": Case(INTENTS, b'{"x": "' + b"x" * 3_000_000 + b'"}', 413, "body_too_large"),
    "a huge body at the processor": Case(TOKENS, b"x" * 3_000_000, 413, "body_too_large"),
    "another media type": Case(INTENTS, b"<a/>", 415, "media_type_unsupported", {"content-type": "text/xml"}),
    "another media type of a card": Case(
        TOKENS, b"<a/>", 415, "media_type_unsupported", {"content-type": "text/xml"}
    ),
    "no key": Case(INTENTS, order(), 401, "api_key_invalid", {"authorization": ""}),
    "a wrong key": Case(
        INTENTS, order(), 401, "api_key_invalid", {"authorization": f"Bearer sk_test_{'0' * 48}"}
    ),
    "a wrong key of a card": Case(
        TOKENS, card(), 401, "api_key_invalid", {"authorization": f"Bearer sk_test_{'0' * 48}"}
    ),
    "a malformed time": Case(INTENTS, order(), 400, "parameter_invalid", {"weir-test-time": "yesterday"}),
    "no such payment": Case(f"{INTENTS}/pi_none/confirm", b"{}", 404, "resource_missing"),
    "no such token": Case(INTENTS, order(payment_method="tok_none"), 404, "resource_missing"),
    "no such review": Case("/v1/reviews/prv_none/approve", b"{}", 404, "resource_missing"),
    "no such path": Case("/v1/nothing", b"{}", 404, "resource_missing"),
    "no such path at the processor": Case(f"{TOKENS}/x/y", b"{}", 404, "resource_missing"),
    "no such method": Case(INTENTS, b"{}", 405, "method_not_allowed", method="DELETE"),
    "no such method at the processor": Case(TOKENS, b"{}", 405, "method_not_allowed", method="DELETE"),
    "a label of an unknown payment": Case(
        "/v1/labels",
        b'{"payment_intent": "pi_none", "kind": "fraud_dispute", "source": "bank"}',
        404,
        "resource_missing",
    ),
    "a label of an unknown kind": Case(
        "/v1/labels",
        b'{"payment_intent": "pi_none", "kind": "x", "source": "bank"}',
        400,
        "parameter_invalid",
    ),
    "a sign-in of nobody": Case("/v1/account_events", b'{"type": "sign_in"}', 400, "parameter_missing"),
    "a page of nothing": Case(f"{INTENTS}?limit=0", b"", 400, "parameter_invalid", method="GET"),
}


@pytest.mark.parametrize("name", CASES)
def test_bad_input_gets_its_documented_refusal_and_the_connection_lives(
    platform: WholePlatform, name: str
) -> None:
    case = CASES[name]
    with closing(connection(platform, case.path)) as line:
        answer = ask(line, platform.test_key, case.method, case.path, case.body, case.headers)

        assert answer == Answer(case.status, case.code, "application/problem+json")
        if case.status == 413:
            return  # what was not read would be taken for the next request: that connection is closed
        before = line.sock
        assert before is not None
        assert ask(line, platform.test_key, "GET", "/health", b"", {}).status == 200
        assert line.sock is before


GARBAGE = {
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 300,
    "a bad request line": b"GET\r\n\r\n",
    "a bad header": b"GET /health HTTP/1.1\r\nno colon here\r\n\r\n",
    "huge headers": b"GET /health HTTP/1.1\r\nhost: x\r\nx: " + b"y" * 300_000 + b"\r\n\r\n",
    "a bad length": b"POST /v1/payment_intents HTTP/1.1\r\nhost: x\r\ncontent-length: many\r\n\r\n{}",
    "two lengths": b"POST /v1/labels HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\ncontent-length: 9\r\n\r\n{}",
    "a bad chunk": b"POST /v1/labels HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n",
    "a body that breaks off": b"POST /v1/labels HTTP/1.1\r\nhost: x\r\ncontent-length: 900\r\n\r\n{",
    "an upgrade": b"GET / HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
}


@pytest.mark.parametrize("listener", ["API", "processor"])
@pytest.mark.parametrize("name", GARBAGE)
def test_garbage_on_the_wire_gets_no_500_and_harms_nobody(
    platform: WholePlatform, listener: str, name: str
) -> None:
    path = TOKENS if listener == "processor" else INTENTS
    with closing(connection(platform, path)) as line:
        line.connect()
        wire = line.sock
        assert wire is not None
        told = _told(wire, GARBAGE[name])

    assert not told or (told.startswith(b"HTTP/1.1 ") and told[9:10] != b"5"), told[:200]
    with closing(connection(platform, path)) as line:
        assert ask(line, platform.test_key, "GET", "/health", b"", {}).status == 200


@pytest.mark.parametrize("listener", ["API", "processor"])
@pytest.mark.parametrize("end", [b"\r\n\r\n", b""], ids=["that end", "that never end"])
def test_huge_headers_get_a_problem_document_that_says_so(
    platform: WholePlatform, listener: str, end: bytes
) -> None:
    path = TOKENS if listener == "processor" else INTENTS
    with closing(connection(platform, path)) as line:
        line.connect()
        assert line.sock is not None
        told = _told(line.sock, b"GET /health HTTP/1.1\r\nhost: x\r\nx: " + b"y" * 40_000 + end)

    head, _, body = told.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 431 ")
    assert b"content-type: application/problem+json" in head
    assert json.loads(body)["error"]["code"] == "headers_too_large"


def _told(wire: socket.socket, garbage: bytes) -> bytes:
    """The first bytes of the answer; none where the listener hangs up, or waits for the rest."""
    wire.settimeout(ANSWERED_SECONDS_MAX)
    try:
        wire.sendall(garbage)
        return wire.recv(65_536)
    except (ConnectionError, ssl.SSLError, TimeoutError):
        return b""


ATOMS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=10**18, max_value=10**40),
    st.floats(allow_nan=False),
    st.text(max_size=40),
    st.sampled_from(
        ["eur", "xau", "manual", "tok_1", "pi_1", "2026-01-05T10:00:00Z", "0001-01-01T00:00:00Z"]
    ),
)
MEMBERS = st.sampled_from(
    [
        *("amount", "currency", "capture_method", "payment_method", "customer", "metadata", "risk_context"),
        *("ip", "device_id", "email", "billing_address", "country", "items", "quantity", "type", "kind"),
        *("source", "payment_intent", "reported_at", "occurred_at", "fraud", "amount_to_capture"),
        *("card", "number", "exp_month", "exp_year", "cvc"),
    ]
)
TREES = st.recursive(
    ATOMS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(MEMBERS, inner, max_size=6),
    max_leaves=20,
)
BODIES = st.one_of(
    st.dictionaries(MEMBERS, TREES, max_size=8).map(lambda tree: json.dumps(tree).encode()),
    TREES.map(lambda tree: json.dumps(tree).encode()),
    st.binary(max_size=200),
)
PATHS = st.sampled_from(
    [
        *(INTENTS, f"{INTENTS}/pi_1/confirm", f"{INTENTS}/pi_1/capture", f"{INTENTS}/pi_1/cancel"),
        *("/v1/reviews/prv_1/approve", "/v1/account_events", "/v1/labels", TOKENS),
    ]
)
HEADERS = st.sampled_from(
    [
        *(
            {},
            {"content-type": FORM},
            {"content-type": "text/plain"},
            {"content-type": "application/json; x=\xe9"},
        ),
        *({"weir-test-time": "2026-01-05T10:00:00Z"}, {"weir-test-time": "9999-12-31T23:59:59Z"}),
    ]
)


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
    database=None,
)
@given(path=PATHS, body=BODIES, headers=HEADERS)
def test_no_body_whatever_makes_a_listener_fail(
    platform: WholePlatform, path: str, body: bytes, headers: dict[str, str]
) -> None:
    with closing(connection(platform, path)) as line:
        answer = ask(line, platform.test_key, "POST", path, body, headers)

        assert answer.status < 500, answer
