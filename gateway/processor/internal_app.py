"""The internal listener: the API alone may speak here, and shows its certificate to do so."""

from typing import TypeVar

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.bodies import read_body
from gateway.errors import InvalidRequestError
from gateway.processor.http_answers import answered, json_answer, no_route
from gateway.processor_port import AuthorizationRequest, CaptureRequest, Processor, ReversalRequest

BODY_BYTES_MAX = 64 * 1024

T = TypeVar("T")


def internal_app(processor: Processor) -> Starlette:
    """The port's calls, each a route; bodies and answers are the port's structs as JSON."""

    async def authorize(request: Request) -> Response:
        return json_answer(await processor.authorize(await _body(request, AuthorizationRequest)))

    async def capture(request: Request) -> Response:
        body = await _body(request, CaptureRequest)
        return json_answer(await processor.capture(request.path_params["attempt_id"], body))

    async def reverse(request: Request) -> Response:
        body = await _body(request, ReversalRequest)
        return json_answer(await processor.reverse(request.path_params["attempt_id"], body))

    async def find(request: Request) -> Response:
        return json_answer(await processor.find(request.path_params["attempt_id"]))

    one = "/internal/authorizations/{attempt_id}"
    routes = [
        Route("/internal/authorizations", answered(authorize), methods=["POST"]),
        Route(f"{one}/capture", answered(capture), methods=["POST"]),
        Route(f"{one}/reverse", answered(reverse), methods=["POST"]),
        Route(one, answered(find), methods=["GET"]),
    ]
    return Starlette(routes=routes, exception_handlers={HTTPException: no_route})


async def _body(request: Request, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(await read_body(request, BODY_BYTES_MAX), type=kind)
    except msgspec.DecodeError:
        raise InvalidRequestError("The body is not as agreed.", code="parameter_invalid") from None
