"""The steps of an order at the rails, each within one transaction that the caller makes durable."""

import sqlite3
from datetime import datetime, timedelta

import msgspec

from events.moments import microseconds, moment
from gateway.processor import attempts, rail_rows
from gateway.processor.rail_declines import rail_advice, rail_decline, unanswered
from gateway.processor.rail_rows import RailOperation, RailOrder
from gateway.processor.rails_port import RailAnswer, RailQuestion
from gateway.processor_port import (
    AccountToCharge,
    ActionKind,
    AuthorizationRequest,
    CaptureRequest,
    OperationEnd,
    PayerAction,
    ProcessorAnswer,
    RefundRequest,
)

WHOLE = "whole"
"""The return of everything: the order is taken back. Any other return is a part."""
GRACE_SECONDS = 5
"""What a payer does in the last moment, the rails still say: the API waits a little longer than they do."""

_replace = msgspec.structs.replace


def begin(database: sqlite3.Connection, request: AuthorizationRequest, account: AccountToCharge) -> RailOrder:
    """The order as it is known, or begun: nothing may leave before this is durable."""
    known = rail_rows.find(database, request.attempt_id)
    if known is not None:
        return known
    order = RailOrder(
        attempt_id=request.attempt_id,
        method=account.method,
        merchant=request.merchant_name or request.merchant_id,
        amount_minor=request.amount_minor,
        currency=request.currency,
        is_collect=int(account.method == "upi" and bool(account.handle)),
        state="opening",
        occurred_us=microseconds(request.occurred_at),
    )
    return rail_rows.put(database, order)


def heard(database: sqlite3.Connection, attempt_id: str, told: RailAnswer) -> RailOrder | None:
    """The order after what the rails say of it; one that was reversed meanwhile stays so."""
    order = rail_rows.find(database, attempt_id)
    if order is None or order.state not in ("opening", "waiting"):
        return order
    if told.state == "paid":
        return rail_rows.put(database, _replace(order, state="approved", reference=told.reference))
    if told.state == "pending":
        seconds = told.seconds + GRACE_SECONDS
        expires_us = microseconds(moment(order.occurred_us) + timedelta(seconds=seconds))
        known = _replace(order, state="waiting", url=told.url, link=told.link, expires_us=expires_us)
        return rail_rows.put(database, known)
    code = rail_decline(told.reason).decline_code
    return rail_rows.put(database, _replace(order, state="declined", decline_code=code))


def capture(
    database: sqlite3.Connection, attempt_id: str, request: CaptureRequest
) -> tuple[RailOrder | None, OperationEnd]:
    """Keep so much of what has come; with the last capture the rest is owed back.

    Where more is asked for than is left, nothing is kept, and what is left is owed back.
    """
    order = rail_rows.find(database, attempt_id)
    if order is not None and rail_rows.find_operation(database, attempt_id, "capture", request.capture_id):
        return order, "accepted"
    if order is None or order.state != "approved":
        return order, "refused"
    captured_minor = order.captured_minor + request.amount_minor
    if not 0 < request.amount_minor <= order.amount_minor - order.captured_minor:
        return reverse(database, attempt_id), "refused"
    done = RailOperation(
        attempt_id=attempt_id,
        kind="capture",
        operation_id=request.capture_id,
        amount_minor=request.amount_minor,
        state="accepted",
    )
    rail_rows.put_operation(database, done)
    order = rail_rows.put(database, _replace(order, captured_minor=captured_minor))
    ends = request.final or captured_minor == order.amount_minor
    return (_release_rest(database, order) if ends else order), "accepted"


def reverse(database: sqlite3.Connection, attempt_id: str) -> RailOrder | None:
    """The order reversed for good, with what is owed back; None where the attempt is, or may be, a card's.

    One never heard of leaves a tombstone, by which nobody can be asked to pay any more. It speaks for the
    rails alone: a crash may have come before cards had theirs.
    """
    order = rail_rows.find(database, attempt_id)
    if order is not None and order.is_tombstone:
        return None
    if order is None:
        if attempts.find(database, attempt_id) is None:
            rail_rows.put(database, _tombstone(attempt_id))
        return None
    if order.state == "approved" and order.captured_minor:
        return _release_rest(database, order)
    if order.state in ("opening", "waiting", "approved"):
        late = unanswered(is_collect=bool(order.is_collect)).decline_code
        code = late if order.state == "waiting" else None
        _owe_back(database, order, WHOLE, order.amount_minor)
        return rail_rows.put(database, _replace(order, state="reversed", decline_code=code))
    return order


