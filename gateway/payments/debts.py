"""What the gateway owes the network: captures, increments and voids that are committed and yet to be told.

Each is driven until the processor has acknowledged it; only then does its event (`payment.captured`,
`payment.canceled`, or `payment.released` where a part had been captured) say that it happened. Where nobody
answers, or cannot say yet, it is told again, after pauses that grow. A capture that the network refused ends
(`payment.capture_failed`): the processor has given the authorization back, so that asking again could only be
refused again. A review that was opened meanwhile ends with it, and what it held is owed back.
"""

from functools import partial
from typing import Any

import msgspec
import structlog
from sqlalchemy import Connection

from events.crash import crash_point, declare
from events.ids import Entropy
from events.moments import moment
from events.types import (
    PaymentCanceled,
    PaymentCaptured,
    PaymentCaptureFailed,
    PaymentIncrementDeclined,
    PaymentIncremented,
    PaymentReleased,
)
from gateway.errors import ConflictError, InvalidRequestError, UnavailableError
from gateway.event_recorder import EventRecorder
from gateway.outbox import Relay
from gateway.payments import intents
from gateway.payments.admission import give_back_in
from gateway.payments.authentications import authenticated_in, without_withdrawn
from gateway.payments.debt_ends import end_of, was_refused
from gateway.payments.increments import incremented
from gateway.payments.intents import (
    Attempt,
    CaptureOwed,
    Debt,
    IncrementOwed,
    Intent,
    VoidOwed,
    owing,
    reached,
)
from gateway.payments.lifetimes import has_expired
from gateway.payments.outcomes import payment_error
from gateway.payments.partial_authorizations import whole_again
from gateway.payments.refunds import owe_refund_in
from gateway.payments.steps import Phase
from gateway.processor_port import (
    FIRST_CAPTURE,
    CaptureRequest,
    IncrementRequest,
    Processor,
    ProcessorAnswer,
    ReversalRequest,
)
from gateway.retrying import Driving
from gateway.store.charge_rows import resize_charge
from gateway.store.increment_rows import insert_refusal
from gateway.store.intent_rows import intent_and_attempt, load_attempt, load_intent, save_attempt, save_intent
from gateway.store.method_rows import suspend_consent
from gateway.store.refund_rows import lessen_refund
from gateway.store.review_rows import close_review
from gateway.store.writer import Store

declare(
    {
        "gateway.debt.owed": "a capture, void or refund is durable as owed, the processor is not told",
        "gateway.debt.told": "the processor has done it, the store still shows it as owed",
        "gateway.debt.paid": "the store shows it as done, its event waits in the outbox",
    }
)

_replace = msgspec.structs.replace


def owe_in(connection: Connection, intent: Intent, debt: Debt) -> tuple[Intent, Attempt]:
    """Commit an intent with what its attempt owes from now on: one whose payer is waited for, a void alone.

    Such a one has promised nobody money, and no longer counts to its day. A payment that is voided before it
    took anything leaves no consent.
    Raises `InvalidRequestError` for a capture after the authorization's end, found by a sweep or not yet.
    """
    attempt = load_attempt(connection, intent.id, intent.attempts)
    if attempt is None:
        raise ValueError(f"intent {intent.id} has no attempt that could owe anything")
    if isinstance(debt, CaptureOwed) and has_expired(attempt.expires_us, debt.since_us):
        raise InvalidRequestError("The authorization has expired.", code="charge_expired_for_capture")
    if attempt.phase == "awaiting_payer":
        give_back_in(connection, intent, attempt)
    if isinstance(debt, VoidOwed) and not intent.amount_received_minor:
        suspend_consent(connection, intent)
    attempt = owing(attempt, debt)
    save_attempt(connection, attempt)
    return save_intent(connection, intent), attempt


