"""Authentication of cardholders (3-D Secure) before their cards are charged, around the processor's heart.

A cardholder is asked where the request says so, or where the issuer has declined for want of a proof. While
one is asked the attempt waits (`action_required`); then it is authorized with the proof, as every
other. Whoever does not come back is asked for at the directory; after ten minutes the attempt ends.
"""

import sqlite3
from contextlib import suppress
from functools import partial
from typing import Protocol

import msgspec
import structlog

from events.clock import Clock
from events.crash import crash_point, declare
from events.ids import Entropy
from events.moments import microseconds
from gateway.errors import UnavailableError
from gateway.processor import attempts, authentication_rows, authentication_steps, transitions, vault_rows
from gateway.processor.authentication_rows import AuthenticationRow
from gateway.processor.challenge_bound import (
    CHALLENGES_PER_HOUR_MAX,
    ChallengeBound,
    challenged_lately,
    counted_card,
)
from gateway.processor.directory import Directory, Lookup, Proof, Question
from gateway.processor.errors import DirectoryUnavailableError, VaultError
from gateway.processor.store import ProcessorStore
from gateway.processor.turns import Turns
from gateway.processor.vault import VaultKeys, open_sealed
from gateway.processor.waiting import Waiting
from gateway.processor_port import (
    PAYER_SECONDS_MAX,
    AnswerChanged,
    AnswerListener,
    AuthorizationRequest,
    CaptureRequest,
    IncrementRequest,
    Processor,
    ProcessorAnswer,
    RefundRequest,
    ReversalRequest,
)
from gateway.scheduling import Scheduling

declare(
    {
        "processor.authentication.begun": "a cardholder is to be authenticated, durably; nobody was told",
        "processor.authentication.ended": "what came of an authentication is durable, nothing has followed",
    }
)

ASK_AGAIN_SECONDS = 10.0
"""How often the directory is asked for a cardholder who has not come back."""
_SECRET_BYTES = 16


class Cards(Processor, Protocol):
    """The processor's heart."""

    async def authorize_proven(self, request: AuthorizationRequest, proof: Proof | None) -> ProcessorAnswer:
        """Authorize with a proof of the cardholder, also after the issuer has asked for one."""
        ...

    async def recover(self) -> int:
        """Reverse what a crash left in doubt; gives how many."""
        ...