def begin_refund(
    database: sqlite3.Connection, attempt_id: str, request: RefundRequest
) -> tuple[RailOrder | None, RailOperation | None]:
    """The refund as it is known or begun; None where there is not so much to give back."""
    order = rail_rows.find(database, attempt_id)
    known = rail_rows.find_operation(database, attempt_id, "refund", request.refund_id)
    if order is None or known is not None:
        return order, known
    if not 0 < request.amount_minor <= order.captured_minor - order.refunded_minor:
        return order, None
    refund = RailOperation(
        attempt_id=attempt_id,
        kind="refund",
        operation_id=request.refund_id,
        amount_minor=request.amount_minor,
        state="waiting",
    )
    # Counted at once, so that two refunds side by side never give back more than there is.
    order = rail_rows.put(
        database, _replace(order, refunded_minor=order.refunded_minor + request.amount_minor)
    )
    return order, rail_rows.put_operation(database, refund)


def answered(database: sqlite3.Connection, operation: RailOperation, *, accepted: bool) -> RailOrder | None:
    """The order after the rails have answered what was owed; the first answer stands."""
    order = rail_rows.find(database, operation.attempt_id)
    known = rail_rows.find_operation(database, operation.attempt_id, operation.kind, operation.operation_id)
    if order is None or known is None or known.state != "waiting":
        return order
    rail_rows.put_operation(database, _replace(known, state="accepted" if accepted else "refused"))
    if known.kind == "refund" and not accepted:
        refunded_minor = order.refunded_minor - known.amount_minor
        return rail_rows.put(database, _replace(order, refunded_minor=refunded_minor))
    return order


def question(order: RailOrder) -> RailQuestion:
    """The order as the rails are told of it when it is taken back."""
    return RailQuestion(
        order_id=order.attempt_id,
        method=order.method,
        amount_minor=order.amount_minor,
        currency=order.currency,
        merchant=order.merchant,
    )


def answer(
    attempt_id: str, order: RailOrder | None, operation: OperationEnd | None = None
) -> ProcessorAnswer:
    """What the API is told."""
    if order is None or order.state == "opening":
        return ProcessorAnswer(attempt_id=attempt_id, status="unknown")
    has_come = order.state in ("approved", "captured")
    return ProcessorAnswer(
        attempt_id=attempt_id,
        status="action_required" if order.state == "waiting" else order.state,
        operation=operation,
        decline_code=order.decline_code,
        advice_code=rail_advice(order.decline_code),
        approval_code=order.reference,
        network_reference=order.reference,
        authorized_minor=order.amount_minor if has_come else 0,
        captured_minor=order.captured_minor,
        refunded_minor=order.refunded_minor,
        action=_action(order) if order.state == "waiting" else None,
    )


def _action(order: RailOrder) -> PayerAction:
    expires_at: datetime = moment(order.expires_us or order.occurred_us)
    kind: ActionKind = "redirect"
    if order.method == "upi":
        kind = "upi_collect" if order.is_collect else "upi_intent"
    return PayerAction(kind=kind, url=order.url or "", expires_at=expires_at, link=order.link)


def _release_rest(database: sqlite3.Connection, order: RailOrder) -> RailOrder:
    rest_minor = order.amount_minor - order.captured_minor
    if rest_minor:
        _owe_back(database, order, "rest", rest_minor)
    return rail_rows.put(database, _replace(order, state="captured"))


def _owe_back(database: sqlite3.Connection, order: RailOrder, name: str, amount_minor: int) -> None:
    owed = RailOperation(
        attempt_id=order.attempt_id,
        kind="return",
        operation_id=name,
        amount_minor=amount_minor,
        state="waiting",
    )
    rail_rows.put_operation(database, owed)


def _tombstone(attempt_id: str) -> RailOrder:
    return RailOrder(
        attempt_id=attempt_id,
        method="upi",
        merchant="",
        amount_minor=0,
        currency="",
        is_collect=0,
        state="reversed",
        occurred_us=0,
    )
