"""Payment methods and consents as rows. Functions take the connection that the store gives its works."""

from typing import Any, Literal

import msgspec
from sqlalchemy import Connection, bindparam, exists, insert, select, update

from events.vocabulary import Mode, PaymentMethodType
from gateway.errors import NotFoundError
from gateway.method_requests import ListPaymentMethods, Redisplay
from gateway.payments.intents import Intent
from gateway.processor_port import TestRisk
from gateway.store.method_tables import consents, payment_methods
from gateway.store.paging import read_page
from gateway.store.statements import Statement

Usage = Literal["on_session", "off_session"]

_METHOD = Statement(select(payment_methods).where(payment_methods.c.id == bindparam("the_id")))
_SAVE = update(payment_methods).where(payment_methods.c.id == bindparam("the_id"))


class PaymentMethod(msgspec.Struct, frozen=True, kw_only=True):
    """What pays, kept under an id of its own: a card by its `token`, an account by its sealed handle.

    `customer` may pay with it again; once `detached_us` is set, nobody may.
    """

    id: str
    merchant_id: str
    mode: Mode
    type: PaymentMethodType
    created_us: int
    subject: str
    token: str | None = None
    surrogate: str | None = None
    surrogate_digest: bytes | None = None
    provider: str | None = None
    last4: str | None = None
    test_risk: TestRisk | None = None
    sealed_handle: bytes | None = None
    customer: str | None = None
    allow_redisplay: Redisplay = "unspecified"
    metadata: dict[str, str] = {}
    detached_us: int | None = None


class Consent(msgspec.Struct, frozen=True, kw_only=True):
    """A payer's word, given with a payment, that a method may be used again: when, and to which text."""

    payment_method: str
    payment_id: str
    usage: Usage
    accepted_us: int
    text_version: str | None = None
    sealed_context: bytes | None = None
    effective_us: int | None = None
    revoked_us: int | None = None


def insert_method(connection: Connection, method: PaymentMethod) -> None:
    """Keep a new payment method."""
    connection.execute(insert(payment_methods), _row(method))


def save_method(connection: Connection, method: PaymentMethod) -> PaymentMethod:
    """Write a changed payment method."""
    connection.execute(_SAVE, {**_row(method), "the_id": method.id})
    return method


def load_method(connection: Connection, method_id: str, *, merchant_id: str, mode: Mode) -> PaymentMethod:
    """The payment method of this merchant and mode; raises `NotFoundError`."""
    row = _METHOD.one_or_none(connection, {"the_id": method_id})
    if row is None or (row.merchant_id, row.mode) != (merchant_id, mode):
        raise NotFoundError("There is no such payment method.", param="payment_method")
    return _method(row)


def surrogate_of_method(connection: Connection, name: str, mode: Mode) -> tuple[str | None, str | None]:
    """The token of a card's payment method, the surrogate of an account's, nothing of an unknown one."""
    row = _METHOD.one_or_none(connection, {"the_id": name})
    return (None, None) if row is None or row.mode != mode else (row.token, row.surrogate)


def list_methods(
    connection: Connection, *, merchant_id: str, mode: Mode, query: ListPaymentMethods
) -> tuple[list[PaymentMethod], bool]:
    """A page of a customer's, newest first, and whether there is more; raises `NotFoundError`."""

    def cursor_of(method_id: str) -> tuple[int, str]:
        cursor = load_method(connection, method_id, merchant_id=merchant_id, mode=mode)
        return cursor.created_us, cursor.id

    table = payment_methods.c
    own = select(payment_methods).where(
        table.merchant_id == merchant_id, table.mode == mode, table.customer == query.customer
    )
    if query.type is not None:
        own = own.where(table.type == query.type)
    if query.allow_redisplay is not None:
        own = own.where(table.allow_redisplay == query.allow_redisplay)
    rows, has_more = read_page(connection, own, (table.created_us, table.id), query, cursor_of)
    return [_method(row) for row in rows], has_more


def insert_consent(connection: Connection, consent: Consent) -> None:
    """Keep a consent; one that was given with the same payment before is replaced."""
    same = (consents.c.payment_method == consent.payment_method) & (
        consents.c.payment_id == consent.payment_id
    )
    connection.execute(consents.delete().where(same))
    connection.execute(insert(consents), msgspec.structs.asdict(consent))


def make_consent_effective(connection: Connection, intent: Intent, at_us: int) -> None:
    """The payment that a consent came with, if one did, went through: the method is the customer's now.

    Two customers' payments may have waited for their payers at once: the first one done keeps the method, and
    the other's consent says nothing about it.
    """
    if intent.setup_future_usage is None or intent.customer is None:
        return
    given = (consents.c.payment_method == intent.token) & (consents.c.payment_id == intent.id)
    table = payment_methods.c
    kept = update(payment_methods).where(
        table.id == intent.token,
        table.detached_us.is_(None),
        table.customer.is_(None) | (table.customer == intent.customer),
        exists().where(given),
    )
    if connection.execute(kept, {"customer": intent.customer}).rowcount:
        connection.execute(update(consents).where(given), {"effective_us": at_us})


def suspend_consent(connection: Connection, intent: Intent) -> None:
    """The payment of a consent is held, taken back or failed: until it goes through, that is none."""
    if intent.setup_future_usage is not None:
        connection.execute(update(consents).where(consents.c.payment_id == intent.id), {"effective_us": None})


def revoke_consents(connection: Connection, method_id: str, at_us: int) -> None:
    """Nobody may rely on what was consented to for this method any more."""
    standing = update(consents).where(consents.c.payment_method == method_id, consents.c.revoked_us.is_(None))
    connection.execute(standing, {"revoked_us": at_us})


def has_consent(connection: Connection, method_id: str, usage: Usage) -> bool:
    """Whether a consent to this use is in force."""
    query = select(consents.c.payment_id).where(
        consents.c.payment_method == method_id,
        consents.c.usage == usage,
        consents.c.effective_us.is_not(None),
        consents.c.revoked_us.is_(None),
    )
    return connection.execute(query).first() is not None


def _row(method: PaymentMethod) -> dict[str, Any]:
    row = msgspec.structs.asdict(method)
    row["metadata_json"] = msgspec.json.encode(row.pop("metadata")).decode()
    return row


def _method(row: Any) -> PaymentMethod:
    members = row._asdict()
    return PaymentMethod(metadata=msgspec.json.decode(members.pop("metadata_json")), **members)
