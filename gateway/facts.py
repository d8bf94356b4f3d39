"""Making events: each gets its id, time and number, and goes into the outbox of the commit it belongs to."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal

import msgspec
from sqlalchemy import Connection

from events.ids import prefixed, uuid7
from events.types import AuditRecorded, Event, PaymentEvent
from gateway.outbox import enqueue
from gateway.payments.intents import Intent

Entropy = Callable[[int], bytes]


class Facts:
    """Writes down what happened, in the caller's own commit."""

    def __init__(self, entropy: Entropy) -> None:
        self._entropy = entropy

    def event_id(self, at: datetime) -> str:
        """A new id of an event; ids sort by business time."""
        return uuid7(at, self._entropy(10))

    def new_id(self, prefix: str) -> str:
        """A new id of a resource, such as `pi_…`."""
        return prefixed(prefix, self._entropy(16))

    def record(self, connection: Connection, topic: str, key: str, event: Event) -> None:
        """Any event on a topic; `key` decides its partition."""
        enqueue(connection, topic, key, event)

    def payment(
        self,
        connection: Connection,
        intent: Intent,
        at: datetime,
        event_type: type[PaymentEvent],
        **members: Any,
    ) -> Intent:
        """A life-cycle event of an intent; gives the intent back with its events counted on.

        `amount_minor` is the intent's unless given.
        """
        sequence = intent.sequence + 1
        event = event_type(
            id=self.event_id(at),
            occurred_at=at,
            payment_id=intent.id,
            sequence=sequence,
            mode=intent.mode,
            merchant_id=intent.merchant_id,
            currency=intent.currency,
            **{"amount_minor": intent.amount_minor, **members},
        )
        enqueue(connection, "payments", intent.id, event)
        return msgspec.structs.replace(intent, sequence=sequence)

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
