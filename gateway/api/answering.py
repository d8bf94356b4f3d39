"""Answers: JSON by msgspec, and every error through the one table of `gateway.errors`."""

import traceback
from typing import Any

import msgspec
import structlog
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway.errors import (
    AuthenticationError,
    BodyTooLargeError,
    GatewayError,
    InvalidRequestError,
    MethodNotAllowedError,
    NotFoundError,
    UnavailableError,
    problem,
)

RETRY_AFTER_SECONDS = "1"
_log = structlog.get_logger("gateway.api")


def answered(content: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(content), status, media_type="application/json")


def refused(error: GatewayError) -> Response:
    """A problem document with the error's status."""
    headers = {}
    if isinstance(error, AuthenticationError):
        headers["www-authenticate"] = "Bearer"
    if isinstance(error, UnavailableError):
        headers["retry-after"] = RETRY_AFTER_SECONDS
    if isinstance(error, BodyTooLargeError):
        # What was not read would be taken for the next request.
        headers["connection"] = "close"
    return Response(
        msgspec.json.encode(problem(error)), error.STATUS, headers, media_type="application/problem+json"
    )


def add_error_handlers(application: FastAPI) -> None:
    """Replace every answer that the framework would give by itself: its own may quote the request."""
    application.add_exception_handler(GatewayError, _gateway_error)
    application.add_exception_handler(HTTPException, _http_error)
    application.add_exception_handler(RequestValidationError, _validation_error)
    application.add_exception_handler(ClientDisconnect, _gone)
    application.add_exception_handler(Exception, _gateway_error)


class LastResort:
    """Turns an error that nobody foresaw into a bare 500, and logs its class and places, not its text."""

    def __init__(self, application: ASGIApp) -> None:
        self._application = application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def watched(message: Any) -> None:
            nonlocal begun
            begun = begun or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._application(scope, receive, watched)
        except Exception as error:
            _log.error("request failed", error=type(error).__name__, at=_places(error))
            if scope["type"] == "http" and not begun:
                await refused(internal_error())(scope, receive, send)


def internal_error() -> GatewayError:
    return GatewayError("Something went wrong here. The request may be sent again.", code="internal_error")


def _places(error: Exception) -> list[str]:
    return [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)[-5:]]


async def _gateway_error(_request: Request, error: Exception) -> Response:
    return refused(error if isinstance(error, GatewayError) else internal_error())


async def _http_error(_request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    known: dict[int, GatewayError] = {404: NotFoundError(), 405: MethodNotAllowedError()}
    return refused(known.get(status) or InvalidRequestError("This cannot be read.", code="request_malformed"))


async def _validation_error(_request: Request, _error: Exception) -> Response:
    return refused(InvalidRequestError("A value is not as documented.", code="parameter_invalid"))


async def _gone(_request: Request, _error: Exception) -> Response:
    """The caller hung up in the middle of its request: nobody hears this, and nothing has failed here."""
    return refused(InvalidRequestError("The request broke off.", code="request_malformed"))
