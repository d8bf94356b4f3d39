"""Money that is owed back: driven like every debt until the processor has an end for it, across restarts.

A refund is told once its capture is paid. One that the network refuses leaves its payment marked
(`refund_owed`), for a person to give the money back in another way.
"""

from dataclasses import dataclass
from functools import partial

import msgspec
import structlog
from sqlalchemy import Connection

from events.crash import crash_point
from events.ids import Entropy, resource_id
from events.moments import moment
from events.types import PaymentRefunded, PaymentRefundFailed
from events.vocabulary import RefundReason
from gateway.errors import ConflictError, UnavailableError
from gateway.event_recorder import EventRecorder
from gateway.outbox import Relay
from gateway.payments.intents import Attempt, Intent
from gateway.payments.refunding import Refund, RefundStatus, ended, ended_before_told
from gateway.processor_port import Processor, RefundRequest
from gateway.retrying import Driving
from gateway.store.intent_rows import load_attempt, load_intent, save_intent
from gateway.store.refund_rows import end_refund, insert_refund, load_refund, refund_owed_for, refunds_owed
from gateway.store.writer import Store

_replace = msgspec.structs.replace
_log = structlog.get_logger("gateway.refunds")


def owe_refund_in(
    connection: Connection, entropy: Entropy, intent: Intent, reason: RefundReason, at_us: int
) -> Intent:
    """Owe back all that was captured of the latest attempt: the intent, marked until that is done."""
    refund = Refund(
        id=resource_id("re", entropy),
        payment_id=intent.id,
        number=intent.attempts,
        amount_minor=intent.amount_received_minor,
        reason=reason,
        status="pending",
        since_us=at_us,
    )
    insert_refund(connection, refund)
    return _replace(intent, refund_owed=True)


@dataclass(frozen=True, kw_only=True)
class Refunds:
    """Refunds on their way."""

    store: Store
    recorder: EventRecorder
    relay: Relay
    processor: Processor
    driving: Driving

    async def drive_for(self, payment_id: str) -> None:
        """Pay the refund that the payment owes, if any."""
        refund = await self.store.read(lambda c: refund_owed_for(c, payment_id))
        if refund is not None:
            self._drive(refund)

    async def sweep(self) -> None:
        """Pay what nobody is at."""
        for refund in await self.store.read(refunds_owed):
            self._drive(refund)

    def _drive(self, refund: Refund) -> None:
        self.driving.drive(f"refund {refund.id}", partial(self._try_to_pay, refund))

    async def _try_to_pay(self, refund: Refund) -> bool:
        try:
            # Read anew each time: a capture that was refused meanwhile has left less to give back.
            refund, attempt = await self.store.read(lambda c: self._as_it_stands(c, refund))
            crash_point("gateway.debt.owed")
            end = ended_before_told(attempt.phase) or await self._told(refund, attempt)
            crash_point("gateway.debt.told")
            if end == "pending":
                return False
            await self.store.write(lambda c: self._record_end_in(c, refund, attempt, end))
        except (UnavailableError, ConflictError):
            return False
        crash_point("gateway.debt.paid")
        self.relay.nudge()
        return True

    def _as_it_stands(self, connection: Connection, refund: Refund) -> tuple[Refund, Attempt]:
        attempt = load_attempt(connection, refund.payment_id, refund.number)
        now = load_refund(connection, refund.id)
        if attempt is None or now is None:
            raise ValueError(f"refund {refund.id} has no attempt that was captured")
        return now, attempt

    async def _told(self, refund: Refund, attempt: Attempt) -> RefundStatus:
        request = RefundRequest(
            refund_id=refund.id, amount_minor=refund.amount_minor, occurred_at=moment(refund.since_us)
        )
        return ended(await self.processor.refund(attempt.id, request))

    def _record_end_in(
        self, connection: Connection, refund: Refund, attempt: Attempt, end: RefundStatus
    ) -> None:
        if not end_refund(connection, refund.id, end) or end == "canceled":
            return
        intent = load_intent(connection, refund.payment_id)
        kind = PaymentRefunded if end == "succeeded" else PaymentRefundFailed
        event = kind(
            **self.recorder.header(intent, moment(refund.since_us), amount_minor=refund.amount_minor),
            attempt=attempt.number,
            authorization_id=attempt.id,
            refund_id=refund.id,
            reason=refund.reason,
        )
        if end == "succeeded":
            refunded_minor = intent.amount_refunded_minor + refund.amount_minor
            intent = _replace(intent, amount_refunded_minor=refunded_minor, refund_owed=False)
        else:
            _log.error("refund refused", refund=refund.id)
        save_intent(connection, self.recorder.record_step(connection, intent, event))
