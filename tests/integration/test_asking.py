"""The gateway's two programs ask each other over mutual TLS, on kept connections, within bounded time."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from gateway.errors import ProcessorUnavailableError
from gateway.http.asking import ANSWER_BYTES_MAX, Peer, Reply
from gateway.http.listening import Listener, bind
from gateway.keys.tls import client_context, ensure_certificates, server_context
from gateway.processor_port import ReversalRequest

NOW = datetime(2026, 1, 5, tzinfo=UTC)
QUESTION = ReversalRequest(occurred_at=NOW)
Handler = Callable[[Request], Awaitable[Response]]


@asynccontextmanager
async def answering(keys: Path, handler: Handler) -> AsyncIterator[str]:
    """The address of a program that answers every path by `handler`."""
    ensure_certificates(keys, datetime.now(UTC))
    routes = [Route("/{path:path}", handler, methods=["GET", "POST"])]
    listener = Listener(
        Starlette(routes=routes), bind("127.0.0.1", 0), server_context(keys, "processor", "internal")
    )
    serving = asyncio.create_task(listener.run_bound())
    try:
        yield f"https://127.0.0.1:{listener.port}"
    finally:
        listener.should_exit = True
        await serving


@asynccontextmanager
async def peer(keys: Path, url: str, answer_seconds_max: float = 10.0) -> AsyncIterator[Peer]:
    context = client_context(keys, "api", "internal")
    made = Peer(url, context, answer_seconds_max=answer_seconds_max, silent=ProcessorUnavailableError)
    try:
        yield made
    finally:
        await made.close()


def test_a_question_brings_method_path_and_body_and_takes_status_and_body_back(tmp_path: Path) -> None:
    async def echo(request: Request) -> Response:
        line = f"{request.method} {request.url.path} {request.headers.get('content-type')} "
        return Response(line.encode() + await request.body(), 202)

    async def story() -> None:
        async with answering(tmp_path, echo) as url, peer(tmp_path, url) as program:
            asked = await program.ask("POST", "/one/two", QUESTION)
            assert asked == Reply(202, b"POST /one/two application/json " + msgspec.json.encode(QUESTION))
            assert await program.ask("GET", "/three") == Reply(202, b"GET /three None ")

    asyncio.run(story())


def test_questions_one_after_another_share_a_connection(tmp_path: Path) -> None:
    ports = set()

    async def remember(request: Request) -> Response:
        assert request.client is not None
        ports.add(request.client.port)
        return Response()

    async def story() -> None:
        async with answering(tmp_path, remember) as url, peer(tmp_path, url) as program:
            for _ in range(5):
                await program.ask("POST", "/", QUESTION)

    asyncio.run(story())

    assert len(ports) == 1


def test_an_answer_that_does_not_come_ends_in_the_asker_s_own_error(tmp_path: Path) -> None:
    async def never(_request: Request) -> Response:
        await asyncio.sleep(60)
        return Response()

    async def story() -> None:
        async with answering(tmp_path, never) as url, peer(tmp_path, url, 0.2) as program:
            with pytest.raises(ProcessorUnavailableError, match="no answer: "):
                await program.ask("POST", "/", QUESTION)

    asyncio.run(story())


def test_a_redirection_is_an_answer_and_is_not_followed(tmp_path: Path) -> None:
    async def away(_request: Request) -> Response:
        return Response(status_code=307, headers={"location": "/elsewhere"})

    async def story() -> None:
        async with answering(tmp_path, away) as url, peer(tmp_path, url) as program:
            assert (await program.ask("POST", "/", QUESTION)).status == 307

    asyncio.run(story())


def test_an_answer_without_bounds_is_cut_off_in_the_asker_s_own_error(tmp_path: Path) -> None:
    sent = 0

    async def flood() -> AsyncIterator[bytes]:
        nonlocal sent
        while sent < 1_000 * ANSWER_BYTES_MAX:
            sent += ANSWER_BYTES_MAX
            yield bytes(ANSWER_BYTES_MAX)
            await asyncio.sleep(0)

    async def answer(_request: Request) -> Response:
        return StreamingResponse(flood())

    async def story() -> None:
        async with answering(tmp_path, answer) as url, peer(tmp_path, url) as program:
            with pytest.raises(ProcessorUnavailableError, match="no answer: "):
                await program.ask("POST", "/", QUESTION)

    asyncio.run(story())

    assert sent < 1_000 * ANSWER_BYTES_MAX


def test_where_nobody_listens_the_question_ends_at_once_in_the_asker_s_own_error(tmp_path: Path) -> None:
    async def story() -> None:
        ensure_certificates(tmp_path, datetime.now(UTC))
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        async with peer(tmp_path, f"https://127.0.0.1:{port}") as program:
            with pytest.raises(ProcessorUnavailableError, match="no answer: "):
                await program.ask("GET", "/")

    asyncio.run(story())


def test_a_stranger_s_certificate_gets_no_question(tmp_path: Path) -> None:
    heard = []

    async def hear(request: Request) -> Response:
        heard.append(request)
        return Response()

    async def story() -> None:
        ensure_certificates(tmp_path / "ours", datetime.now(UTC))
        async with (
            answering(tmp_path / "theirs", hear) as url,
            peer(tmp_path / "ours", url) as program,
        ):
            with pytest.raises(ProcessorUnavailableError, match="no answer: "):
                await program.ask("POST", "/", QUESTION)

    asyncio.run(story())

    assert heard == []