class Debts:
    """Captures and voids on their way."""

    def __init__(
        self,
        *,
        store: Store,
        entropy: Entropy,
        recorder: EventRecorder,
        relay: Relay,
        processor: Processor,
        driving: Driving,
    ) -> None:
        self._store = store
        self._entropy = entropy
        self._recorder = recorder
        self._relay = relay
        self._processor = processor
        self._driving = driving
        self._log = structlog.get_logger("gateway.debts")

    def drive(self, attempt: Attempt) -> None:
        """Pay what the attempt owes, if anything and if nobody is at it."""
        if attempt.phase in _OWING:
            self._driving.drive(_task(attempt), partial(self._try_to_pay, attempt))

    async def paid(self, attempt: Attempt, seconds_max: float) -> None:
        """Pay what the attempt owes, and return when it is paid or after so long."""
        self.drive(attempt)
        await self._driving.ended(_task(attempt), seconds_max)

    async def _try_to_pay(self, attempt: Attempt) -> bool:
        debt = attempt.debt
        if debt is None:
            raise ValueError(f"attempt {attempt.id} is {attempt.phase}, and it is not kept what it owes")
        try:
            crash_point("gateway.debt.owed")
            answer = await self._ask(attempt, debt)
            crash_point("gateway.debt.told")
            end = end_of(attempt, debt, answer)
            if end is None:
                # The attempt's end is being found out; or the two sides disagree, which an operator must see.
                self._log.error("debt not paid", attempt=attempt.id, owed=attempt.phase, answer=answer.status)
                return False
            if end == "capture_failed":
                self._log.error("capture refused", attempt=attempt.id)
            await self._store.write(
                lambda c: self._record_end_in(c, attempt, debt, answer, end), intent_and_attempt(attempt)
            )
        except (UnavailableError, ConflictError):
            return False
        crash_point("gateway.debt.paid")
        self._relay.nudge()
        return True

    async def _ask(self, attempt: Attempt, debt: Debt) -> ProcessorAnswer:
        at = moment(debt.since_us)
        operation = FIRST_CAPTURE if attempt.operations < 2 else str(attempt.operations)
        if isinstance(debt, CaptureOwed):
            capture = CaptureRequest(
                capture_id=operation, amount_minor=debt.amount_minor, final=debt.final, occurred_at=at
            )
            return await self._processor.capture(attempt.id, capture)
        if isinstance(debt, IncrementOwed):
            increment = IncrementRequest(
                increment_id=operation, amount_minor=debt.amount_minor, occurred_at=at
            )
            return await self._processor.increment(attempt.id, increment)
        return await self._processor.reverse(attempt.id, ReversalRequest(occurred_at=at))

    def _record_end_in(
        self, connection: Connection, attempt: Attempt, debt: Debt, answer: ProcessorAnswer, end: Phase
    ) -> None:
        stored = load_attempt(connection, attempt.payment_id, attempt.number)
        # It was told twice, as by a sweep that had read it before it ended: the first end stands.
        if stored is None or (stored.phase, stored.operations) != (attempt.phase, attempt.operations):
            return
        ended = reached(stored, end)
        intent = load_intent(connection, attempt.payment_id)
        if isinstance(debt, VoidOwed):
            intent = self._voided_in(connection, intent, ended, debt, answer)
        elif isinstance(debt, IncrementOwed):
            intent, ended = self._incremented_in(connection, intent, ended, debt, answer)
        else:
            intent = self._captured_in(connection, intent, ended, debt, answer)
        save_intent(connection, intent)
        save_attempt(connection, ended)

    def _voided_in(
        self,
        connection: Connection,
        intent: Intent,
        attempt: Attempt,
        debt: VoidOwed,
        answer: ProcessorAnswer,
    ) -> Intent:
        is_over = attempt.number != intent.attempts or intent.last_error is not None
        if is_over:
            # The attempt has failed, of which an event has told already.
            return intent
        if intent.amount_received_minor:
            return self._released_in(connection, intent, attempt, debt)
        if attempt.payer_until_us is not None and attempt.decision is not None and not attempt.approval_code:
            # Its payer was waited for, and only now can nobody change any more what came of that.
            told = without_withdrawn(attempt.decision, answer)
            intent = authenticated_in(connection, self._recorder, intent, attempt, told)
        reason = intent.cancellation_reason or "unspecified"
        header = self._recorder.header(intent, moment(debt.since_us))
        canceled = PaymentCanceled(**header, reason=reason, authorization_id=attempt.id)
        return self._recorder.record_step(connection, intent, canceled)

    def _released_in(
        self, connection: Connection, intent: Intent, attempt: Attempt, debt: VoidOwed
    ) -> Intent:
        """The intent after the rest of what was captured in part was given back."""
        rest_minor = intent.amount_minor - intent.amount_received_minor
        released = PaymentReleased(
            **self._recorder.header(intent, moment(debt.since_us), amount_minor=rest_minor),
            attempt=attempt.number,
            authorization_id=attempt.id,
            reason=intent.cancellation_reason or "unspecified",
        )
        return self._recorder.record_step(connection, intent, released)

    def _incremented_in(
        self,
        connection: Connection,
        intent: Intent,
        attempt: Attempt,
        debt: IncrementOwed,
        answer: ProcessorAnswer,
    ) -> tuple[Intent, Attempt]:
        attempt, at = _replace(attempt, debt=None), moment(debt.since_us)
        about: dict[str, Any] = {"attempt": attempt.number, "authorization_id": attempt.id}
        about["more_minor"] = debt.amount_minor
        if answer.operation != "accepted":
            give_back_in(connection, intent, attempt, debt.amount_minor)
            reason = answer.decline_code or "processing_error"
            declined = PaymentIncrementDeclined(**self._recorder.header(intent, at), **about, reason=reason)
            intent = self._recorder.record_step(connection, intent, declined)
            insert_refusal(connection, attempt.id, attempt.operations, reason)
            return intent, attempt
        intent = incremented(intent, debt.amount_minor)
        resize_charge(connection, intent)
        event = PaymentIncremented(**self._recorder.header(intent, at), **about)
        return self._recorder.record_step(connection, intent, event), attempt

    def _captured_in(
        self,
        connection: Connection,
        intent: Intent,
        attempt: Attempt,
        debt: CaptureOwed,
        answer: ProcessorAnswer,
    ) -> Intent:
        """The intent after the capture's end, with the event that tells of it."""
        header = self._recorder.header(intent, moment(debt.since_us), amount_minor=debt.amount_minor)
        if not was_refused(answer):
            captured = PaymentCaptured(**header, authorization_id=attempt.id)
            return self._recorder.record_step(connection, intent, captured)
        was_held = close_review(connection, intent.review_id, "canceled", debt.since_us)
        if intent.amount_received_minor > debt.amount_minor:
            lessen_refund(connection, intent.id, debt.amount_minor)
            intent = intents.later_capture_failed(intent, debt.amount_minor)
            if was_held:
                # Nobody can approve any more what was taken before the hold.
                intent = owe_refund_in(connection, self._entropy, intent, "unapproved_review", debt.since_us)
        else:
            suspend_consent(connection, intent)
            intent = intents.capture_failed(whole_again(intent, attempt), payment_error("processing_error"))
        failed = PaymentCaptureFailed(**header, attempt=attempt.number, authorization_id=attempt.id)
        return self._recorder.record_step(connection, intent, failed)


def _task(attempt: Attempt) -> str:
    return f"debt {attempt.id}"


_OWING: tuple[Phase, ...] = ("incrementing", "capturing", "voiding")
