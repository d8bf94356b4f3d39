"""The processor over the network, behind the same port as in a simulation."""

import ssl
from http import HTTPStatus

import msgspec

from events.crash import crash_point, declare
from gateway.errors import ProcessorUnavailableError
from gateway.http.asking import Peer
from gateway.processor_port import (
    AuthorizationRequest,
    CaptureRequest,
    IncrementRequest,
    ProcessorAnswer,
    RefundRequest,
    ReversalRequest,
)

declare({"gateway.processor.asking": "a question to the processor is made, it has not left"})

ANSWER_SECONDS_MAX = 10.0
"""Longer than an acquirer's own time-out, so that the processor can say what became of it."""
_AUTHORIZATIONS = "/internal/authorizations"


class HttpProcessor:
    """A `Processor` at an address."""

    def __init__(self, url: str, context: ssl.SSLContext) -> None:
        self._peer = Peer(
            url, context, answer_seconds_max=ANSWER_SECONDS_MAX, silent=ProcessorUnavailableError
        )

    async def authorize(self, request: AuthorizationRequest) -> ProcessorAnswer:
        return await self._ask("POST", _AUTHORIZATIONS, request)

    async def capture(self, attempt_id: str, request: CaptureRequest) -> ProcessorAnswer:
        return await self._ask("POST", f"{_AUTHORIZATIONS}/{attempt_id}/capture", request)

    async def increment(self, attempt_id: str, request: IncrementRequest) -> ProcessorAnswer:
        return await self._ask("POST", f"{_AUTHORIZATIONS}/{attempt_id}/increment", request)

    async def refund(self, attempt_id: str, request: RefundRequest) -> ProcessorAnswer:
        return await self._ask("POST", f"{_AUTHORIZATIONS}/{attempt_id}/refund", request)

    async def reverse(self, attempt_id: str, request: ReversalRequest) -> ProcessorAnswer:
        return await self._ask("POST", f"{_AUTHORIZATIONS}/{attempt_id}/reverse", request)

    async def find(self, attempt_id: str) -> ProcessorAnswer:
        return await self._ask("GET", f"{_AUTHORIZATIONS}/{attempt_id}")

    async def close(self) -> None:
        """Close the connections to the processor."""
        await self._peer.close()

    async def _ask(self, method: str, path: str, body: msgspec.Struct | None = None) -> ProcessorAnswer:
        crash_point("gateway.processor.asking")
        reply = await self._peer.ask(method, path, body)
        if reply.status != HTTPStatus.OK:
            raise ProcessorUnavailableError(f"the processor answered {reply.status}")
        try:
            return msgspec.json.decode(reply.body, type=ProcessorAnswer)
        except msgspec.DecodeError:
            raise ProcessorUnavailableError("the processor's answer is not as agreed") from None
