"""The internal listener: mutual TLS, for the processor alone."""

from fastapi import Request
from starlette.responses import Response

from gateway.api.application import bare_application
from gateway.api.pay_desk import pay_desk
from gateway.http.answers import LastResort, answered
from gateway.http.bodies import read_body
from gateway.http.decoding import decode_json
from gateway.http.routes import post
from gateway.pay_port import PayOrder, PaySession
from gateway.processor_port import AnswerChanged, TokenRegistration
from gateway.wiring import Gateway


def make_internal_application(gateway: Gateway) -> LastResort:
    """The ASGI application of the internal listener."""
    application = bare_application()

    @post(application, "/internal/tokens")
    async def register(request: Request) -> Response:
        registration = decode_json(await read_body(request), TokenRegistration)
        return answered(await gateway.tokens.register(registration))

    @post(application, "/internal/answers")
    async def answer_changed(request: Request) -> Response:
        change = decode_json(await read_body(request), AnswerChanged)
        await gateway.payer_steps.answer_changed(change)
        return answered({"status": "ok"})

    desk = pay_desk(gateway)

    @post(application, "/internal/pay/sessions")
    async def open_pay(request: Request) -> Response:
        return answered(await desk.open(decode_json(await read_body(request), PaySession)))

    @post(application, "/internal/pay")
    async def pay(request: Request) -> Response:
        return answered(await desk.pay(decode_json(await read_body(request), PayOrder)))

    return LastResort(application)
