"""Sign-ins and failures, of shoppers at a merchant and of its own people: the only way in for them."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import msgspec
from sqlalchemy import Connection

from events.crash import crash_point, declare
from events.moments import microseconds
from events.types import SignInAttempted
from events.vocabulary import Mode
from gateway.auth import Caller
from gateway.business_time import FUTURE_MAX
from gateway.errors import InvalidRequestError
from gateway.event_recorder import EventRecorder
from gateway.geo import Geography
from gateway.outbox import Relay
from gateway.personal import PersonalData
from gateway.requests import AccountEvent, RiskContextInput
from gateway.shopper import known_shopper, risk_context, subject_of
from gateway.store.idempotency_rows import claim_in
from gateway.store.writer import Store

declare({"gateway.account_event.kept": "a sign-in is durable in the outbox, its caller has not heard"})

T = TypeVar("T")

_OWN_PEOPLE = "\0"
"""Before the id of a user, where customers' own ids stand: no text of a request holds a zero byte."""

PAST_MAX = timedelta(days=30)
"""How late a sign-in may be reported: the longest window that counts them."""


class SignIn(msgspec.Struct, frozen=True, kw_only=True):
    """A sign-in as the API answers it."""

    id: str
    type: str
    occurred_at: datetime


@dataclass(frozen=True, kw_only=True)
class AccountEvents:
    """Takes sign-ins in."""

    store: Store
    recorder: EventRecorder
    relay: Relay
    personal: PersonalData
    geography: Geography

    async def record(self, caller: Caller, body: AccountEvent) -> SignIn:
        """Raises `InvalidRequestError` for absurd times and for a sign-in of nobody from nowhere."""
        now = caller.at
        said = body.occurred_at or now
        if not now - PAST_MAX <= said <= now + FUTURE_MAX:
            raise InvalidRequestError(
                "occurred_at: it lies more than thirty days back, or more than five minutes ahead.",
                code="time_out_of_range",
                param="occurred_at",
            )
        if body.customer is None and body.ip is None and body.device_id is None:
            raise InvalidRequestError(
                "Give one of: customer, ip, device_id.", code="parameter_missing", param="customer"
            )
        # Only now: at the ends of the calendar another zone's time is none of UTC's.
        at = said.astimezone(UTC)

        def work(connection: Connection) -> str:
            event_id = self.record_in(
                connection, body, merchant_id=caller.merchant_id, mode=caller.mode, at=at
            )
            claim_in(connection, caller.request_key, event_id)
            return event_id

        return SignIn(id=await self.keep(work), type=body.type, occurred_at=at)

    async def keep(self, work: Callable[[Connection], T]) -> T:
        """Do work that records a sign-in, durably."""
        result = await self.store.write(work)
        crash_point("gateway.account_event.kept")
        self.relay.nudge()
        return result

    def record_in(
        self,
        connection: Connection,
        body: AccountEvent,
        *,
        merchant_id: str,
        mode: Mode,
        at: datetime,
        user_id: str | None = None,
    ) -> str:
        """The same within a commit: the event's id.

        `user_id` is one of the merchant's own people, counted as a customer of the merchant whom no request
        can name: so it is seen who is guessed at, from however many addresses.
        """
        event_id = self.recorder.event_id(at)
        given = RiskContextInput(
            ip=body.ip, device_id=body.device_id, email=body.email, user_agent=body.user_agent
        )
        shopper = known_shopper(
            given,
            merchant_id=merchant_id,
            customer=body.customer if user_id is None else f"{_OWN_PEOPLE}{user_id}",
            geography=self.geography,
            ip_param="ip",
        )
        subject = subject_of(
            connection,
            self.personal,
            mode=mode,
            merchant_id=merchant_id,
            customer=body.customer,
            payment_id=event_id,
        )
        context = risk_context(
            connection, self.personal, shopper, mode=mode, subject=subject, at_us=microseconds(at)
        )
        event = SignInAttempted(
            id=event_id,
            occurred_at=at,
            merchant_id=merchant_id,
            mode=mode,
            succeeded=body.type == "sign_in",
            customer=context.customer,
            device=context.device,
            ip=context.ip,
            ip_country=context.ip_country,
            subject=subject,
            sealed=context.sealed,
        )
        self.recorder.record(connection, "accounts", context.customer or merchant_id, event)
        return event_id
