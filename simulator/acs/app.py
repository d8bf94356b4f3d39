"""Two listeners: the directory, for members of the network (mutual TLS), and the cardholders' pages (TLS)."""

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from urllib.parse import parse_qs

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from simulator.acs.directory import Directory, Question, Result
from simulator.acs.pages import challenge_page
from simulator.payer_pages import HEADERS, read_body, unknown_page


def directory_app(directory: Directory, pages: str) -> Starlette:
    """What members ask; bodies that are not as agreed are refused and not quoted.

    `pages` is where the cardholders' pages are, `https://HOST:PORT`.
    """

    def told(result: Result) -> Response:
        answer = asdict(result)
        secret = answer.pop("secret")
        return JSONResponse(answer | {"url": f"{pages}/challenges/{secret}" if secret else None})

    async def look_up(request: Request) -> Response:
        try:
            question = msgspec.json.decode(await read_body(request), type=Question)
        except (ValueError, msgspec.MsgspecError):
            return Response(status_code=400)
        return told(directory.look_up(question))

    async def find(request: Request) -> Response:
        return told(directory.find(request.path_params["transaction_id"]))

    async def withdraw(request: Request) -> Response:
        return told(directory.withdraw(request.path_params["transaction_id"]))

    async def phone(request: Request) -> Response:
        message = directory.phone(request.path_params["transaction_id"])
        return Response(status_code=404) if message is None else JSONResponse({"message": message})

    one = "/directory/transactions/{transaction_id}"
    return Starlette(
        routes=[
            Route("/directory/transactions", look_up, methods=["POST"]),
            Route(one, find, methods=["GET"]),
            Route(one, withdraw, methods=["DELETE"]),
            Route(f"{one}/phone", phone, methods=["GET"]),
        ]
    )


def pages_app(directory: Directory) -> Starlette:
    """What cardholders see: a form of their transaction, and what came of it."""

    async def show(request: Request) -> Response:
        found = directory.page(request.path_params["secret"])
        if found is None:
            return HTMLResponse(unknown_page("Nothing to confirm"), 404, HEADERS)
        return HTMLResponse(challenge_page(found), headers=HEADERS)

    async def act(request: Request) -> Response:
        try:
            sent = parse_qs((await read_body(request)).decode("utf-8", "replace"))
        except ValueError:
            return Response(status_code=413)
        # Only now: of forms that came slowly, and together, each has to count as a try.
        found = directory.page(request.path_params["secret"])
        if found is not None:
            match sent.get("do", [""])[0]:
                case "answer":
                    directory.answer(found, sent.get("code", [""])[0][:64])
                case "resend":
                    directory.resend(found)
                case "cancel":
                    directory.cancel(found)
        return RedirectResponse(request.url.path, 303, HEADERS)

    path = "/challenges/{secret}"
    return Starlette(routes=[Route(path, show, methods=["GET"]), Route(path, act, methods=["POST"])])


class Listener(uvicorn.Server):
    """One application on a port, over TLS; its program's signals are its own."""

    def __init__(self, app: ASGIApp, host: str, port: int, context: ssl.SSLContext) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                host=host,
                port=port,
                log_config=None,
                access_log=False,
                lifespan="off",
                server_header=False,
                ws="none",
                timeout_graceful_shutdown=1,
                ssl_context_factory=lambda _config, _default: context,
            )
        )

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals alone."""
        yield


class IssuersServer:
    """Listeners at work."""

    def __init__(self, listeners: list[Listener], tasks: "list[asyncio.Task[None]]") -> None:
        self._listeners = listeners
        self._tasks = tasks

    async def stop(self) -> None:
        """Close them."""
        for listener in self._listeners:
            listener.should_exit = True
        await asyncio.gather(*self._tasks)


async def serving(listeners: list[Listener]) -> IssuersServer:
    """Start the listeners; they accept connections when this returns."""
    tasks = [asyncio.create_task(listener.serve()) for listener in listeners]
    while not all(listener.started for listener in listeners):
        if any(task.done() for task in tasks):
            raise OSError("a listener of the issuers' server could not be opened")
        await asyncio.sleep(0.01)
    return IssuersServer(listeners, tasks)
