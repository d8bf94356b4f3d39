"""The internal listener: mutual TLS, for the processor alone."""

import msgspec
from fastapi import Request
from starlette.responses import Response

from gateway.api.answering import LastResort, answered
from gateway.api.application import BODY_BYTES_MAX, bare_application
from gateway.api.reading import explained
from gateway.bodies import read_body
from gateway.errors import InvalidRequestError
from gateway.processor_port import TokenRegistration
from gateway.wiring import Gateway


def make_internal_application(gateway: Gateway) -> LastResort:
    """The ASGI application of the internal listener."""
    application = bare_application()

    @application.post("/internal/tokens")
    async def register(request: Request) -> Response:
        try:
            body = await read_body(request, BODY_BYTES_MAX)
            registration = msgspec.json.decode(body, type=TokenRegistration)
        except msgspec.ValidationError as error:
            raise explained(str(error)) from None
        except (msgspec.DecodeError, ValueError, RecursionError):
            raise InvalidRequestError("The body is not valid JSON.", code="json_malformed") from None
        return answered(await gateway.tokens.register(registration))

    return LastResort(application)
