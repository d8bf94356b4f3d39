"""Payment methods: what pays, kept under an id, for one payment or for a customer's next ones."""

from dataclasses import dataclass

import msgspec
from sqlalchemy import Connection

from events.crash import crash_point, declare
from events.ids import Entropy, prefixed, resource_id
from events.instruments import CardFacts
from events.moments import microseconds
from gateway.auth import Caller
from gateway.errors import InvalidRequestError
from gateway.method_requests import AttachPaymentMethod, ListPaymentMethods, PaymentMethodData
from gateway.paying_accounts import PayingAccount, only_its_own, paying_account
from gateway.personal import PREFIXES, PersonalData
from gateway.shopper import subject_of
from gateway.store.idempotency_rows import claim_in
from gateway.store.method_rows import (
    PaymentMethod,
    insert_method,
    list_methods,
    load_method,
    revoke_consents,
    save_method,
)
from gateway.store.writer import Store
from gateway.tokens import load_card

declare({"gateway.payment_method.kept": "a payment method's change is durable, its caller has not heard"})

_replace = msgspec.structs.replace


class ShownMethod(msgspec.Struct, frozen=True):
    """A payment method as its merchant may see it: with its card, or its handle unless it is forgotten."""

    method: PaymentMethod
    card: CardFacts | None
    handle: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class PaymentMethods:
    """What a merchant may do with payment methods."""

    store: Store
    entropy: Entropy
    personal: PersonalData

    async def create(self, caller: Caller, body: PaymentMethodData) -> ShownMethod:
        """A new one; raises `InvalidRequestError`, and `NotFoundError` for an unknown token."""
        made = await self.store.write(lambda c: self._create_in(c, caller, body))
        crash_point("gateway.payment_method.kept")
        return made

    async def retrieve(self, caller: Caller, method_id: str) -> ShownMethod:
        """The caller's payment method; raises `NotFoundError`."""
        return await self.store.read(lambda c: self._shown(c, _load(c, caller, method_id)))

    async def attach(self, caller: Caller, method_id: str, body: AttachPaymentMethod) -> ShownMethod:
        """Keep it for a customer; again for the same one changes nothing. Raises `InvalidRequestError`."""
        kept = await self.store.write(lambda c: self._attach_in(c, caller, method_id, body.customer))
        crash_point("gateway.payment_method.kept")
        return kept

    async def detach(self, caller: Caller, method_id: str) -> ShownMethod:
        """Nobody pays with it any more, and what was consented to is over; again changes nothing."""
        kept = await self.store.write(lambda c: self._detach_in(c, caller, method_id))
        crash_point("gateway.payment_method.kept")
        return kept

    def _page_in(
        self, connection: Connection, caller: Caller, query: ListPaymentMethods
    ) -> tuple[list[ShownMethod], bool]:
        page, has_more = list_methods(
            connection, merchant_id=caller.merchant_id, mode=caller.mode, query=query
        )
        return [self._shown(connection, method) for method in page], has_more

    def _create_in(self, connection: Connection, caller: Caller, body: PaymentMethodData) -> ShownMethod:
        method = make_method_in(connection, self.personal, self.entropy, caller, body)
        claim_in(connection, caller.request_key, method.id)
        return self._shown(connection, method)

    def _attach_in(
        self, connection: Connection, caller: Caller, method_id: str, customer: str
    ) -> ShownMethod:
        method = _load(connection, caller, method_id)
        claim_in(connection, caller.request_key, method.id)
        if method.customer == customer:
            return self._shown(connection, method)
        if method.customer is not None or method.detached_us is not None:
            raise InvalidRequestError(
                "This payment method is, or was, kept for a customer: ask for another one.",
                code="payment_method_unexpected_state",
            )
        subject = subject_of(
            connection,
            self.personal,
            mode=caller.mode,
            merchant_id=caller.merchant_id,
            customer=customer,
            payment_id=method.id,
        )
        at_us = microseconds(caller.at)
        sealed = self.personal.handed_on(connection, method.sealed_handle, method.subject, subject, at_us)
        digests = [method.surrogate_digest] if method.surrogate_digest else []
        self.personal.link(connection, caller.mode, subject, {}, digests)
        after = _replace(method, customer=customer, subject=subject, sealed_handle=sealed)
        return self._shown(connection, save_method(connection, after))

    def _detach_in(self, connection: Connection, caller: Caller, method_id: str) -> ShownMethod:
        method = _load(connection, caller, method_id)
        claim_in(connection, caller.request_key, method.id)
        if method.detached_us is None:
            at_us = microseconds(caller.at)
            revoke_consents(connection, method.id, at_us)
            method = save_method(connection, _replace(method, customer=None, detached_us=at_us))
        return self._shown(connection, method)

    def _shown(self, connection: Connection, method: PaymentMethod) -> ShownMethod:
        card = None
        if method.token is not None:
            owner = {"merchant_id": method.merchant_id, "mode": method.mode}
            card = load_card(connection, method.token, **owner).facts  # type: ignore[arg-type]  # as kept
        handle = self.personal.unseal(connection, method.subject, method.sealed_handle)
        return ShownMethod(method, card, handle)

    async def list(self, caller: Caller, query: ListPaymentMethods) -> tuple[list[ShownMethod], bool]:
        """A page of a customer's, newest first, and whether there is more."""
        return await self.store.read(lambda c: self._page_in(c, caller, query))


