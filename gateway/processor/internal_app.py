"""The internal listener: the API alone may speak here, and shows its certificate to do so."""

from typing import TypeVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.http.answers import LastResort, answered
from gateway.http.bodies import read_body
from gateway.http.decoding import decode_json
from gateway.processor.routing import application
from gateway.processor_port import (
    AuthorizationRequest,
    CaptureRequest,
    IncrementRequest,
    Processor,
    RefundRequest,
    ReversalRequest,
)

T = TypeVar("T")


def internal_app(processor: Processor) -> LastResort:
    """The port's calls, each a route; bodies and answers are the port's structs as JSON."""

    async def authorize(request: Request) -> Response:
        return answered(await processor.authorize(await _body(request, AuthorizationRequest)))

    async def capture(request: Request) -> Response:
        body = await _body(request, CaptureRequest)
        return answered(await processor.capture(request.path_params["attempt_id"], body))

    async def increment(request: Request) -> Response:
        body = await _body(request, IncrementRequest)
        return answered(await processor.increment(request.path_params["attempt_id"], body))

    async def refund(request: Request) -> Response:
        body = await _body(request, RefundRequest)
        return answered(await processor.refund(request.path_params["attempt_id"], body))

    async def reverse(request: Request) -> Response:
        body = await _body(request, ReversalRequest)
        return answered(await processor.reverse(request.path_params["attempt_id"], body))

    async def find(request: Request) -> Response:
        return answered(await processor.find(request.path_params["attempt_id"]))

    one = "/internal/authorizations/{attempt_id}"
    routes = [
        Route("/internal/authorizations", authorize, methods=["POST"]),
        Route(f"{one}/capture", capture, methods=["POST"]),
        Route(f"{one}/increment", increment, methods=["POST"]),
        Route(f"{one}/refund", refund, methods=["POST"]),
        Route(f"{one}/reverse", reverse, methods=["POST"]),
        Route(one, find, methods=["GET"]),
    ]
    return application(routes)


async def _body(request: Request, kind: type[T]) -> T:
    return decode_json(await read_body(request), kind)
