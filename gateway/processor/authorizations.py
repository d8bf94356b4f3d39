"""Authorize and reverse: the processor's heart. No charge is authorized twice, ever.

An attempt is durable before its authorization leaves. Whatever happens then (no answer in time, an answer
that does not fit, a crash) leads to a reversal that is repeated until the acquirer answers; an authorization
is never sent a second time. What an answer to the API says is durable before it is said: the API's own record
of an approval must not outlive the processor's.
"""

from datetime import datetime
from functools import partial

import msgspec

from events.crash import crash_point, declare
from gateway.errors import InvalidRequestError
from gateway.processor import attempts, increments, messages, operation_steps, transitions
from gateway.processor.advice_rows import AdviceKey
from gateway.processor.advices import Advices
from gateway.processor.answers import answer
from gateway.processor.attempts import Attempt
from gateway.processor.declines import UNPROCESSED, Decline, decline
from gateway.processor.directory import Proof
from gateway.processor.errors import (
    AcquirerSilentError,
    AcquirerUnreachableError,
    MisfitAnswerError,
    UnwritableMessageError,
    VaultError,
)
from gateway.processor.network import AcquirerNetwork
from gateway.processor.operations import Operations
from gateway.processor.security_codes import SecurityCodes
from gateway.processor.store import ProcessorStore
from gateway.processor.turns import Turns
from gateway.processor.vault import SealedCard, VaultKeys, open_sealed
from gateway.processor_port import (
    AuthorizationRequest,
    CaptureRequest,
    IncrementRequest,
    ProcessorAnswer,
    RefundRequest,
    ReversalRequest,
)

