"""Authorize, capture, reverse: the processor's heart. No charge is authorized twice, ever.

An attempt is durable before its authorization leaves. Whatever happens then (no answer in time, an answer
that does not fit, a crash) leads to a reversal that is repeated until the acquirer answers; an authorization
is never sent a second time. What an answer to the API says is durable before it is said: the API's own record
of an approval must not outlive the processor's.
"""

from datetime import datetime
from functools import partial

import msgspec

from events.crash import crash_point, declare
from gateway.errors import InvalidRequestError, ProcessorUnavailableError
from gateway.processor import attempts, messages, transitions
from gateway.processor.advice_rows import Advice
from gateway.processor.advices import Advices
from gateway.processor.attempts import Attempt
from gateway.processor.declines import PROCESSING_ERROR, decline_code
from gateway.processor.errors import (
    AcquirerSilentError,
    AcquirerUnreachableError,
    MisfitAnswerError,
    UnwritableMessageError,
    VaultError,
)
from gateway.processor.network import AcquirerNetwork
from gateway.processor.security_codes import SecurityCodes
from gateway.processor.store import ProcessorStore
from gateway.processor.turns import Turns
from gateway.processor.vault import SealedCard, VaultKeys, open_sealed
from gateway.processor_port import AuthorizationRequest, CaptureRequest, ProcessorAnswer, ReversalRequest

declare(
    {
        "processor.attempt.committed": "the attempt is durable, its authorization has not left",
        "processor.authorization.answered": "the issuer has answered, the outcome is nowhere yet",
        "processor.outcome.committed": "the outcome is durable, the API was not told",
        "processor.reversal.committed": "the reversal is durable, the acquirer and the API were not told",
        "processor.capture.committed": "the capture advice is durable, it has not left",
        "processor.tombstone.committed": "an attempt never heard of can no more be authorized, unanswered",
    }
)


