"""Refunds as rows: money that is owed back to a payer, and what became of it."""

from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from gateway.payments.refunding import Refund, RefundStatus
from gateway.store.statements import Statement
from gateway.store.tables import refunds

_OWED = Statement(select(refunds).where(refunds.c.status == "pending").order_by(refunds.c.since_us))


def insert_refund(connection: Connection, refund: Refund) -> None:
    """Keep a new refund."""
    connection.execute(insert(refunds), refund._asdict())


def load_refund(connection: Connection, refund_id: str) -> Refund | None:
    """The refund as it stands, None where there is none of that id."""
    row = connection.execute(select(refunds).where(refunds.c.id == refund_id)).one_or_none()
    return None if row is None else _refund(row)


def refund_owed_for(connection: Connection, payment_id: str) -> Refund | None:
    """The payment's refund that has yet to be told, if there is one."""
    query = select(refunds).where(refunds.c.payment_id == payment_id, refunds.c.status == "pending")
    row = connection.execute(query).first()
    return None if row is None else _refund(row)


def refunds_owed(connection: Connection) -> list[Refund]:
    """All that have yet to be told, oldest first."""
    return [Refund(**row._asdict()) for row in _OWED.all(connection, {})]


def lessen_refund(connection: Connection, payment_id: str, by_minor: int) -> None:
    """Owe so much less of what the payment's refund, if any, has yet to give back: it was never captured."""
    owed = update(refunds).where(refunds.c.payment_id == payment_id, refunds.c.status == "pending")
    connection.execute(owed.values(amount_minor=refunds.c.amount_minor - by_minor))


def end_refund(connection: Connection, refund_id: str, status: RefundStatus) -> bool:
    """Whether it was owed until now: a second end changes nothing."""
    owed = update(refunds).where(refunds.c.id == refund_id, refunds.c.status == "pending")
    return connection.execute(owed, {"status": status}).rowcount == 1


def _refund(row: Row[Any]) -> Refund:
    return Refund(**row._mapping)
