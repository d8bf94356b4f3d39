"""The processor over the network, behind the same port as in a simulation."""

import asyncio
import ssl

import msgspec

from events.crash import crash_point, declare
from gateway.errors import ProcessorUnavailableError
from gateway.link.asking import Link, RefusedError
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

DELAY_SECONDS_MAX = 2.0
"""How long the processor may take to say how long its turns take: more is an answer, too."""


class LinkedProcessor:
    """A `Processor` at an address, `HOST:PORT`."""

    def __init__(self, address: str, context: ssl.SSLContext) -> None:
        self._link = Link(
            address, context, answer_seconds_max=ANSWER_SECONDS_MAX, silent=ProcessorUnavailableError
        )

    async def authorize(self, request: AuthorizationRequest) -> ProcessorAnswer:
        return await self._ask("authorize", request)

    async def capture(self, attempt_id: str, request: CaptureRequest) -> ProcessorAnswer:
        return await self._ask("capture", attempt_id, request)

    async def increment(self, attempt_id: str, request: IncrementRequest) -> ProcessorAnswer:
        return await self._ask("increment", attempt_id, request)

    async def refund(self, attempt_id: str, request: RefundRequest) -> ProcessorAnswer:
        return await self._ask("refund", attempt_id, request)

    async def reverse(self, attempt_id: str, request: ReversalRequest) -> ProcessorAnswer:
        return await self._ask("reverse", attempt_id, request)

    async def find(self, attempt_id: str) -> ProcessorAnswer:
        return await self._ask("find", attempt_id)

    async def delay(self) -> float:
        """How long the processor's own turns take, in seconds; raises `ProcessorUnavailableError`."""
        try:
            async with asyncio.timeout(DELAY_SECONDS_MAX):
                return await self._link.ask(float, "delay")
        except (RefusedError, TimeoutError) as error:
            raise ProcessorUnavailableError(f"no answer: {type(error).__name__}") from None

    async def close(self) -> None:
        """Close the connections to the processor."""
        await self._link.close()

    async def _ask(self, method: str, *params: msgspec.Struct | str) -> ProcessorAnswer:
        crash_point("gateway.processor.asking")
        try:
            return await self._link.ask(ProcessorAnswer, method, *params)
        except RefusedError as error:
            raise ProcessorUnavailableError(f"the processor answered {error.refusal.status}") from None
