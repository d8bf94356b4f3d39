"""Where the rails say that an order has changed. Nothing that comes with it is believed: they are asked."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from events.clock import Clock
from gateway.counting import MemoryLimiter
from gateway.http.answers import answered
from gateway.http.bodies import read_body
from gateway.http.decoding import decode_json
from gateway.http.origins import counted_as, origin
from gateway.people.errors import RateLimitedError
from gateway.processor.rails import RailsProcessor
from gateway.processor_port import AnswerChanged

NOTICE_BYTES_MAX = 1024

NOTICES_PER_SECOND = 100
"""Of one address: each makes the processor look, and one that is refused is not needed."""


def rail_route(rails: RailsProcessor, clock: Clock) -> Route:
    """`POST /rails/notices`: answered alike whether or not it is known, once the API has heard."""

    limiter = MemoryLimiter(clock)

    async def changed(request: Request) -> Response:
        if not await limiter.let(counted_as(origin(request) or "::"), NOTICES_PER_SECOND):
            raise RateLimitedError()
        notice = decode_json(await read_body(request, NOTICE_BYTES_MAX), AnswerChanged)
        await rails.changed(notice.attempt_id)
        return answered({"status": "ok"})

    return Route("/rails/notices", changed, methods=["POST"])
