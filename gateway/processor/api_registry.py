"""The API's token registry over mutual TLS."""

import ssl

import httpx2
import msgspec

from events.crash import crash_point, declare
from gateway.errors import ApiUnavailableError, AuthenticationError
from gateway.processor_port import TokenRegistered, TokenRegistration

declare({"processor.token.registering": "a token is known in memory alone, the API has not heard of it"})

ANSWER_SECONDS_MAX = 5.0


class ApiRegistry:
    """Implements `gateway.processor_port.TokenRegistry`."""

    def __init__(self, url: str, context: ssl.SSLContext) -> None:
        self._client = httpx2.AsyncClient(
            base_url=url, verify=context, timeout=ANSWER_SECONDS_MAX, trust_env=False
        )

    async def register(self, registration: TokenRegistration) -> TokenRegistered:
        body = msgspec.json.encode(registration)
        crash_point("processor.token.registering")
        try:
            answer = await self._client.post(
                "/internal/tokens", content=body, headers={"content-type": "application/json"}
            )
        except httpx2.HTTPError as error:
            raise ApiUnavailableError(f"The API gives no answer ({type(error).__name__}).") from None
        if answer.status_code == 401:
            raise AuthenticationError()
        try:
            answer.raise_for_status()
            return msgspec.json.decode(answer.content, type=TokenRegistered)
        except (httpx2.HTTPError, msgspec.DecodeError):
            raise ApiUnavailableError("The API's answer is not as agreed.") from None

    async def close(self) -> None:
        """Close the connections to the API."""
        await self._client.aclose()
