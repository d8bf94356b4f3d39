"""A refund, and how it ends: pure."""

from typing import Literal, NamedTuple

from events.vocabulary import RefundReason
from gateway.payments.steps import Phase
from gateway.processor_port import ProcessorAnswer

RefundStatus = Literal["pending", "succeeded", "failed", "canceled"]
"""`pending`: owed, and driven until the processor has an end for it; `canceled`: nothing was captured."""


class Refund(NamedTuple):
    """Captured money that is owed back; `since_us` is the business time from which on it is."""

    id: str
    payment_id: str
    number: int
    amount_minor: int
    reason: RefundReason
    status: RefundStatus
    since_us: int


def ended_before_told(phase: Phase) -> RefundStatus | None:
    """How a refund stands by its attempt alone: `pending` while the capture is, None where it is to be told.

    Of an authorization whose rest is voided, or about to be, a part was captured.

    >>> ended_before_told("capturing"), ended_before_told("captured"), ended_before_told("capture_failed")
    ('pending', None, 'canceled')
    """
    if phase in ("captured", "voided"):
        return None
    return "pending" if phase in ("capturing", "voiding") else "canceled"


def ended(answer: ProcessorAnswer) -> RefundStatus:
    """How it stands by the processor's answer; `pending` where that does not say yet."""
    if answer.operation is None:
        return "pending"
    return "succeeded" if answer.operation == "accepted" else "failed"
