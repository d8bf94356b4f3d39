"""Labels: what payments turned out to be, as merchants and analysts report it. The only way in for them."""

from dataclasses import dataclass
from datetime import datetime

import msgspec
from sqlalchemy import Connection, insert, select

from events.crash import crash_point, declare
from events.ids import Entropy, resource_id
from events.moments import microseconds, moment
from events.types import LabelReported
from events.vocabulary import LabelKind
from gateway.auth import Caller
from gateway.business_time import FUTURE_MAX
from gateway.errors import InvalidRequestError
from gateway.event_recorder import EventRecorder
from gateway.outbox import Relay
from gateway.requests import ReportLabel
from gateway.store.idempotency_rows import claim_in
from gateway.store.intent_rows import load_intent
from gateway.store.tables import labels
from gateway.store.writer import Store

declare({"gateway.label.kept": "a label is durable, it is not on the log and its caller has not heard"})

FRAUD_BY_KIND: dict[str, bool | None] = {
    "fraud_dispute": True,
    "early_fraud_warning": True,
    "confirmed_genuine": False,
    "other_dispute": None,
}
"""What a kind says by itself; a verdict (`analyst_verdict`) says it in `fraud`."""


class Label(msgspec.Struct, frozen=True, kw_only=True):
    """A label as kept. `ordinal` counts the labels of one payment, kind and source."""

    id: str
    payment_id: str
    kind: LabelKind
    source: str
    fraud: bool | None
    reported_us: int
    ordinal: int


@dataclass(frozen=True, kw_only=True)
class Labels:
    """Keeps labels, and puts them on the log for those who learn."""

    store: Store
    entropy: Entropy
    recorder: EventRecorder
    relay: Relay

    async def report(self, caller: Caller, body: ReportLabel) -> Label:
        """Keep a label. The same again gives the same answer and no second event.

        The same is: payment, kind, source and verdict as the latest of them, with its `reported_at` or none.
        Raises `InvalidRequestError` for a verdict that contradicts its kind, for absurd times and for a
        payment that was never confirmed, and `NotFoundError` for one that is not this merchant's.
        """
        fraud = _verdict_of(body)
        label = await self.store.write(lambda c: self._report_in(c, caller, body, fraud))
        crash_point("gateway.label.kept")
        self.relay.nudge()
        return label

    def _report_in(
        self, connection: Connection, caller: Caller, body: ReportLabel, fraud: bool | None
    ) -> Label:
        intent = load_intent(
            connection, body.payment_intent, merchant_id=caller.merchant_id, mode=caller.mode
        )
        if not intent.attempts:
            raise InvalidRequestError(
                "This payment was never confirmed: there is nothing to say of it yet.",
                code="payment_never_confirmed",
                param="payment_intent",
            )
        claim_in(connection, caller.request_key, intent.id)
        reported_us = _reported_us(body.reported_at, caller.at, intent.created_us)
        latest = _latest(connection, body)
        again = body.reported_at is None or (latest is not None and latest.reported_us == reported_us)
        if latest is not None and latest.fraud == fraud and again:
            return latest
        label = Label(
            id=resource_id("lbl", self.entropy),
            payment_id=intent.id,
            kind=body.kind,
            source=body.source,
            fraud=fraud,
            reported_us=reported_us,
            ordinal=latest.ordinal + 1 if latest else 1,
        )
        connection.execute(insert(labels), msgspec.structs.asdict(label))
        at = moment(reported_us)
        event = LabelReported(
            id=self.recorder.event_id(at),
            occurred_at=at,
            payment_id=intent.id,
            kind=label.kind,
            source=label.source,
            fraud=fraud,
            mode=intent.mode,
        )
        self.recorder.record(connection, "labels", intent.id, event)
        return label


def _verdict_of(body: ReportLabel) -> bool | None:
    """Whether the label says fraud, genuine, or nothing of it; raises `InvalidRequestError`."""
    if body.kind == "analyst_verdict":
        if body.fraud is None:
            raise InvalidRequestError(
                "A verdict says in fraud whether it was one.", code="parameter_missing", param="fraud"
            )
        return body.fraud
    says = FRAUD_BY_KIND[body.kind]
    if body.fraud is not None and body.fraud != says:
        raise InvalidRequestError(
            "fraud: it contradicts the label's kind. Leave it out.", code="label_contradictory", param="fraud"
        )
    return says


def _reported_us(reported_at: datetime | None, now: datetime, created_us: int) -> int:
    at = now if reported_at is None else reported_at
    if at > now + FUTURE_MAX:
        raise InvalidRequestError(
            "reported_at: it lies more than five minutes ahead.", code="time_in_future", param="reported_at"
        )
    if microseconds(at) < created_us:
        raise InvalidRequestError(
            "reported_at: a report cannot be older than its payment.",
            code="time_before_payment",
            param="reported_at",
        )
    return microseconds(at)


def _latest(connection: Connection, body: ReportLabel) -> Label | None:
    query = (
        select(labels)
        .where(
            labels.c.payment_id == body.payment_intent,
            labels.c.kind == body.kind,
            labels.c.source == body.source,
        )
        .order_by(labels.c.ordinal.desc())
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    return Label(**row._mapping) if row else None