declare(
    {
        "processor.attempt.committed": "an attempt or increment is durable, its message has not left",
        "processor.authorization.answered": "the issuer has answered, the outcome is nowhere yet",
        "processor.outcome.committed": "the outcome is durable, the API was not told",
        "processor.reversal.committed": "the reversal is durable, the acquirer and the API were not told",
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
        operations: Operations,
        turns: Turns,
        keys: VaultKeys,
        security_codes: SecurityCodes,
    ) -> None:
        self._store = store
        self._network = network
        self._advices = advices
        self._operations = operations
        self._turns = turns
        self._keys = keys
        self._security_codes = security_codes

    async def recover(self) -> int:
        """Reverse what a crash left in doubt; gives how many. Runs before the first request is taken."""
        doubtful = await self._store.transact(attempts.in_doubt)
        for attempt_id in doubtful:
            await self._turns.take(attempt_id, partial(self._reverse_if_in_doubt, attempt_id))
        for attempt_id in await self._store.transact(increments.attempts_in_doubt):
            await self._turns.take(attempt_id, partial(self._reverse_increments, attempt_id))
        await self._advices.load()
        return len(doubtful)

    async def authorize(self, request: AuthorizationRequest) -> ProcessorAnswer:
        return await self.authorize_proven(request, None)

    async def authorize_proven(self, request: AuthorizationRequest, proof: Proof | None) -> ProcessorAnswer:
        """The same, with a proof of the cardholder: also after the issuer has asked for one."""
        return await self._turns.take(request.attempt_id, lambda: self._authorize(request, proof))

    async def capture(self, attempt_id: str, request: CaptureRequest) -> ProcessorAnswer:
        return await self._turns.take(attempt_id, lambda: self._operations.capture(attempt_id, request))

    async def increment(self, attempt_id: str, request: IncrementRequest) -> ProcessorAnswer:
        return await self._turns.take(attempt_id, lambda: self._operations.increment(attempt_id, request))

    async def refund(self, attempt_id: str, request: RefundRequest) -> ProcessorAnswer:
        return await self._turns.take(attempt_id, lambda: self._operations.refund(attempt_id, request))

    async def reverse(self, attempt_id: str, request: ReversalRequest) -> ProcessorAnswer:
        return await self._turns.take(attempt_id, lambda: self._reverse(attempt_id, request))

    async def find(self, attempt_id: str) -> ProcessorAnswer:
        return answer(attempt_id, await self._store.transact(lambda db: attempts.find(db, attempt_id)))

    async def _authorize(self, request: AuthorizationRequest, proof: Proof | None) -> ProcessorAnswer:
        begun = await self._store.transact(lambda db: transitions.begin(db, request, proof))
        if begun.known:
            _check_same(begun.attempt, request)
            return await self._known(begun.attempt)
        crash_point("processor.attempt.committed")
        try:
            after = await self._send(begun.attempt, begun.card, request, proof)
        except (AcquirerSilentError, MisfitAnswerError):
            return answer(request.attempt_id, await self._reverse_later(begun.attempt))
        if after.status == "approved" and not _welcome(after, request):
            return answer(request.attempt_id, await self._give_part_back(after))
        await self._store.transact(lambda db: attempts.update(db, after))
        crash_point("processor.outcome.committed")
        return answer(request.attempt_id, after)

    async def _known(self, attempt: Attempt) -> ProcessorAnswer:
        """A repeated question. One still `sending` here was left so by a failed write: it is in doubt."""
        if attempt.status == "sending":
            attempt = await self._reverse_later(attempt)
        return answer(attempt.attempt_id, attempt)

    async def _send(
        self,
        attempt: Attempt,
        sealed: SealedCard | None,
        request: AuthorizationRequest,
        proof: Proof | None,
    ) -> Attempt:
        """Where the attempt stands after its one authorization; raises what leaves it in doubt."""
        security_code = self._security_codes.take(attempt.token)
        if sealed is None:
            return _declined(attempt, UNPROCESSED)
        try:
            card = open_sealed(self._keys, sealed)
            question = messages.authorization_request(attempt, card, security_code, request, proof)
        except (VaultError, UnwritableMessageError):
            return _declined(attempt, UNPROCESSED)
        try:
            reply = await self._network.exchange(question)
        except AcquirerUnreachableError:
            # Nothing has left, so there is nothing to reverse. After any other error there may be.
            return _declined(attempt, UNPROCESSED)
        crash_point("processor.authorization.answered")
        fields = messages.read_answer(question, reply)
        if fields["39"] not in (messages.ACCEPTED, messages.ACCEPTED_IN_PART):
            return _declined(attempt, decline(fields["39"]))
        return msgspec.structs.replace(
            attempt, status="approved", approval_code=fields.get("38"), authorized_minor=int(fields["4"])
        )

    async def _reverse(self, attempt_id: str, request: ReversalRequest) -> ProcessorAnswer:
        found = await self._store.transact(lambda db: transitions.find_or_bury(db, attempt_id))
        attempt = found.attempt
        if found.buried:
            crash_point("processor.tombstone.committed")
        if attempt.status == "sending":
            return answer(attempt_id, await self._reverse_later(attempt))
        if attempt.status == "approved":
            await self._operations.settle(attempt_id)
            attempt = (
                await self._store.transact(lambda db: transitions.find_or_bury(db, attempt_id))
            ).attempt
        if attempt.status == "approved":
            attempt = await self._reverse_now(attempt, request.occurred_at)
        return answer(attempt_id, attempt)

    async def _reverse_if_in_doubt(self, attempt_id: str) -> None:
        attempt = await self._store.transact(lambda db: attempts.find(db, attempt_id))
        if attempt is not None and attempt.status == "sending":
            await self._reverse_later(attempt)

    async def _reverse_increments(self, attempt_id: str) -> None:
        await self._store.transact(lambda db: operation_steps.unanswered(db, attempt_id))
        crash_point("processor.reversal.committed")

    async def _give_part_back(self, attempt: Attempt) -> Attempt:
        """Declined, as the issuer holds less than was asked for; the acquirer hears that nobody wants it."""
        why = decline(messages.ACCEPTED_IN_PART)
        after = await self._store.transact(lambda db: transitions.decline_part(db, attempt, why))
        crash_point("processor.reversal.committed")
        self._advices.watch(AdviceKey(attempt.attempt_id, "reversal", ""))
        return after

    async def _reverse_later(self, attempt: Attempt) -> Attempt:
        """Reversed for good; the acquirer hears of it in a moment, and until it answers."""
        after, _ = await self._store.transact(lambda db: transitions.begin_reversal(db, attempt))
        crash_point("processor.reversal.committed")
        self._advices.watch(AdviceKey(attempt.attempt_id, "reversal", ""))
        return after

    async def _reverse_now(self, attempt: Attempt, moment: datetime) -> Attempt:
        """Reversed for good; the acquirer is told at once, and again later if it does not answer."""
        after, advice = await self._store.transact(lambda db: transitions.begin_reversal(db, attempt, moment))
        crash_point("processor.reversal.committed")
        await self._advices.send(after, advice)
        return after


def _check_same(attempt: Attempt, request: AuthorizationRequest) -> None:
    known = (attempt.token, attempt.amount_minor, attempt.currency, attempt.merchant_id)
    asked = (request.token, request.amount_minor, request.currency, request.merchant_id)
    if attempt.stan and known != asked:
        raise InvalidRequestError(
            "This attempt was made with another token, merchant or amount.",
            code="idempotency_mismatch",
            param="attempt_id",
        )


def _welcome(attempt: Attempt, request: AuthorizationRequest) -> bool:
    return request.partial_authorization or attempt.authorized_minor == attempt.amount_minor


def _declined(attempt: Attempt, why: Decline) -> Attempt:
    return msgspec.structs.replace(
        attempt, status="declined", decline_code=why.decline_code, advice_code=why.advice_code
    )
