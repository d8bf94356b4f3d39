"""Where the rails say that an order has changed. Nothing that comes with it is believed: they are asked."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from gateway.http.answers import answered
from gateway.http.bodies import read_body
from gateway.http.decoding import decode_json
from gateway.processor.rails import RailsProcessor
from gateway.processor_port import AnswerChanged

NOTICE_BYTES_MAX = 1024


def rail_route(rails: RailsProcessor) -> Route:
    """`POST /rails/notices`: answered alike whether or not it is known, once the API has heard."""

    async def changed(request: Request) -> Response:
        notice = decode_json(await read_body(request, NOTICE_BYTES_MAX), AnswerChanged)
        await rails.changed(notice.attempt_id)
        return answered({"status": "ok"})

    return Route("/rails/notices", changed, methods=["POST"])
