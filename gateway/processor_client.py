"""The processor over the network: JSON over mutual TLS, behind the same port as in a simulation."""

import ssl
from typing import Any

import httpx2
import msgspec

from events.crash import crash_point, declare
from gateway.errors import ProcessorUnavailableError
from gateway.processor_port import AuthorizationRequest, CaptureRequest, ProcessorAnswer, ReversalRequest

declare({"gateway.processor.asking": "a question to the processor is made, it has not left"})

ANSWER_SECONDS_MAX = 10.0
"""Longer than an acquirer's own time-out, so that the processor can say what became of it."""
CONNECTIONS_MAX = 64
_AUTHORIZATIONS = "/internal/authorizations"


class HttpProcessor:
    """A `Processor` at an address."""

    def __init__(self, url: str, context: ssl.SSLContext) -> None:
        self._client = httpx2.AsyncClient(
            base_url=url,
            verify=context,
            timeout=ANSWER_SECONDS_MAX,
            trust_env=False,
            limits=httpx2.Limits(max_connections=CONNECTIONS_MAX, max_keepalive_connections=CONNECTIONS_MAX),
        )

    async def authorize(self, request: AuthorizationRequest) -> ProcessorAnswer:
        return await self._ask("POST", _AUTHORIZATIONS, request)

    async def capture(self, attempt_id: str, request: CaptureRequest) -> ProcessorAnswer:
        return await self._ask("POST", f"{_AUTHORIZATIONS}/{attempt_id}/capture", request)

    async def reverse(self, attempt_id: str, request: ReversalRequest) -> ProcessorAnswer:
        return await self._ask("POST", f"{_AUTHORIZATIONS}/{attempt_id}/reverse", request)

    async def find(self, attempt_id: str) -> ProcessorAnswer:
        return await self._ask("GET", f"{_AUTHORIZATIONS}/{attempt_id}", None)

    async def close(self) -> None:
        """Close the connections to the processor."""
        await self._client.aclose()

    async def _ask(self, method: str, path: str, body: msgspec.Struct | None) -> ProcessorAnswer:
        arguments: dict[str, Any] = {}
        if body is not None:
            arguments = {
                "content": msgspec.json.encode(body),
                "headers": {"content-type": "application/json"},
            }
        crash_point("gateway.processor.asking")
        try:
            response = await self._client.request(method, path, **arguments)
            if response.status_code != httpx2.codes.OK:
                raise ProcessorUnavailableError(f"the processor answered {response.status_code}")
            return msgspec.json.decode(response.content, type=ProcessorAnswer)
        except (httpx2.HTTPError, msgspec.DecodeError, OSError) as error:
            raise ProcessorUnavailableError(f"no answer from the processor: {type(error).__name__}") from None
