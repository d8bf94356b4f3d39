"""Answers of every listener: JSON by msgspec, and each error by its own status (`gateway.errors`).

No answer quotes the request, and no log line the text of an error: either might hold a card number. What is
away (`UnavailableError`) is logged in its own words, which hold nothing of a request.
"""

from collections.abc import Callable, Coroutine
from typing import Any

import msgspec
import structlog
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import ASGIApp, Receive, Scope, Send

from events.program_logs import places
from gateway.errors import (
    GatewayError,
    InvalidRequestError,
    MethodNotAllowedError,
    NotFoundError,
    UnavailableError,
)
from gateway.http.problems import problem
from gateway.http.request_ids import HEADER, begin_request, current_request_id
from gateway.journeys import begin_journey

Handler = Callable[[Request, Any], Coroutine[Any, Any, Response]]
Elsewhere = Callable[[str], str | None]

ARRIVED = "weir.arrived"
"""In a scope: when its head had come, in seconds of `time.perf_counter`; it may have waited since."""

REFUSED_BUSY = "weir.refused-busy"
"""In the scope of a request that was refused for how much is asked. There may be thousands a second: each is
logged at `debug`, and `gateway.pressure.measuring` tells how many there were."""

_log = structlog.get_logger("gateway")


def answered(content: Any, status: int = 200) -> Response:
    """The content as JSON."""
    return Response(msgspec.json.encode(content), status, media_type="application/json")


def refused(error: GatewayError, request_id: str | None = None) -> Response:
    """A problem document with the error's status and headers; `request_id` None: of the request under way."""
    return Response(
        msgspec.json.encode(problem(error, request_id or current_request_id())),
        error.STATUS,
        error.headers,
        media_type="application/problem+json",
    )


def answer_bytes(error: GatewayError, request_id: str, *, closes: bool) -> bytes:
    """The same as it goes over a connection, for what is refused there; `closes`: no request follows."""
    body = msgspec.json.encode(problem(error, request_id))
    head = {
        HEADER: request_id,
        **error.headers,
        "content-length": str(len(body)),
        "content-type": "application/problem+json",
    }
    if closes:
        head["connection"] = "close"
    lines = "".join(f"{name}: {value}\r\n" for name, value in head.items())
    return f"HTTP/1.1 {error.STATUS} {error.TITLE}\r\n{lines}\r\n".encode() + body


def internal_error() -> GatewayError:
    """What a caller learns of an error that nobody foresaw."""
    return GatewayError("Something went wrong here. The request may be sent again.", code="internal_error")


class LastResort:
    """Gives each request an id, turns an error that nobody foresaw into a bare 500, and logs its class and
    places, not its text.

    At `debug` each answer is logged, and one that failed here always: by the request's id and its route,
    whose members in braces stand for what the caller sent.
    """

    def __init__(self, application: ASGIApp) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        status, journey, request_id = 0, begin_journey(scope.get(ARRIVED)), begin_request()
        named = (HEADER.encode(), request_id.encode())

        async def watched(message: Any) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], named]
            await send(message)

        try:
            await self._application(scope, receive, watched)
        except Exception as error:
            _log.error("request failed", request=request_id, error=type(error).__name__, at=places(error))
            if scope["type"] == "http" and not status:
                await refused(internal_error())(scope, receive, watched)
        route = getattr(scope.get("route"), "path", None)
        seconds = journey.end(scope.get("method", ""), route, status)
        (_log.warning if status >= 500 and REFUSED_BUSY not in scope else _log.debug)(
            "request answered",
            request=request_id,
            method=scope.get("method"),
            route=route,
            status=status,
            milliseconds=round(seconds * 1000, 1),
        )


def log_cause(error: GatewayError, request_id: str) -> None:
    """Log what was away, where callers are not told it."""
    if isinstance(error, UnavailableError) and error.NEEDED:
        kind = type(error).__name__
        _log.warning("what a request needs is away", request=request_id, error=kind, cause=error.message)


async def _gateway_error(_request: Request, error: Exception) -> Response:
    if isinstance(error, GatewayError):
        log_cause(error, current_request_id())
    return refused(error if isinstance(error, GatewayError) else internal_error())


def _http_error(elsewhere: Elsewhere) -> Handler:
    async def answer(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        if status == 404:
            return refused(NotFoundError(elsewhere(request.scope["path"]) or "There is no such path."))
        if status == 405:
            return refused(MethodNotAllowedError(_methods(request)))
        return refused(InvalidRequestError("This cannot be read.", code="request_malformed"))

    return answer


def _methods(request: Request) -> set[str]:
    """What the request's path takes, over all routes that have it."""
    routes = [route for route in request.app.routes if route.matches(request.scope)[0] is not Match.NONE]
    return {method for route in routes for method in getattr(route, "methods", None) or ()}


async def _gone(_request: Request, _error: Exception) -> Response:
    """The caller hung up in the middle of its request: nobody hears this, and nothing has failed here."""
    return refused(InvalidRequestError("The request broke off.", code="request_malformed"))


def error_handlers(elsewhere: Elsewhere = lambda _path: None) -> dict[int | type[Exception], Handler]:
    """Replace every answer that the framework would give by itself: its own may quote the request.

    `elsewhere` says where a path is served that is not served here, or None.
    """
    return {
        GatewayError: _gateway_error,
        HTTPException: _http_error(elsewhere),
        ClientDisconnect: _gone,
        Exception: _gateway_error,
    }
