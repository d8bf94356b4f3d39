"""The API's token registry, over the network."""

import ssl
from http import HTTPStatus

import msgspec

from events.crash import crash_point, declare
from gateway.errors import ApiUnavailableError, AuthenticationError
from gateway.http.asking import Peer
from gateway.people.errors import RateLimitedError
from gateway.processor_port import TokenRegistered, TokenRegistration

declare({"processor.token.registering": "a token is known in memory alone, the API has not heard of it"})

ANSWER_SECONDS_MAX = 5.0


class ApiRegistry:
    """Implements `gateway.processor_port.TokenRegistry`."""

    def __init__(self, url: str, context: ssl.SSLContext) -> None:
        self._peer = Peer(url, context, answer_seconds_max=ANSWER_SECONDS_MAX, silent=ApiUnavailableError)

    async def register(self, registration: TokenRegistration) -> TokenRegistered:
        crash_point("processor.token.registering")
        reply = await self._peer.ask("POST", "/internal/tokens", registration)
        if reply.status == HTTPStatus.UNAUTHORIZED:
            raise AuthenticationError()
        if reply.status == HTTPStatus.TOO_MANY_REQUESTS:
            raise RateLimitedError(reply.after_seconds)
        if reply.status != HTTPStatus.OK:
            raise ApiUnavailableError(f"The API answered {reply.status}.")
        try:
            return msgspec.json.decode(reply.body, type=TokenRegistered)
        except msgspec.DecodeError:
            raise ApiUnavailableError("The API's answer is not as agreed.") from None

    async def close(self) -> None:
        """Close the connections to the API."""
        await self._peer.close()
