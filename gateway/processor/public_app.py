"""The public TLS listener: it alone takes card numbers."""

import re
from dataclasses import dataclass

from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from events.clock import Clock
from gateway.business_time import BusinessTime, carried_time
from gateway.errors import SecretKeyRequiredError
from gateway.http.answers import LastResort, answered
from gateway.http.bodies import read_body
from gateway.http.browsers import BrowserAccess
from gateway.http.origins import origin
from gateway.http.presented_keys import is_publishable, mode_of, presented_key
from gateway.live_home import require_live_key
from gateway.processor.authentication import AuthenticatingProcessor
from gateway.processor.card_input import CARD_BODY_BYTES_MAX, check, read_card
from gateway.processor.openapi import document
from gateway.processor.pay import Pay
from gateway.processor.payer_pages import payer_route
from gateway.processor.rail_notices import rail_route
from gateway.processor.rails import RailsProcessor
from gateway.processor.routing import application
from gateway.processor.tokens import Tokens

BROWSER_PATHS = re.compile("/v1/tokens")


@dataclass(frozen=True, kw_only=True)
class PublicListener:
    """Routes of the public listener; with `live_alone` test keys are refused."""

    tokens: Tokens
    cards: AuthenticatingProcessor
    rails: RailsProcessor
    pay: Pay
    time: BusinessTime
    clock: Clock
    live_alone: bool = False

    def app(self) -> LastResort:
        """The ASGI application."""
        return application(
            [
                Route("/v1/tokens", self._create_token, methods=["POST"]),
                Route("/pay", self.pay.answer, methods=["POST"]),
                payer_route(self.cards),
                rail_route(self.rails, self.clock),
                Route("/health", self._health, methods=["GET"]),
                Route("/openapi.json", self._openapi, methods=["GET"]),
            ],
            _elsewhere,
            [Middleware(BrowserAccess, paths=BROWSER_PATHS)],
        )

    async def _create_token(self, request: Request) -> Response:
        api_key = presented_key(request)
        mode = mode_of(api_key)
        require_live_key(mode, live_alone=self.live_alone)
        carried = self.time.carried(carried_time(request), mode)
        if carried is not None and is_publishable(api_key):
            # Anybody may read the key in a page, and could move the clock on.
            raise SecretKeyRequiredError()
        now = carried or self.time.now(mode)
        body = await read_body(request, CARD_BODY_BYTES_MAX)
        card = check(read_card(body, request.headers.get("content-type")), now)
        token = await self.tokens.create(api_key, card, now, origin(request))
        # Not before the API knows the key: else anybody could move the clock on.
        self.time.follow(carried)
        return answered(token)

    async def _health(self, request: Request) -> Response:  # noqa: ARG002  # Starlette's shape
        return answered({"status": "ok"})

    async def _openapi(self, request: Request) -> Response:  # noqa: ARG002  # Starlette's shape
        return Response(document(), media_type="application/json")


def _elsewhere(path: str) -> str | None:
    if path != "/signin" and not path.startswith("/v1/"):
        return None
    return (
        "This is the processor's listener, for POST /v1/tokens and POST /pay alone. Everything else has the "
        "API's address."
    )
