"""The payment service: create, confirm, capture and cancel payment intents.

Four syncs lie on the path of a confirm: the intent with its outgoing events (here), the processor's attempt
before the authorization leaves and its outcome before it is said (there), and the final state before the
answer (`gateway.payments.attempt_ends`).
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection

from events.crash import crash_point, declare
from events.ids import Entropy, resource_id
from events.instruments import CardFacts, Instrument
from events.moments import microseconds
from events.types import PaymentCreated
from gateway.auth import Caller
from gateway.errors import InvalidRequestError, SecretKeyRequiredError
from gateway.geo import Geography
from gateway.payments import intents
from gateway.payments.admission import admit, admit_in
from gateway.payments.asking import ask_for_decision_in
from gateway.payments.choosing import Choosing, Chosen, each_once
from gateway.payments.flights import Flights
from gateway.payments.intents import Attempt, Intent
from gateway.payments.lifetimes import Lifetimes
from gateway.payments.partial_authorizations import asked_minor, is_welcome
from gateway.payments.payer_steps import PayerSteps
from gateway.payments.second_confirms import begun_before_in
from gateway.payments.taking import Taking
from gateway.people.merchants import Merchant, load_merchant, merchant_wanted
from gateway.receipts import sealed_email
from gateway.requests import ConfirmIntent, CreateIntent, known_currency
from gateway.shopper import Shopper, known_shopper, restored, risk_context, sealed_fields, subject_of
from gateway.store.by_key import Wanted
from gateway.store.charge_rows import begin_charge, leave_charge
from gateway.store.idempotency_rows import claim_in, claim_wanted
from gateway.store.intent_rows import (
    insert_attempt,
    insert_intent,
    intent_wanted,
    not_before_last_step,
    save_intent,
)
from gateway.tokens import token_wanted

declare(
    {
        "gateway.intent.created": "a new intent is durable, its caller has not heard of it",
        "gateway.intent.confirmed": "the attempt and its request for a decision are durable, nothing is sent",
    }
)

ATTEMPTS_MAX = 20
"""Confirms of one intent: more than a shopper with several cards needs, few for a thief with a list."""

ANSWER_SECONDS_MAX = 20.0
"""How long a confirm waits for its end; then it answers `processing`, and the flight goes on by itself."""

_replace = msgspec.structs.replace


class BegunBefore(NamedTuple):
    """A confirm goes on with this attempt."""

    intent: Intent
    attempt: Attempt


@dataclass(frozen=True, kw_only=True)
class Payments(Taking):
    """What a merchant may do with payment intents."""

    entropy: Entropy
    geography: Geography
    choosing: Choosing
    flights: Flights
    lifetimes: Lifetimes
    payer_steps: PayerSteps
    instance: str

    async def create(self, caller: Caller, body: CreateIntent) -> Intent:
        """A new intent; raises `InvalidRequestError`, and `NotFoundError` for an unknown payment method."""
        currency = known_currency(body.currency)
        if body.capture_delay_hours is not None and body.capture_method == "manual":
            raise InvalidRequestError(
                "capture_delay_hours: it puts an automatic capture off.",
                code="parameter_invalid",
                param="capture_delay_hours",
            )
        wanted = self._wanted(caller, body)
        if body.risk_context:
            # What it says is read at the confirm; here an absurd context is refused, to the one who gave it.
            shopper = known_shopper(
                body.risk_context, merchant_id=caller.merchant_id, customer=None, geography=self.geography
            )
            wanted += self.personal.wanted(caller.mode, shopper.entities) if body.confirm else []
        if body.confirm:
            begun = await self.store.write(
                lambda c: self._create_confirmed_in(c, caller, body, currency), wanted
            )
            return await self._answer(*begun)
        intent = await self.store.write(lambda c: self._create_in(c, caller, body, currency), wanted)
        crash_point("gateway.intent.created")
        self.relay.nudge()
        return intent

    async def confirm(self, caller: Caller, payment_id: str, body: ConfirmIntent) -> Intent:
        """The intent after its attempt; `processing` where the network has not answered yet."""
        wanted = [intent_wanted(payment_id), *self._wanted(caller, body)]
        begun = await self.store.write(lambda c: self._begin_or_go_on_in(c, caller, payment_id, body), wanted)
        if isinstance(begun, BegunBefore):
            return await self.payer_steps.confirm(caller, *begun)
        return await self._answer(*begun)

    async def _answer(self, intent: Intent, attempt: Attempt, merchant: Merchant) -> Intent:
        crash_point("gateway.intent.confirmed")
        self.relay.nudge()
        flight = self.flights.start(intent, attempt, merchant)
        # Neither the time-out nor a caller that leaves cancels the flight: the network may have been asked.
        await asyncio.wait({flight.answer}, timeout=ANSWER_SECONDS_MAX)
        # A flight that broke off has no answer; recovery starts the attempt's next.
        if flight.answer.done() and not flight.answer.cancelled():
            return flight.answer.result()
        return intent

    def _create_in(self, connection: Connection, caller: Caller, body: CreateIntent, currency: str) -> Intent:
        payment_id = resource_id("pi", self.entropy)
        chosen = self.choosing.at_creation(connection, caller, body, currency)
        subject = subject_of(
            connection,
            self.personal,
            mode=caller.mode,
            merchant_id=caller.merchant_id,
            customer=body.customer,
            payment_id=payment_id,
        )
        fields = sealed_fields(body.risk_context) if body.risk_context else {}
        receipt = self._receipt_in(connection, caller, subject, body.receipt_email)
        # Of a receipt's address the subject has a key already.
        is_new = subject == payment_id and not receipt
        intent = Intent(
            id=payment_id,
            merchant_id=caller.merchant_id,
            mode=caller.mode,
            status="requires_confirmation" if chosen else "requires_payment_method",
            amount_minor=body.amount,
            currency=currency,
            capture_method=body.capture_method,
            created_us=microseconds(caller.at),
            subject=subject,
            token=chosen,
            payment_method_types=each_once(body.payment_method_types),
            setup_future_usage=body.setup_future_usage,
            partial_authorization=is_welcome(body.payment_method_options),
            customer=body.customer,
            confirmation_method=body.confirmation_method,
            description=body.description or None,
            statement_descriptor=body.statement_descriptor,
            capture_delay_hours=body.capture_delay_hours,
            metadata=body.metadata,
            sealed_context=self.personal.seal(
                connection, subject, fields, microseconds(caller.at), is_new=is_new
            ),
            **receipt,
        )
        admit(load_merchant(connection, caller.merchant_id), intent)
        event = PaymentCreated(**self.recorder.header(intent, caller.at))
        intent = self.recorder.record_step(connection, intent, event)
        if not body.confirm:
            insert_intent(connection, intent)
            claim_in(connection, caller.request_key, intent.id)
        return intent

    def _create_confirmed_in(
        self, connection: Connection, caller: Caller, body: CreateIntent, currency: str
    ) -> tuple[Intent, Attempt, Merchant]:
        intent = self._create_in(connection, caller, body, currency)
        given = ConfirmIntent(
            return_url=body.return_url, off_session=body.off_session, mandate_data=body.mandate_data
        )
        return self._confirm_in(connection, caller, intent, given, insert_intent)

    def _begin_or_go_on_in(
        self, connection: Connection, caller: Caller, payment_id: str, body: ConfirmIntent
    ) -> "tuple[Intent, Attempt, Merchant] | BegunBefore":
        intent = self.load_in(connection, caller, payment_id)
        _require_own_server(caller, intent)
        before = begun_before_in(connection, caller, intent, body)
        if before is not None:
            return BegunBefore(intent, before)
        return self._confirm_in(connection, caller, intent, body, save_intent)

    def _confirm_in(
        self,
        connection: Connection,
        caller: Caller,
        intent: Intent,
        body: ConfirmIntent,
        keep: Callable[[Connection, Intent], Intent],
    ) -> tuple[Intent, Attempt, Merchant]:
        leave_charge(connection, intent)
        at = not_before_last_step(connection, intent, caller.at)
        merchant = load_merchant(connection, intent.merchant_id)
        confirmed = intents.confirmed(intent)
        if confirmed.attempts > ATTEMPTS_MAX:
            raise InvalidRequestError(
                f"This payment intent was confirmed {ATTEMPTS_MAX} times. Create another one.",
                code="confirm_limit_reached",
            )
        chosen = self.choosing.at_confirm(connection, caller, intent, body, merchant, at)
        usage = body.setup_future_usage or intent.setup_future_usage
        return_url = body.return_url or intent.return_url
        receipt = self._receipt_in(connection, caller, intent.subject, body.receipt_email)
        in_part = is_welcome(body.payment_method_options, before=intent.partial_authorization)
        changed = {"token": chosen.id, "setup_future_usage": usage, "return_url": return_url, **receipt}
        intent = _replace(confirmed, partial_authorization=in_part, **changed)
        attempt = self._attempt_in(connection, intent, body, chosen, merchant, at)
        insert_attempt(connection, attempt)
        begin_charge(connection, intent, attempt)
        claim_in(connection, caller.request_key, intent.id, attempt=attempt.number)
        intent = ask_for_decision_in(connection, self.recorder, intent, attempt, merchant, at, caller.trace)
        return keep(connection, intent), attempt, merchant

    def _attempt_in(
        self,
        connection: Connection,
        intent: Intent,
        body: ConfirmIntent,
        chosen: Chosen,
        merchant: Merchant,
        at: datetime,
    ) -> Attempt:
        context = risk_context(
            connection,
            self.personal,
            self._shopper(connection, intent, body),
            mode=intent.mode,
            subject=intent.subject,
            at_us=microseconds(at),
            sealed=None if body.risk_context else intent.sealed_context,
            linked=(chosen.digest,) if chosen.digest else (),
        )
        instrument = self._with_country(chosen.instrument)
        return Attempt(
            id=f"{intent.id}_{intent.attempts}",
            payment_id=intent.id,
            number=intent.attempts,
            phase="assessing",
            moment_us=microseconds(at),
            instrument=instrument,
            context=context,
            test_risk=chosen.test_risk,
            off_session=body.off_session,
            expires_us=self.lifetimes.expires_us(
                instrument.brand if isinstance(instrument, CardFacts) else None,
                microseconds(at),
                off_session=body.off_session,
            ),
            counted_day=admit_in(connection, merchant, intent, instrument, at),
            asked_minor=asked_minor(intent, instrument),
            owner=self.instance,
        )

    def _wanted(self, caller: Caller, body: CreateIntent | ConfirmIntent) -> list[Wanted]:
        """What a create or confirm looks at, as far as the request says so."""
        wanted = [merchant_wanted(caller.merchant_id), *claim_wanted(caller.request_key)]
        if body.payment_method is not None and not body.payment_method.startswith("pm_"):
            wanted.append(token_wanted(body.payment_method))
        return wanted

    def _receipt_in(
        self, connection: Connection, caller: Caller, subject: str, email: str | None
    ) -> dict[str, Any]:
        return {} if email is None else sealed_email(connection, self.personal, caller, subject, email)

    def _shopper(self, connection: Connection, intent: Intent, body: ConfirmIntent) -> Shopper:
        given = body.risk_context
        if given is None:
            given = restored(self.personal.unseal(connection, intent.subject, intent.sealed_context))
        return known_shopper(
            given, merchant_id=intent.merchant_id, customer=intent.customer, geography=self.geography
        )

    def _with_country(self, paying: Instrument) -> Instrument:
        if not isinstance(paying, CardFacts) or paying.issuer_country is not None:
            return paying
        return _replace(paying, issuer_country=self.geography.card_country(paying.bin))


def _require_own_server(caller: Caller, intent: Intent) -> None:
    """Raises `SecretKeyRequiredError` where a browser would confirm what the merchant alone does."""
    if caller.publishable and intent.confirmation_method == "manual":
        raise SecretKeyRequiredError("This payment intent is confirmed by the merchant's server alone.")
