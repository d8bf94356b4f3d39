"""Recording events: each gets id, time and number, and goes into the outbox of the commit it belongs to."""

from datetime import datetime
from typing import Literal, TypedDict

import msgspec
from sqlalchemy import Connection

from events.ids import Entropy, uuid7
from events.types import AuditRecorded, Event, PaymentEvent
from events.vocabulary import Mode
from gateway.outbox import enqueue
from gateway.payments.intents import Intent


class LifeCycleHeader(TypedDict):
    """The members that every event of a payment's life cycle has."""

    id: str
    occurred_at: datetime
    payment_id: str
    sequence: int
    mode: Mode
    merchant_id: str
    amount_minor: int
    currency: str


class EventRecorder:
    """Records what happened, in the caller's own commit."""

    def __init__(self, entropy: Entropy) -> None:
        self._entropy = entropy

    def event_id(self, at: datetime) -> str:
        """A new id of an event; ids sort by business time."""
        return uuid7(at, self._entropy(10))

    def header(self, intent: Intent, at: datetime, *, amount_minor: int | None = None) -> LifeCycleHeader:
        """The header of the intent's next life-cycle event; `amount_minor` is the intent's unless given."""
        return LifeCycleHeader(
            id=self.event_id(at),
            occurred_at=at,
            payment_id=intent.id,
            sequence=intent.sequence + 1,
            mode=intent.mode,
            merchant_id=intent.merchant_id,
            amount_minor=intent.amount_minor if amount_minor is None else amount_minor,
            currency=intent.currency,
        )

    def record(self, connection: Connection, topic: str, key: str, event: Event) -> None:
        """Any event on a topic; `key` decides its partition."""
        enqueue(connection, topic, key, event)

    def record_step(self, connection: Connection, intent: Intent, event: PaymentEvent) -> Intent:
        """A life-cycle event of an intent; gives the intent back with the event counted."""
        enqueue(connection, "payments", intent.id, event)
        return msgspec.structs.replace(intent, sequence=event.sequence)

    def audit(
        self,
        connection: Connection,
        at: datetime,
        *,
        actor: str,
        action: str,
        resource: str,
        outcome: Literal["succeeded", "refused", "failed"] = "succeeded",
        origin: str | None = None,
    ) -> None:
        """A privileged act, done or refused (topic `audit`)."""
        event = AuditRecorded(
            id=self.event_id(at),
            occurred_at=at,
            actor=actor,
            action=action,
            resource=resource,
            outcome=outcome,
            origin=origin,
        )
        enqueue(connection, "audit", actor, event)
