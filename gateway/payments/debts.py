"""What the gateway owes the network: captures and voids that are committed and have yet to be told.

Each is driven until the processor has acknowledged it; only then does its event (`payment.captured`,
`payment.canceled`) say that it happened. Where nobody answers, or cannot say yet, it is told again, after
pauses that grow. A capture that the network refused ends (`payment.capture_failed`): the processor has given
the authorization back, so that asking again could only be refused again.
"""

import structlog
from sqlalchemy import Connection

from events.crash import crash_point, declare
from events.moments import moment
from events.types import PaymentCanceled, PaymentCaptured, PaymentCaptureFailed
from gateway.errors import InvalidRequestError, UnavailableError
from gateway.event_recorder import EventRecorder
from gateway.outbox import Relay
from gateway.payments import intents
from gateway.payments.intents import Attempt, CaptureOwed, Debt, Intent, Phase, VoidOwed, owing, reached
from gateway.payments.lifetimes import has_expired
from gateway.payments.outcomes import payment_error
from gateway.processor_port import FIRST_CAPTURE, CaptureRequest, Processor, ProcessorAnswer, ReversalRequest
from gateway.retrying import Backoff
from gateway.scheduling import Scheduling
from gateway.store.intent_rows import load_attempt, load_intent, save_attempt, save_intent
from gateway.store.writer import Store

declare(
    {
        "gateway.debt.owed": "a capture, void or refund is durable as owed, the processor is not told",
        "gateway.debt.told": "the processor has done it, the store still shows it as owed",
        "gateway.debt.paid": "the store shows it as done, its event waits in the outbox",
    }
)


def owe_in(connection: Connection, intent: Intent, debt: Debt) -> tuple[Intent, Attempt]:
    """Commit an intent with what its authorized attempt owes from now on.

    Raises `InvalidRequestError` for a capture after the authorization's end, found by a sweep or not yet.
    """
    attempt = load_attempt(connection, intent.id, intent.attempts)
    if attempt is None:
        raise ValueError(f"intent {intent.id} has no attempt that could owe anything")
    if isinstance(debt, CaptureOwed) and has_expired(attempt.expires_us, debt.since_us):
        raise InvalidRequestError("The authorization has expired.", code="charge_expired_for_capture")
    attempt = owing(attempt, debt)
    save_attempt(connection, attempt)
    return save_intent(connection, intent), attempt


class Debts:
    """Captures and voids on their way."""

    def __init__(
        self,
        *,
        store: Store,
        recorder: EventRecorder,
        relay: Relay,
        processor: Processor,
        scheduling: Scheduling,
    ) -> None:
        self._store = store
        self._recorder = recorder
        self._relay = relay
        self._processor = processor
        self._scheduling = scheduling
        self._driving: set[str] = set()
        self._log = structlog.get_logger("gateway.debts")

    def drive(self, attempt: Attempt) -> None:
        """Pay what the attempt owes, if anything and if nobody is at it."""
        # A sweep may come with the same debt as the request that made it.
        if attempt.phase in ("capturing", "voiding") and attempt.id not in self._driving:
            self._driving.add(attempt.id)
            self._scheduling.spawn(self._pay(attempt), f"debt {attempt.id}")

    async def _pay(self, attempt: Attempt) -> None:
        backoff = Backoff(self._scheduling)
        try:
            if attempt.debt is None:
                raise ValueError(f"attempt {attempt.id} is {attempt.phase}, and it is not kept what it owes")
            while not await self._try_to_pay(attempt, attempt.debt):
                await backoff.rest()
        finally:
            self._driving.discard(attempt.id)

    async def _try_to_pay(self, attempt: Attempt, debt: Debt) -> bool:
        try:
            crash_point("gateway.debt.owed")
            answer = await self._ask(attempt, debt)
            crash_point("gateway.debt.told")
            end = _end(debt, answer)
            if end is None:
                # The attempt's end is being found out; or the two sides disagree, which an operator must see.
                self._log.error("debt not paid", attempt=attempt.id, owed=attempt.phase, answer=answer.status)
                return False
            if end == "capture_failed":
                self._log.error("capture refused", attempt=attempt.id)
            await self._store.write(lambda c: self._record_end_in(c, attempt, debt, answer, end))
        except UnavailableError:
            return False
        crash_point("gateway.debt.paid")
        self._relay.nudge()
        return True

    async def _ask(self, attempt: Attempt, debt: Debt) -> ProcessorAnswer:
        at = moment(debt.since_us)
        if isinstance(debt, CaptureOwed):
            request = CaptureRequest(capture_id=FIRST_CAPTURE, amount_minor=debt.amount_minor, occurred_at=at)
            return await self._processor.capture(attempt.id, request)
        return await self._processor.reverse(attempt.id, ReversalRequest(occurred_at=at))

    def _record_end_in(
        self, connection: Connection, attempt: Attempt, debt: Debt, answer: ProcessorAnswer, end: Phase
    ) -> None:
        stored = load_attempt(connection, attempt.payment_id, attempt.number)
        # It was told twice, as by a sweep that had read it before it ended: the first end stands.
        if stored is None or stored.phase != attempt.phase:
            return
        ended = reached(stored, end)
        intent = load_intent(connection, attempt.payment_id)
        save_intent(connection, self._record_event_in(connection, intent, ended, debt, answer))
        save_attempt(connection, ended)

    def _record_event_in(
        self, connection: Connection, intent: Intent, attempt: Attempt, debt: Debt, answer: ProcessorAnswer
    ) -> Intent:
        """The intent after the debt's end, with the event that tells of it."""
        at = moment(debt.since_us)
        if isinstance(debt, VoidOwed):
            reason = intent.cancellation_reason or "unspecified"
            canceled = PaymentCanceled(
                **self._recorder.header(intent, at), reason=reason, authorization_id=attempt.id
            )
            return self._recorder.record_step(connection, intent, canceled)
        if attempt.phase == "captured":
            header = self._recorder.header(intent, at, amount_minor=answer.captured_minor)
            captured = PaymentCaptured(**header, authorization_id=attempt.id)
            return self._recorder.record_step(connection, intent, captured)
        intent = intents.capture_failed(intent, payment_error("processing_error"))
        header = self._recorder.header(intent, at, amount_minor=debt.amount_minor)
        failed = PaymentCaptureFailed(**header, attempt=attempt.number, authorization_id=attempt.id)
        return self._recorder.record_step(connection, intent, failed)


def _end(debt: Debt, answer: ProcessorAnswer) -> Phase | None:
    """How the debt ends by the processor's answer; None where it does not end yet."""
    if isinstance(debt, VoidOwed):
        # What the network declined, or knows as reversed, holds no money back any more.
        return "voided" if answer.status in ("reversed", "declined") else None
    if answer.status in ("reversed", "declined"):
        return "capture_failed"
    return "captured" if answer.status == "captured" else None
