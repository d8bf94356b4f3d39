"""Captures, refunds and increments of an authorization that stands. Whoever calls has the attempt's turn."""

import sqlite3
from collections.abc import Callable, Sequence
from functools import partial

import msgspec
import structlog

from events.crash import crash_point, declare
from gateway.errors import ProcessorUnavailableError
from gateway.processor import attempts, messages, operation_steps, transitions
from gateway.processor.advice_rows import Advice, AdviceKey
from gateway.processor.advices import Advices
from gateway.processor.answers import answer
from gateway.processor.attempts import Attempt
from gateway.processor.declines import UNPROCESSED, decline
from gateway.processor.errors import (
    AcquirerSilentError,
    AcquirerUnreachableError,
    MisfitAnswerError,
    UnwritableMessageError,
)
from gateway.processor.increments import Increment
from gateway.processor.network import AcquirerNetwork
from gateway.processor.operation_steps import BegunAdvice, BegunIncrement
from gateway.processor.store import ProcessorStore
from gateway.processor_port import CaptureRequest, IncrementRequest, ProcessorAnswer, RefundRequest

declare(
    {
        "processor.capture.committed": "the advice of a capture or refund is durable, it has not left",
    }
)


class Operations:
    """What may follow an authorization."""

    def __init__(self, *, store: ProcessorStore, network: AcquirerNetwork, advices: Advices) -> None:
        self._store = store
        self._network = network
        self._advices = advices
        self._log = structlog.get_logger("processor")

    async def capture(self, attempt_id: str, request: CaptureRequest) -> ProcessorAnswer:
        return await self._tell(attempt_id, lambda db: operation_steps.begin_capture(db, attempt_id, request))

    async def refund(self, attempt_id: str, request: RefundRequest) -> ProcessorAnswer:
        return await self._tell(attempt_id, lambda db: operation_steps.begin_refund(db, attempt_id, request))

    async def increment(self, attempt_id: str, request: IncrementRequest) -> ProcessorAnswer:
        begin = partial(operation_steps.begin_increment, attempt_id=attempt_id, request=request)
        begun: BegunIncrement = await self._store.transact(begin)
        while begun.unanswered:
            await self._settle(begun.unanswered)
            begun = await self._store.transact(begin)
        attempt, increment = begun.attempt, begun.increment
        if attempt is not None and increment is not None and increment.status == "sending":
            crash_point("processor.attempt.committed")
            attempt, increment = await self._ask_for_more(attempt, increment, request)
        return _after_increment(attempt_id, attempt, increment)

    async def settle(self, attempt_id: str) -> None:
        """Have everything answered that was told of the attempt; raises where that does not succeed."""
        await self._settle(await self._store.transact(lambda db: operation_steps.unanswered(db, attempt_id)))

    async def _tell(
        self, attempt_id: str, begin: Callable[[sqlite3.Connection], BegunAdvice]
    ) -> ProcessorAnswer:
        begun = await self._store.transact(begin)
        while begun.unanswered:
            await self._settle(begun.unanswered)
            begun = await self._store.transact(begin)
        if begun.released is not None:
            self._log.error("more was to be captured than is left", attempt=attempt_id)
            self._advices.watch(begun.released)
        if begun.attempt is None or begun.advice is None:
            return answer(attempt_id, begun.attempt, "refused")
        crash_point("processor.capture.committed")
        return await self._after(
            begun.attempt, begun.advice, await self._advices.send(begun.attempt, begun.advice)
        )

    async def _after(self, attempt: Attempt, told: Advice, advice: Advice) -> ProcessorAnswer:
        """Where the attempt stands after its advice was sent; raises while the acquirer has not answered."""
        if advice.state == "waiting":
            raise ProcessorUnavailableError("The acquirer has not confirmed yet. Ask again.")
        if advice.state == "refused":
            after = await self._store.transact(lambda db: attempts.find(db, attempt.attempt_id))
            return answer(attempt.attempt_id, after, "refused")
        # What was accepted just now may not be in the store yet; what had been accepted before is.
        after = transitions.applied(attempt, advice) if told.state == "waiting" else attempt
        return answer(attempt.attempt_id, after, "accepted")

    async def _settle(self, keys: Sequence[AdviceKey]) -> None:
        for key in keys:
            advice = await self._advices.deliver(key, durably=True)
            if advice.state == "waiting":
                raise ProcessorUnavailableError("The acquirer has not confirmed what came before. Ask again.")

    async def _ask_for_more(
        self, attempt: Attempt, increment: Increment, request: IncrementRequest
    ) -> tuple[Attempt, Increment]:
        try:
            fields = await self._exchange(messages.increment_request(attempt, increment, request.occurred_at))
        except (AcquirerUnreachableError, UnwritableMessageError):
            why = UNPROCESSED
        except (AcquirerSilentError, MisfitAnswerError):
            return attempt, await self._reverse(increment, "")
        else:
            if fields["39"] == messages.ACCEPTED:
                approved = msgspec.structs.replace(increment, status="approved")
                after = await self._store.transact(
                    lambda db: operation_steps.approve_increment(db, increment)
                )
                crash_point("processor.outcome.committed")
                return after, approved
            if fields["39"] == messages.ACCEPTED_IN_PART:
                return attempt, await self._reverse(increment, fields["39"])
            why = decline(fields["39"])
        declined = await self._store.transact(
            lambda db: operation_steps.decline_increment(db, increment, why)
        )
        crash_point("processor.outcome.committed")
        return attempt, declined

    async def _exchange(self, question: bytes) -> dict[str, str]:
        reply = await self._network.exchange(question)
        crash_point("processor.authorization.answered")
        return messages.read_answer(question, reply)

    async def _reverse(self, increment: Increment, response: str) -> Increment:
        why = decline(response) if response else UNPROCESSED
        reversed_ = await self._store.transact(
            lambda db: operation_steps.reverse_increment(db, increment, why)
        )
        crash_point("processor.outcome.committed")
        self._advices.watch(AdviceKey(increment.attempt_id, "reversal", increment.increment_id))
        return reversed_


def _after_increment(
    attempt_id: str, attempt: Attempt | None, increment: Increment | None
) -> ProcessorAnswer:
    if increment is not None and increment.status == "approved":
        return answer(attempt_id, attempt, "accepted")
    refused = answer(attempt_id, attempt, "refused")
    if increment is None:
        return refused
    return msgspec.structs.replace(
        refused, decline_code=increment.decline_code, advice_code=increment.advice_code
    )
