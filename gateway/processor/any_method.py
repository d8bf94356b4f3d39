"""One port for every way to pay: cards, and accounts over their rails."""

from collections.abc import Awaitable, Callable

from gateway.processor.rails import RailsProcessor
from gateway.processor_port import (
    AuthorizationRequest,
    CaptureRequest,
    IncrementRequest,
    Processor,
    ProcessorAnswer,
    RefundRequest,
    ReversalRequest,
)


class AnyMethodProcessor:
    """Implements `gateway.processor_port.Processor`: a request that names an account goes over the rails.

    Of an attempt that cards have never heard of, the rails are asked; card payments cost no look at theirs.
    """

    def __init__(self, cards: Processor, rails: RailsProcessor) -> None:
        self._cards = cards
        self._rails = rails

    async def authorize(self, request: AuthorizationRequest) -> ProcessorAnswer:
        if request.account is None:
            return await self._cards.authorize(request)
        return await self._rails.authorize(request, request.account)

    async def capture(self, attempt_id: str, request: CaptureRequest) -> ProcessorAnswer:
        told = await self._cards.capture(attempt_id, request)
        return await _or(told, self._rails.capture, attempt_id, request)

    async def increment(self, attempt_id: str, request: IncrementRequest) -> ProcessorAnswer:
        told = await self._cards.increment(attempt_id, request)
        return await _or(told, self._rails.increment, attempt_id, request)

    async def refund(self, attempt_id: str, request: RefundRequest) -> ProcessorAnswer:
        told = await self._cards.refund(attempt_id, request)
        return await _or(told, self._rails.refund, attempt_id, request)

    async def reverse(self, attempt_id: str, request: ReversalRequest) -> ProcessorAnswer:
        # The rails first: cards would bury an attempt that they have never heard of.
        told = await self._rails.reverse(attempt_id, request)
        return await self._cards.reverse(attempt_id, request) if told is None else told

    async def find(self, attempt_id: str) -> ProcessorAnswer:
        told = await self._cards.find(attempt_id)
        return await _or(told, self._rails.find, attempt_id)


async def _or(
    told: ProcessorAnswer, ask: Callable[..., Awaitable[ProcessorAnswer | None]], *arguments: object
) -> ProcessorAnswer:
    if told.status != "unknown":
        return told
    return await ask(*arguments) or told
