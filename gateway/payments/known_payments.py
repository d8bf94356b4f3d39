"""Looking at payment intents: one, a page of them, and what a request did that was sent before."""

from dataclasses import dataclass

from sqlalchemy import Connection

from gateway.auth import Caller
from gateway.errors import RequestInProgressError
from gateway.payment_methods import ShownMethod
from gateway.payments.charges import Charge
from gateway.payments.intents import Intent
from gateway.personal import PersonalData
from gateway.receipts import email_digest
from gateway.requests import ListCharges, ListIntents, SearchIntents
from gateway.search_query import FIELDS, Query, parse_query
from gateway.store.charge_rows import list_charges, load_charge
from gateway.store.idempotency_rows import Claim
from gateway.store.intent_rows import list_intents, load_intent
from gateway.store.method_rows import PaymentMethod
from gateway.store.search_rows import search_intents
from gateway.store.writer import Store
from gateway.tokens import load_card, made_us


@dataclass(frozen=True, kw_only=True)
class KnownPayments:
    """What a merchant may see of its payment intents."""

    store: Store
    personal: PersonalData

    async def retrieve(self, caller: Caller, payment_id: str) -> Intent:
        """The caller's intent; raises `NotFoundError`."""
        return await self.store.read(lambda c: self.load_in(c, caller, payment_id))

    async def answer_of(self, caller: Caller, claim: Claim) -> Intent:
        """What a request did that claimed its key, as it stands now; raises `RequestInProgressError`."""
        intent = await self.retrieve(caller, claim.resource)
        if claim.attempt == intent.attempts and intent.status == "processing":
            raise RequestInProgressError()
        return intent

    async def search(self, caller: Caller, asked: SearchIntents) -> tuple[list[Intent], str | None]:
        """A page of what matches, newest first, and what the next page begins behind, None at the end."""
        query = self._with_digests(caller, parse_query(asked.query))
        return await self.store.read(
            lambda c: search_intents(
                c,
                query,
                merchant_id=caller.merchant_id,
                mode=caller.mode,
                limit=asked.limit,
                after=asked.page,
            )
        )

    def _with_digests(self, caller: Caller, query: Query) -> Query:
        """What is kept sealed is found by its keyed hash."""
        clauses = [
            clause._replace(value=email_digest(self.personal, caller, clause.value))
            if FIELDS.get(clause.field) == "exact" and isinstance(clause.value, str)
            else clause
            for clause in query.clauses
        ]
        return query._replace(clauses=tuple(clauses))

    async def charge(self, caller: Caller, the_id: str) -> Charge:
        """The caller's charge; raises `NotFoundError`."""
        return await self.store.read(
            lambda c: load_charge(c, the_id, merchant_id=caller.merchant_id, mode=caller.mode)
        )

    async def charges(self, caller: Caller, query: ListCharges) -> tuple[list[Charge], bool]:
        """A page of charges, newest first, and whether there is more."""
        return await self.store.read(
            lambda c: list_charges(c, merchant_id=caller.merchant_id, mode=caller.mode, query=query)
        )

    async def card(self, caller: Caller, token: str) -> ShownMethod:
        """A token's card in the shape of a payment method; raises `NotFoundError`."""
        return await self.store.read(lambda c: _card_in(c, caller, token))

    def load_in(self, connection: Connection, caller: Caller, payment_id: str) -> Intent:
        """The caller's intent; raises `NotFoundError`."""
        return load_intent(connection, payment_id, merchant_id=caller.merchant_id, mode=caller.mode)

    async def list(self, caller: Caller, query: ListIntents) -> tuple[list[Intent], bool]:
        """A page, newest first, and whether there is more."""
        return await self.store.read(
            lambda c: list_intents(c, merchant_id=caller.merchant_id, mode=caller.mode, query=query)
        )


def _card_in(connection: Connection, caller: Caller, token: str) -> ShownMethod:
    card = load_card(connection, token, merchant_id=caller.merchant_id, mode=caller.mode)
    method = PaymentMethod(
        id=token,
        merchant_id=caller.merchant_id,
        mode=caller.mode,
        type="card",
        created_us=made_us(connection, token),
        subject=token,
    )
    return ShownMethod(method, card.facts, {})
