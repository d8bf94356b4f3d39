"""The public TLS listener: it alone takes card numbers."""

from datetime import datetime

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from events.clock import Clock, FollowingClock
from gateway.bodies import read_body
from gateway.business_time import TEST_TIME_HEADER, parse_test_time
from gateway.errors import AuthenticationError, InvalidRequestError
from gateway.key_shape import is_shaped_like_a_key
from gateway.processor.card_input import check, read_card
from gateway.processor.http_answers import answered, json_answer, no_route
from gateway.processor.tokens import Tokens

BODY_BYTES_MAX = 8 * 1024


class PublicListener:
    """Routes of the public listener. `test` follows the times that test requests carry."""

    def __init__(self, *, tokens: Tokens, live: Clock, test: FollowingClock) -> None:
        self._tokens = tokens
        self._live = live
        self._test = test

    def app(self) -> Starlette:
        routes = [
            Route("/v1/tokens", answered(self._create_token), methods=["POST"]),
            Route("/health", answered(self._health), methods=["GET"]),
        ]
        return Starlette(routes=routes, exception_handlers={HTTPException: no_route})

    async def _create_token(self, request: Request) -> Response:
        api_key = _api_key(request)
        now = self._now(request, api_key)
        content_type = request.headers.get("content-type", "")
        card = check(read_card(await read_body(request, BODY_BYTES_MAX), content_type), now)
        return json_answer(await self._tokens.create(api_key, card, now))

    async def _health(self, request: Request) -> Response:  # noqa: ARG002  # Starlette's shape
        return json_answer({"status": "ok"})

    def _now(self, request: Request, api_key: str) -> datetime:
        """The key's world decides what time it is; whether the key is any good is the API's to say."""
        test_time = request.headers.get(TEST_TIME_HEADER)
        if api_key.startswith("sk_test_"):
            if test_time is None:
                return self._test.now()
            moment = parse_test_time(test_time)
            self._test.follow(moment)
            return moment
        if test_time is not None:
            raise InvalidRequestError(
                "Live keys are refused a time of their own.", code="test_time_refused", param=TEST_TIME_HEADER
            )
        return self._live.now()


def _api_key(request: Request) -> str:
    scheme, _, key = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not is_shaped_like_a_key(key):
        raise AuthenticationError()
    return key
