"""What both listeners share: bodies read up to a limit, and every error as a problem document.

An error that nobody foresaw is told by its class alone: its text, or a traceback's, might hold card data.
"""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import structlog
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from gateway.errors import BodyTooLargeError, GatewayError, MethodNotAllowedError, NotFoundError, problem

Handler = Callable[[Request], Awaitable[Response]]

_log = structlog.get_logger("processor")


def answered(handler: Handler) -> Handler:
    """The handler with its errors turned into answers."""

    async def handle(request: Request) -> Response:
        try:
            return await handler(request)
        except GatewayError as error:
            return refusal(error)
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception as error:
            _log.error("request failed", path=request.scope["route"].path, error=type(error).__name__)
            return refusal(GatewayError("Something went wrong on our side.", code="internal_error"))

    return handle


def json_answer(content: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(content), status, media_type="application/json")


def refusal(error: GatewayError) -> Response:
    # What was not read of a body would be taken for the next request.
    headers = {"connection": "close"} if isinstance(error, BodyTooLargeError) else None
    return Response(
        msgspec.json.encode(problem(error)), error.STATUS, headers, media_type="application/problem+json"
    )


async def no_route(request: Request, error: Exception) -> Response:  # noqa: ARG001  # Starlette's shape
    """Paths and methods that do not exist; the path is not quoted."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    return refusal(MethodNotAllowedError() if status == 405 else NotFoundError())