class AuthenticatingProcessor:
    """Implements `gateway.processor_port.Processor` around another, with authentication of cardholders."""

    def __init__(
        self,
        *,
        cards: Cards,
        store: ProcessorStore,
        directory: Directory,
        listener: AnswerListener,
        keys: VaultKeys,
        clock: Clock,
        scheduling: Scheduling,
        entropy: Entropy,
        return_base: str,
    ) -> None:
        """`return_base` is the public listener's address, to which cardholders come back."""
        self._cards = cards
        self._store = store
        self._directory = directory
        self._listener = listener
        self._turns = Turns(scheduling)
        self._bound = ChallengeBound()
        self._scheduling = scheduling
        self._keys = keys
        self._clock = clock
        self._entropy = entropy
        self._return_base = return_base
        self._open = Waiting(
            store,
            authentication_rows.open_ones,
            clock,
            first_seconds=ASK_AGAIN_SECONDS,
            seconds_max=ASK_AGAIN_SECONDS,
        )
        self._log = structlog.get_logger("processor.authentication")

    async def recover(self) -> int:
        """Reverse what a crash left in doubt; gives how many. Runs before the first request is taken."""
        await self._open.load()
        return await self._cards.recover()

    async def authorize(self, request: AuthorizationRequest) -> ProcessorAnswer:
        return await self._turns.take(request.attempt_id, lambda: self._authorize(request))

    async def capture(self, attempt_id: str, request: CaptureRequest) -> ProcessorAnswer:
        return await self._cards.capture(attempt_id, request)

    async def increment(self, attempt_id: str, request: IncrementRequest) -> ProcessorAnswer:
        return await self._cards.increment(attempt_id, request)

    async def refund(self, attempt_id: str, request: RefundRequest) -> ProcessorAnswer:
        return await self._cards.refund(attempt_id, request)

    async def reverse(self, attempt_id: str, request: ReversalRequest) -> ProcessorAnswer:
        return await self._turns.take(attempt_id, lambda: self._reverse(attempt_id, request))

    async def find(self, attempt_id: str) -> ProcessorAnswer:
        row = await self._store.transact(lambda db: authentication_rows.find(db, attempt_id))
        return authentication_steps.told(row, await self._cards.find(attempt_id))

    async def returned(self, secret: str) -> AuthenticationRow | None:
        """A cardholder has come back: what came of it, and the attempt's end, of which the API is told."""
        row = await self._store.transact(lambda db: authentication_rows.find_by_secret(db, secret))
        return None if row is None else await self._resolve(row.attempt_id)

    async def repeat_due(self) -> None:
        """Ask for cardholders who have not come back, and go on with what a crash left behind."""
        for attempt_id in await self._open.due():
            if not self._turns.busy(attempt_id):
                self._open.postpone(attempt_id)
                self._scheduling.spawn(self._resolve(attempt_id), f"payer of {attempt_id}")

    async def _authorize(self, request: AuthorizationRequest) -> ProcessorAnswer:
        attempt_id, row = request.attempt_id, None
        if request.authentication == "none" and attempt_id not in self._open:
            # As nearly every payment: no look into the store lies on its path.
            answer = await self._cards.authorize(request)
            if not authentication_steps.lacks_proof(answer):
                return answer
        row, attempt = await self._store.transact(partial(_find_both, attempt_id))
        if row is None and (attempt is None or transitions.lacks_proof(attempt)):
            row = await self._look_up(request, asked_by_issuer=attempt is not None)
        if row is None:
            return await self._cards.authorize(request)
        if row.state == "cleared":
            row, answer = await self._go_on(row)
        else:
            answer = await self._cards.find(request.attempt_id)
        return authentication_steps.told(row, answer)

    async def _look_up(
        self, request: AuthorizationRequest, *, asked_by_issuer: bool = False
    ) -> AuthenticationRow:
        row = AuthenticationRow(
            attempt_id=request.attempt_id,
            request=msgspec.json.encode(request),
            state="refused",
            flow="frictionless",
            secret=self._entropy(_SECRET_BYTES).hex(),
            transaction_id=self._entropy(_SECRET_BYTES).hex(),
            url=None,
            result=None,
            eci=None,
            proof=None,
            expires_us=microseconds(self._clock.now()) + PAYER_SECONDS_MAX * 1_000_000,
            asked_us=microseconds(request.occurred_at),
        )
        mandated = asked_by_issuer or request.authentication == "required"
        try:
            number = await self._number(request.token)
        except VaultError:
            return await self._begin(authentication_steps.begun(row, Lookup(status="error")))
        card = counted_card(self._keys, request, number)
        with self._bound.asking(card, request.attempt_id) as under_way:
            lately = await self._store.transact(lambda db: challenged_lately(db, card, request))
            if len(lately | under_way) >= CHALLENGES_PER_HOUR_MAX[request.mode]:
                return await self._begin(row)
            question = self._question(row, request, number, mandated=mandated)
            try:
                found = await self._directory.look_up(question)
            except DirectoryUnavailableError:
                found = Lookup(status="error")
            row = msgspec.structs.replace(row, card=card)
            return await self._begin(authentication_steps.begun(row, found))

    async def _begin(self, row: AuthenticationRow) -> AuthenticationRow:
        await self._store.transact(lambda db: authentication_rows.put(db, row))
        self._note(row)
        crash_point("processor.authentication.begun")
        return row

    async def _number(self, token: str) -> str:
        sealed = await self._store.transact(lambda db: vault_rows.find_card(db, token))
        if sealed is None:
            raise VaultError("no card stands behind the token")
        return open_sealed(self._keys, sealed).number

    def _question(
        self, row: AuthenticationRow, request: AuthorizationRequest, number: str, *, mandated: bool
    ) -> Question:
        return Question(
            transaction_id=row.transaction_id,
            number=number,
            amount_minor=request.amount_minor,
            currency=request.currency,
            merchant=request.merchant_name or request.merchant_id,
            return_url=f"{self._return_base}/payer/{row.secret}",
            mandated=mandated,
            payer_present=not request.off_session,
            is_test=request.mode == "test",
        )

    async def _resolve(self, attempt_id: str) -> AuthenticationRow | None:
        row = await self._turns.take(attempt_id, lambda: self._resolve_in_turn(attempt_id))
        if row is not None and row.state != "waiting":
            try:
                await self._listener.answer_changed(AnswerChanged(attempt_id=attempt_id))
            except UnavailableError:
                self._log.warning("the API could not be told that an answer has changed")
        return row

    async def _resolve_in_turn(self, attempt_id: str) -> AuthenticationRow | None:
        row = await self._store.transact(lambda db: authentication_rows.find(db, attempt_id))
        if row is not None and row.state == "waiting":
            row = await self._ask_for(row)
        if row is not None and row.state == "cleared":
            row, _ = await self._go_on(row)
        if row is None or not row.is_open:
            self._open.end(attempt_id)
        return row

    async def _ask_for(self, row: AuthenticationRow) -> AuthenticationRow:
        try:
            found = await self._directory.find(row.transaction_id)
        except DirectoryUnavailableError:
            found = Lookup(status="challenge")
        if found.status == "challenge":
            if microseconds(self._clock.now()) < row.expires_us:
                return row
            found = Lookup(status="abandoned")
            self._withdraw(row)
        return await self._end(authentication_steps.answered(row, found))

    async def _go_on(self, row: AuthenticationRow) -> tuple[AuthenticationRow, ProcessorAnswer]:
        answer = await self._cards.authorize_proven(row.asked(), authentication_steps.proof_of(row))
        return await self._end(msgspec.structs.replace(row, state="done", proof=None)), answer

    async def _reverse(self, attempt_id: str, request: ReversalRequest) -> ProcessorAnswer:
        row = await self._store.transact(lambda db: authentication_rows.find(db, attempt_id))
        if row is not None and row.is_open:
            result = row.result or "abandoned"
            if row.state == "waiting":
                self._withdraw(row)
            row = await self._end(msgspec.structs.replace(row, state="refused", result=result))
        return authentication_steps.told(row, await self._cards.reverse(attempt_id, request))

    def _withdraw(self, row: AuthenticationRow) -> None:
        """Have the cardholder told who is at the page still; nothing hangs on it, so it is tried once."""
        self._scheduling.spawn(self._withdrawn(row), f"withdrawal of {row.attempt_id}")

    async def _withdrawn(self, row: AuthenticationRow) -> None:
        with suppress(DirectoryUnavailableError):
            await self._directory.withdraw(row.transaction_id)

    async def _end(self, row: AuthenticationRow) -> AuthenticationRow:
        await self._store.transact(lambda db: authentication_rows.put(db, row))
        self._note(row)
        crash_point("processor.authentication.ended")
        return row

    def _note(self, row: AuthenticationRow) -> None:
        if row.is_open:
            # What was cleared waits for nobody; who was sent off now is asked for after a while.
            self._open.watch(row.attempt_id, ASK_AGAIN_SECONDS * (row.state == "waiting"))
        else:
            self._open.end(row.attempt_id)


def _find_both(
    attempt_id: str, database: sqlite3.Connection
) -> tuple[AuthenticationRow | None, attempts.Attempt | None]:
    return authentication_rows.find(database, attempt_id), attempts.find(database, attempt_id)
