"""Changing a payment intent before it is confirmed, and what it says of itself at any time."""

from dataclasses import dataclass
from typing import Any, Literal

import msgspec
from sqlalchemy import Connection

from events.crash import crash_point, declare
from events.moments import microseconds
from events.types import PaymentUpdated
from gateway.auth import Caller
from gateway.errors import InvalidRequestError
from gateway.event_recorder import EventRecorder
from gateway.outbox import Relay
from gateway.payments import intents
from gateway.payments.admission import admit
from gateway.payments.choosing import Choosing, each_once, require_payable
from gateway.payments.intents import Intent
from gateway.payments.partial_authorizations import is_welcome
from gateway.payments.second_confirms import latest_waiting_in
from gateway.people.merchants import load_merchant
from gateway.personal import PersonalData
from gateway.receipts import sealed_email
from gateway.request_members import METADATA_MAX
from gateway.requests import UpdateIntent, known_currency
from gateway.shopper import subject_of
from gateway.store.idempotency_rows import claim_in
from gateway.store.intent_rows import load_intent, not_before_last_step, save_intent
from gateway.store.writer import Store

declare({"gateway.intent.updated": "a changed intent is durable, its caller has not heard"})

WORDS = ("description", "metadata", "receipt_email", "expand")
"""Members that say something and decide nothing: they may come in every status."""


@dataclass(frozen=True, kw_only=True)
class Updates:
    """Changes intents."""

    store: Store
    personal: PersonalData
    choosing: Choosing
    recorder: EventRecorder
    relay: Relay

    async def update(self, caller: Caller, payment_id: str, body: UpdateIntent) -> Intent:
        """The intent as changed; raises `UnexpectedStateError`, `InvalidRequestError`, `NotFoundError`."""
        currency = None if body.currency is None else known_currency(body.currency)
        intent = await self.store.write(lambda c: self._update_in(c, caller, payment_id, body, currency))
        crash_point("gateway.intent.updated")
        self.relay.nudge()
        return intent

    def _update_in(
        self,
        connection: Connection,
        caller: Caller,
        payment_id: str,
        body: UpdateIntent,
        currency: str | None,
    ) -> Intent:
        intent = load_intent(connection, payment_id, merchant_id=caller.merchant_id, mode=caller.mode)
        given = {name: value for name, value in msgspec.structs.asdict(body).items() if value is not None}
        if given.keys() - set(WORDS):
            intent = intents.stepped(intent, "update")
            if latest_waiting_in(connection, intent) is not None:
                raise InvalidRequestError(
                    "Its payer has approved this payment as it is: confirm or cancel it.",
                    code="payment_intent_unexpected_state",
                )
        chosen = self.choosing.at_update(connection, caller, body)
        if chosen is not None:
            intent = msgspec.structs.replace(intents.stepped(intent, "attach"), token=chosen)
        if body.customer is not None and body.customer != intent.customer:
            intent = self._of_customer_in(connection, intent, body.customer, microseconds(caller.at))
        if body.receipt_email is not None:
            receipt = sealed_email(connection, self.personal, caller, intent.subject, body.receipt_email)
            intent = msgspec.structs.replace(intent, **receipt)
        after = msgspec.structs.replace(intent, **_changes(intent, body, currency))
        if (after.amount_minor, after.currency) != (intent.amount_minor, intent.currency):
            admit(load_merchant(connection, caller.merchant_id), after)
        if given.keys() - set(WORDS):
            require_payable(connection, caller, after)
        claim_in(connection, caller.request_key, payment_id)
        changed = sorted(given.keys() - {"expand"})
        if changed:
            at = not_before_last_step(connection, after, caller.at)
            event = PaymentUpdated(**self.recorder.header(after, at), changed=changed)
            after = self.recorder.record_step(connection, after, event)
        return save_intent(connection, after)

    def _of_customer_in(self, connection: Connection, intent: Intent, customer: str, at_us: int) -> Intent:
        """What is sealed goes with the payment: to erase the customer is to forget it, too."""
        subject = subject_of(
            connection,
            self.personal,
            mode=intent.mode,
            merchant_id=intent.merchant_id,
            customer=customer,
            payment_id=intent.id,
        )

        def resealed(sealed: bytes | None) -> bytes | None:
            fields = self.personal.unseal(connection, intent.subject, sealed)
            return self.personal.seal(connection, subject, fields, at_us)

        return msgspec.structs.replace(
            intent,
            customer=customer,
            subject=subject,
            sealed_context=resealed(intent.sealed_context),
            sealed_receipt_email=resealed(intent.sealed_receipt_email),
        )


def _changes(intent: Intent, body: UpdateIntent, currency: str | None) -> dict[str, Any]:
    """Members of the intent that are given a new value."""
    given = {
        "amount_minor": body.amount,
        "currency": currency,
        "capture_method": body.capture_method,
        "payment_method_types": each_once(body.payment_method_types),
        "setup_future_usage": body.setup_future_usage,
        "statement_descriptor": body.statement_descriptor,
        "partial_authorization": is_welcome(body.payment_method_options, before=intent.partial_authorization),
        "metadata": None if body.metadata is None else _merged(intent.metadata, body.metadata),
    }
    changes: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    if body.description is not None:
        changes["description"] = body.description or None
    if body.capture_method == "manual":
        # Its capture is the merchant's own from now on, at no hour.
        changes["capture_delay_hours"] = None
    return changes


def _merged(before: dict[str, str], given: dict[str, str] | Literal[""]) -> dict[str, str]:
    """The metadata with what was given in its place; an empty text takes a name out, or all of them."""
    if given == "":
        return {}
    merged = {name: value for name, value in {**before, **given}.items() if value}
    if len(merged) > METADATA_MAX:
        raise InvalidRequestError(
            f"metadata: expected at most {METADATA_MAX} members in all.",
            code="parameter_invalid",
            param="metadata",
        )
    return merged
