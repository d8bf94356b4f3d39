"""Charges as rows, read with the intents and attempts that they are told from."""

from typing import Any

import msgspec
from sqlalchemy import Connection, Row, bindparam, insert, select, update

from events.vocabulary import Mode
from gateway.errors import NotFoundError
from gateway.payments.charges import DISPUTES, Charge, KeptCharge, charge_id
from gateway.payments.intents import Attempt, Intent, PaymentError, PaymentOutcome
from gateway.requests import ListCharges
from gateway.store.charge_tables import charges
from gateway.store.intent_rows import load_attempt, load_intent
from gateway.store.paging import read_page
from gateway.store.statements import Statement
from gateway.store.tables import intents, labels

_encode = msgspec.json.encode

_INSERT = Statement(insert(charges))
_CHARGE = select(charges).where(charges.c.id == bindparam("the_id"))
_END = Statement(update(charges).where(charges.c.id == bindparam("the_id")), key={"the_id": "id"})


def begin_charge(connection: Connection, intent: Intent, attempt: Attempt) -> None:
    """Keep the charge of a new attempt."""
    kept = KeptCharge(
        id=charge_id(intent.id, attempt.number),
        payment_id=intent.id,
        number=attempt.number,
        merchant_id=intent.merchant_id,
        mode=intent.mode,
        amount_minor=intent.amount_minor,
        created_us=attempt.moment_us,
        payment_method=intent.token,
    )
    row = msgspec.structs.asdict(kept)
    row["outcome_json"], row["error_json"] = _text(row.pop("outcome")), _text(row.pop("error"))
    _INSERT.add(connection, row)


def leave_charge(connection: Connection, intent: Intent) -> None:
    """Keep what the intent says of its latest attempt, before another one takes over."""
    if intent.attempts:
        said = {"outcome_json": _text(intent.outcome), "error_json": _text(intent.last_error)}
        _END.add(connection, {**said, "the_id": charge_id(intent.id, intent.attempts)})


def resize_charge(connection: Connection, intent: Intent) -> None:
    """The latest charge is of the intent's amount, which has changed."""
    resized = {"the_id": charge_id(intent.id, intent.attempts), "amount_minor": intent.amount_minor}
    _END.add(connection, resized)


def load_charge(connection: Connection, the_id: str, *, merchant_id: str, mode: Mode) -> Charge:
    """The charge, of this merchant and mode; raises `NotFoundError`."""
    row = connection.execute(_CHARGE, {"the_id": the_id}).one_or_none()
    if row is None or (row.merchant_id, row.mode) != (merchant_id, mode):
        raise NotFoundError("There is no such charge.")
    return _charge(connection, _kept(row))


def list_charges(
    connection: Connection, *, merchant_id: str, mode: Mode, query: ListCharges
) -> tuple[list[Charge], bool]:
    """A page of them, newest first, and whether there is more; raises `NotFoundError`."""

    def cursor_of(the_id: str) -> tuple[int, str]:
        cursor = load_charge(connection, the_id, merchant_id=merchant_id, mode=mode).kept
        return cursor.created_us, cursor.id

    own = select(charges).where(charges.c.merchant_id == merchant_id, charges.c.mode == mode)
    if query.payment_intent is not None:
        own = own.where(charges.c.payment_id == query.payment_intent)
    if query.customer is not None:
        of_customer = (intents.c.id == charges.c.payment_id) & (intents.c.customer == query.customer)
        own = own.join(intents, of_customer)
    rows, has_more = read_page(connection, own, (charges.c.created_us, charges.c.id), query, cursor_of)
    return [_charge(connection, _kept(row)) for row in rows], has_more


def _charge(connection: Connection, kept: KeptCharge) -> Charge:
    attempt = load_attempt(connection, kept.payment_id, kept.number)
    if attempt is None:
        raise ValueError(f"charge {kept.id} has no attempt")
    disputes = select(labels.c.id).where(labels.c.payment_id == kept.payment_id, labels.c.kind.in_(DISPUTES))
    disputed = connection.execute(disputes).first() is not None
    return Charge(kept, load_intent(connection, kept.payment_id), attempt, disputed)


def _kept(row: Row[Any]) -> KeptCharge:
    members = dict(row._mapping)
    outcome, error = members.pop("outcome_json"), members.pop("error_json")
    return KeptCharge(
        **members,
        outcome=msgspec.json.decode(outcome, type=PaymentOutcome) if outcome else None,
        error=msgspec.json.decode(error, type=PaymentError) if error else None,
    )


def _text(value: PaymentOutcome | PaymentError | None) -> str | None:
    return None if value is None else _encode(value).decode()