def make_method_in(
    connection: Connection,
    personal: PersonalData,
    entropy: Entropy,
    caller: Caller,
    data: PaymentMethodData,
    within: str = "",
) -> PaymentMethod:
    """Keep a new payment method; raises `InvalidRequestError`, and `NotFoundError` for an unknown token."""
    only_its_own(data, within)
    method_id = resource_id("pm", entropy)
    method = PaymentMethod(
        id=method_id,
        merchant_id=caller.merchant_id,
        mode=caller.mode,
        type=data.type,
        created_us=microseconds(caller.at),
        subject=method_id,
        allow_redisplay=data.allow_redisplay,
        metadata=data.metadata,
    )
    if data.type == "card":
        method = _replace(method, token=_token_in(connection, caller, data, within))
    else:
        account = paying_account(data, caller.mode, within)
        method = _with_account(connection, personal, entropy, method, account)
    insert_method(connection, method)
    return method


def _token_in(connection: Connection, caller: Caller, data: PaymentMethodData, within: str) -> str:
    param = f"{within}[card]" if within else "card"
    if data.card is None:
        message = f"{param}: give the token that the processor's listener gave for the card."
        raise InvalidRequestError(message, code="parameter_missing", param=param)
    token, param = data.card.token, f"{param}[token]"
    load_card(connection, token, merchant_id=caller.merchant_id, mode=caller.mode, param=param)
    return token


def _with_account(
    connection: Connection,
    personal: PersonalData,
    entropy: Entropy,
    method: PaymentMethod,
    account: PayingAccount,
) -> PaymentMethod:
    kind = account.method
    if account.identity is None:
        # Only the payer's own page will know the account: what stands for it has no past and no future.
        surrogate, digest = prefixed(PREFIXES[kind], entropy(12)), None
    else:
        surrogate = personal.surrogates(connection, method.mode, {kind: account.identity})[kind]
        digest = personal.digest(method.mode, kind, account.identity)
    return _replace(
        method,
        surrogate=surrogate,
        surrogate_digest=digest,
        provider=account.provider,
        last4=account.last4,
        test_risk=account.test_risk,
        sealed_handle=personal.seal(connection, method.subject, account.handle, method.created_us),
    )


def _load(connection: Connection, caller: Caller, method_id: str) -> PaymentMethod:
    return load_method(connection, method_id, merchant_id=caller.merchant_id, mode=caller.mode)