class CardProcessor:
    """Implements `gateway.processor_port.Processor` over a store and an acquirer network."""

    def __init__(
        self,
        *,
        store: ProcessorStore,
        network: AcquirerNetwork,
        advices: Advices,
        turns: Turns,
        keys: VaultKeys,
        security_codes: SecurityCodes,
    ) -> None:
        self._store = store
        self._network = network
        self._advices = advices
        self._turns = turns
        self._keys = keys
        self._security_codes = security_codes

    async def recover(self) -> int:
        """Reverse what a crash left in doubt; gives how many. Runs before the first request is taken."""
        doubtful = await self._store.transact(attempts.in_doubt)
        for attempt_id in doubtful:
            await self._turns.take(attempt_id, partial(self._reverse_if_in_doubt, attempt_id))
        await self._advices.load()
        return len(doubtful)

    async def authorize(self, request: AuthorizationRequest) -> ProcessorAnswer:
        return await self._turns.take(request.attempt_id, lambda: self._authorize(request))

    async def capture(self, attempt_id: str, request: CaptureRequest) -> ProcessorAnswer:
        return await self._turns.take(attempt_id, lambda: self._capture(attempt_id, request))

    async def reverse(self, attempt_id: str, request: ReversalRequest) -> ProcessorAnswer:
        return await self._turns.take(attempt_id, lambda: self._reverse(attempt_id, request))

    async def find(self, attempt_id: str) -> ProcessorAnswer:
        return _answer(attempt_id, await self._store.transact(lambda db: attempts.find(db, attempt_id)))

    async def _authorize(self, request: AuthorizationRequest) -> ProcessorAnswer:
        begun = await self._store.transact(lambda db: transitions.begin(db, request))
        if begun.known:
            _check_same(begun.attempt, request)
            return await self._known(begun.attempt)
        crash_point("processor.attempt.committed")
        try:
            after = await self._send(begun.attempt, begun.card, request.occurred_at)
        except (AcquirerSilentError, MisfitAnswerError):
            return _answer(request.attempt_id, await self._reverse_later(begun.attempt))
        await self._store.transact(lambda db: attempts.update(db, after))
        crash_point("processor.outcome.committed")
        return _answer(request.attempt_id, after)

    async def _known(self, attempt: Attempt) -> ProcessorAnswer:
        """A repeated question. One still `sending` here was left so by a failed write: it is in doubt."""
        if attempt.status == "sending":
            attempt = await self._reverse_later(attempt)
        return _answer(attempt.attempt_id, attempt)

    async def _send(self, attempt: Attempt, sealed: SealedCard | None, moment: datetime) -> Attempt:
        """Where the attempt stands after its one authorization; raises what leaves it in doubt."""
        security_code = self._security_codes.take(attempt.token)
        if sealed is None:
            return _declined(attempt, PROCESSING_ERROR)
        try:
            card = open_sealed(self._keys, sealed)
            question = messages.authorization_request(attempt, card, security_code, moment)
        except (VaultError, UnwritableMessageError):
            return _declined(attempt, PROCESSING_ERROR)
        try:
            answer = await self._network.exchange(question)
        except AcquirerUnreachableError:
            # Nothing has left, so there is nothing to reverse. After any other error there may be.
            return _declined(attempt, PROCESSING_ERROR)
        crash_point("processor.authorization.answered")
        fields = messages.read_answer(question, answer)
        if fields["39"] != messages.ACCEPTED:
            return _declined(attempt, decline_code(fields["39"]))
        return msgspec.structs.replace(attempt, status="approved", approval_code=fields.get("38"))

    async def _capture(self, attempt_id: str, request: CaptureRequest) -> ProcessorAnswer:
        attempt, advice = await self._store.transact(
            lambda db: transitions.begin_capture(db, attempt_id, request)
        )
        if attempt is None or advice is None:
            return _answer(attempt_id, attempt)
        crash_point("processor.capture.committed")
        return _after_capture(attempt, await self._advices.send(attempt, advice))

    async def _reverse(self, attempt_id: str, request: ReversalRequest) -> ProcessorAnswer:
        found = await self._store.transact(lambda db: transitions.find_or_bury(db, attempt_id))
        attempt = found.attempt
        if found.buried:
            crash_point("processor.tombstone.committed")
        if found.capture_waits:
            return _after_capture(attempt, await self._advices.deliver(attempt_id, "capture"))
        if attempt.status == "sending":
            attempt = await self._reverse_later(attempt)
        elif attempt.status == "approved":
            attempt = await self._reverse_now(attempt, request.occurred_at)
        return _answer(attempt_id, attempt)

    async def _reverse_if_in_doubt(self, attempt_id: str) -> None:
        attempt = await self._store.transact(lambda db: attempts.find(db, attempt_id))
        if attempt is not None and attempt.status == "sending":
            await self._reverse_later(attempt)

    async def _reverse_later(self, attempt: Attempt) -> Attempt:
        """Reversed for good; the acquirer hears of it in a moment, and until it answers."""
        after, _ = await self._store.transact(lambda db: transitions.begin_reversal(db, attempt))
        crash_point("processor.reversal.committed")
        self._advices.watch(attempt.attempt_id, "reversal")
        return after

    async def _reverse_now(self, attempt: Attempt, moment: datetime) -> Attempt:
        """Reversed for good; the acquirer is told at once, and again later if it does not answer."""
        after, advice = await self._store.transact(lambda db: transitions.begin_reversal(db, attempt, moment))
        crash_point("processor.reversal.committed")
        await self._advices.send(after, advice)
        return after


def _after_capture(attempt: Attempt, advice: Advice) -> ProcessorAnswer:
    """Where the attempt stands after its capture was sent; raises while the acquirer has not answered."""
    if advice.state == "waiting":
        raise ProcessorUnavailableError("The acquirer has not confirmed yet. Ask again.")
    if advice.state == "refused":
        return _answer(attempt.attempt_id, msgspec.structs.replace(attempt, status="reversed"))
    captured = msgspec.structs.replace(attempt, status="captured", captured_minor=advice.amount_minor)
    return _answer(attempt.attempt_id, captured)


def _declined(attempt: Attempt, code: str) -> Attempt:
    return msgspec.structs.replace(attempt, status="declined", decline_code=code)


def _check_same(attempt: Attempt, request: AuthorizationRequest) -> None:
    known = (attempt.token, attempt.amount_minor, attempt.currency, attempt.merchant_id)
    asked = (request.token, request.amount_minor, request.currency, request.merchant_id)
    if attempt.stan and known != asked:
        raise InvalidRequestError(
            "This attempt was made with another token, merchant or amount.",
            code="idempotency_mismatch",
            param="attempt_id",
        )


def _answer(attempt_id: str, attempt: Attempt | None) -> ProcessorAnswer:
    if attempt is None or attempt.status == "sending":
        return ProcessorAnswer(attempt_id=attempt_id, status="unknown")
    return ProcessorAnswer(
        attempt_id=attempt_id,
        status=attempt.status,
        decline_code=attempt.decline_code,
        approval_code=attempt.approval_code,
        network_reference=attempt.reference or None,
        captured_minor=attempt.captured_minor,
    )
