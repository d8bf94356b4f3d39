"""The API's token registry, over the network."""

import ssl
from http import HTTPStatus

from events.crash import crash_point, declare
from gateway.errors import ApiUnavailableError, AuthenticationError
from gateway.link.asking import Link, RefusedError
from gateway.people.errors import RateLimitedError
from gateway.pressure.errors import OverloadedError
from gateway.processor_port import TokenRegistered, TokenRegistration

declare({"processor.token.registering": "a token is known in memory alone, the API has not heard of it"})

ANSWER_SECONDS_MAX = 5.0


class ApiRegistry:
    """Implements `gateway.processor_port.TokenRegistry`."""

    def __init__(self, address: str, context: ssl.SSLContext) -> None:
        self._link = Link(address, context, answer_seconds_max=ANSWER_SECONDS_MAX, silent=ApiUnavailableError)

    async def register(self, registration: TokenRegistration) -> TokenRegistered:
        crash_point("processor.token.registering")
        try:
            return await self._link.ask(TokenRegistered, "register", registration)
        except RefusedError as error:
            refusal = error.refusal
        if refusal.status == HTTPStatus.UNAUTHORIZED:
            raise AuthenticationError()
        if refusal.status == HTTPStatus.TOO_MANY_REQUESTS:
            raise RateLimitedError(refusal.after_seconds)
        if refusal.code == OverloadedError().code:
            raise OverloadedError(refusal.after_seconds)
        raise ApiUnavailableError(f"The API answered {refusal.status}.")

    async def close(self) -> None:
        """Close the connections to the API."""
        await self._link.close()
