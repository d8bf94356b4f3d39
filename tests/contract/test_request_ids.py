"""Each answer names its request, which is found by that name in the log."""

import asyncio
import re
from pathlib import Path

import httpx2
import msgspec
import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from structlog.testing import capture_logs

from gateway.errors import (
    ApiUnavailableError,
    GatewayError,
    ProcessorUnavailableError,
    StoreUnavailableError,
    UnavailableError,
)
from gateway.link.calls import Call
from gateway.link.methods import Methods, Served
from gateway.processor.routing import application
from tests.contract.api_serving import served
from tests.gateway_world import World

INTENTS = "/v1/payment_intents"


def test_every_answer_names_its_request_and_no_two_are_alike(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        answers = [
            await http.post(INTENTS, json={"amount": 1999, "currency": "eur"}),
            await http.get(INTENTS),
            await http.get(f"{INTENTS}/pi_none"),
            await http.post(INTENTS, json={"amount": "x"}),
            await http.put(INTENTS),
            await http.get("/health"),
            await http.get("/nowhere"),
            await http.options(f"{INTENTS}/pi_1", headers=PREFLIGHT),
        ]

        assert [answer.status_code for answer in answers] == [200, 200, 404, 400, 405, 200, 404, 204]
        ids = [answer.headers["request-id"] for answer in answers]
        assert all(re.fullmatch("req_[0-9a-f]{32}", each) for each in ids)
        assert len(set(ids)) == len(ids)
        for answer in answers:
            if answer.status_code >= 400:
                assert answer.json()["error"]["request_id"] == answer.headers["request-id"]

    served(tmp_path, story)


PREFLIGHT = {"origin": "https://shop.example", "access-control-request-method": "GET"}


def test_a_callers_own_header_names_no_request(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        answer = await http.get(INTENTS, headers={"request-id": "req_mine"})

        assert answer.headers.get_list("request-id") != ["req_mine"]
        assert len(answer.headers.get_list("request-id")) == 1

    served(tmp_path, story)


def test_a_request_is_logged_by_its_name(tmp_path: Path) -> None:
    async def story(http: httpx2.AsyncClient, world: World) -> None:
        with capture_logs() as logs:
            answer = await http.get(f"{INTENTS}/pi_none")

        (line,) = [one for one in logs if one["event"] == "request answered"]
        assert (line["request"], line["status"]) == (answer.headers["request-id"], 404)
        assert line["log_level"] == "debug"

    served(tmp_path, story)


@pytest.mark.parametrize(
    ("error", "status", "events"),
    [
        (UnavailableError("Too many at once."), 503, ["request answered"]),
        (StoreUnavailableError("SQLITE_FULL"), 503, ["what a request needs is away", "request answered"]),
        (ZeroDivisionError(), 500, ["request failed", "request answered"]),
    ],
)
def test_what_failed_here_is_logged_by_its_name_at_every_level(
    error: Exception, status: int, events: list[str]
) -> None:
    async def fail(_request: Request) -> Response:
        raise error

    async def asked() -> httpx2.Response:
        transport = httpx2.ASGITransport(app=application([Route("/", fail)]))
        async with httpx2.AsyncClient(transport=transport, base_url="http://weir") as http:
            return await http.get("/")

    with capture_logs() as logs:
        answer = asyncio.run(asked())

    assert answer.status_code == status
    assert [line["event"] for line in logs] == events
    assert {line["request"] for line in logs} == {answer.headers["request-id"]}
    assert all(line["log_level"] in ("warning", "error") for line in logs)


@pytest.mark.parametrize(
    ("error", "needed"),
    [
        (StoreUnavailableError("the store cannot write: SQLITE_FULL"), "The platform's database"),
        (ProcessorUnavailableError("no answer: ConnectionResetError"), "The processor"),
        (ApiUnavailableError("no answer: TimeoutError"), "The API"),
    ],
)
def test_who_asked_is_told_what_is_away_and_what_to_do_and_the_log_the_cause(
    error: GatewayError, needed: str
) -> None:
    async def fail(_request: Request) -> Response:
        raise error

    async def fails() -> None:
        raise error

    async def asked() -> tuple[httpx2.Response, bytes]:
        transport = httpx2.ASGITransport(app=application([Route("/", fail)]))
        async with httpx2.AsyncClient(transport=transport, base_url="http://weir") as http:
            answer = await http.get("/")
        methods = Methods({"fail": Served(tuple[()], fails)})
        return answer, await methods.answer(Call(id=1, method="fail", params=msgspec.Raw(b"[]")))

    with capture_logs() as logs:
        answer, line = asyncio.run(asked())

    problem = answer.json()
    assert problem["detail"] == problem["error"]["message"]
    assert problem["detail"].startswith(f"{needed} cannot answer now. ")
    assert "the same Idempotency-Key" in problem["detail"]
    assert error.message not in answer.text + line.decode()
    told = [log for log in logs if log.get("cause") == error.message]
    assert len(told) == 2
    assert told[0]["request"] == answer.headers["request-id"]
