"""The steps of captures, refunds and increments, each within one transaction that the caller makes durable.

One operation of an attempt at a time: a new one begins only once the acquirer has answered those before it,
so that both sides agree on what is left whatever was lost on the way.
"""

import sqlite3

import msgspec

from events.money import AMOUNT_MINOR_MAX
from gateway.processor import advice_rows, attempts, increments, messages, transitions
from gateway.processor.advice_rows import Advice, AdviceKey
from gateway.processor.attempts import Attempt
from gateway.processor.declines import UNPROCESSED, Decline
from gateway.processor.increments import Increment
from gateway.processor_port import CaptureRequest, IncrementRequest, RefundRequest


class BegunAdvice(msgspec.Struct, frozen=True):
    """An attempt with the advice of a capture or refund: to be sent, or as the acquirer answered it.

    Without an advice there is nothing to capture or refund; `unanswered` has to be answered before. A capture
    of more than is left has `released` what is left.
    """

    attempt: Attempt | None
    advice: Advice | None = None
    unanswered: tuple[AdviceKey, ...] = ()
    released: AdviceKey | None = None


class BegunIncrement(msgspec.Struct, frozen=True):
    """An attempt with its increment, to be sent where it is `sending`; the rest as in `BegunAdvice`."""

    attempt: Attempt | None
    increment: Increment | None = None
    unanswered: tuple[AdviceKey, ...] = ()


def begin_capture(database: sqlite3.Connection, attempt_id: str, request: CaptureRequest) -> BegunAdvice:
    """Begin a capture; one that was asked for before is found, with its own amount.

    One of more than is left can never succeed: it ends as one that the network refuses, and what is left is
    given back.
    """
    attempt, key = attempts.find(database, attempt_id), AdviceKey(attempt_id, "capture", request.capture_id)
    if advice_rows.find(database, key) is not None:
        return BegunAdvice(*transitions.count_transmission(database, key))
    if attempt is None or attempt.status != "approved":
        return BegunAdvice(attempt)
    if before := unanswered(database, attempt_id):
        return BegunAdvice(attempt, unanswered=before)
    left_minor = attempt.authorized_minor - attempt.captured_minor
    if not 0 < request.amount_minor <= left_minor:
        attempt, reversal = transitions.begin_reversal(database, attempt)
        return BegunAdvice(attempt, released=reversal.key)
    final = request.final or request.amount_minor == left_minor
    return BegunAdvice(attempt, _advice(database, key, request, final=final))


def begin_refund(database: sqlite3.Connection, attempt_id: str, request: RefundRequest) -> BegunAdvice:
    """Begin a refund of captured money that was not refunded before."""
    attempt, key = attempts.find(database, attempt_id), AdviceKey(attempt_id, "refund", request.refund_id)
    if advice_rows.find(database, key) is not None:
        return BegunAdvice(*transitions.count_transmission(database, key))
    if attempt is None or not attempt.captured_minor:
        # A first capture may be on its way: whether there is anything to refund is known after it.
        return BegunAdvice(attempt, unanswered=unanswered(database, attempt_id))
    if before := unanswered(database, attempt_id):
        return BegunAdvice(attempt, unanswered=before)
    if not 0 < request.amount_minor <= attempt.captured_minor - attempt.refunded_minor:
        return BegunAdvice(attempt)
    return BegunAdvice(attempt, _advice(database, key, request))


def begin_increment(
    database: sqlite3.Connection, attempt_id: str, request: IncrementRequest
) -> BegunIncrement:
    """Begin an increment; nothing may leave before this is durable."""
    attempt = attempts.find(database, attempt_id)
    known = increments.find(database, attempt_id, request.increment_id)
    if known is not None and known.status != "sending":
        return BegunIncrement(attempt, known)
    if attempt is None or attempt.status != "approved":
        return BegunIncrement(attempt)
    if before := unanswered(database, attempt_id):
        return BegunIncrement(attempt, unanswered=before)
    if not 0 < request.amount_minor <= AMOUNT_MINOR_MAX - attempt.authorized_minor:
        return BegunIncrement(attempt)
    increment = Increment(
        attempt_id=attempt_id,
        increment_id=request.increment_id,
        amount_minor=request.amount_minor,
        stan=attempts.next_stan(database, messages.STAN_MAX),
        transmitted_at=messages.transmitted_at(request.occurred_at),
    )
    increments.insert(database, increment)
    return BegunIncrement(attempt, increment)


def unanswered(database: sqlite3.Connection, attempt_id: str) -> tuple[AdviceKey, ...]:
    """The attempt's advices that the acquirer has not answered.

    Increments in doubt become reversals first: whoever asks has the attempt's turn, so none is under way.
    """
    for increment in increments.in_doubt(database, attempt_id):
        reverse_increment(database, increment)
    told = advice_rows.of_attempt(database, attempt_id)
    return tuple(advice.key for advice in told if advice.state == "waiting")


def approve_increment(database: sqlite3.Connection, increment: Increment) -> Attempt:
    """The attempt with what the issuer holds more."""
    increments.update(database, msgspec.structs.replace(increment, status="approved"))
    attempt = attempts.find(database, increment.attempt_id)
    if attempt is None:
        raise LookupError("an increment has no attempt")
    authorized_minor = attempt.authorized_minor + increment.amount_minor
    return attempts.update(database, msgspec.structs.replace(attempt, authorized_minor=authorized_minor))


def decline_increment(database: sqlite3.Connection, increment: Increment, why: Decline) -> Increment:
    """The issuer has declined, or was never asked."""
    declined = msgspec.structs.replace(
        increment, status="declined", decline_code=why.decline_code, advice_code=why.advice_code
    )
    increments.update(database, declined)
    return declined


def reverse_increment(
    database: sqlite3.Connection, increment: Increment, why: Decline = UNPROCESSED
) -> Increment:
    """An increment in doubt given back for good; the acquirer hears of it when its turn comes."""
    reversed_ = msgspec.structs.replace(
        increment, status="reversed", decline_code=why.decline_code, advice_code=why.advice_code
    )
    increments.update(database, reversed_)
    advice = Advice(
        attempt_id=increment.attempt_id,
        kind="reversal",
        operation_id=increment.increment_id,
        first_type="0420",
        amount_minor=increment.amount_minor,
        stan=attempts.next_stan(database, messages.STAN_MAX),
        transmitted_at=increment.transmitted_at,
        original_stan=increment.stan,
        original_transmitted_at=increment.transmitted_at,
        transmissions=0,
    )
    advice_rows.insert(database, advice)
    return reversed_


def _advice(
    database: sqlite3.Connection,
    key: AdviceKey,
    request: CaptureRequest | RefundRequest,
    *,
    final: bool = True,
) -> Advice:
    advice = Advice(
        attempt_id=key.attempt_id,
        kind=key.kind,
        operation_id=key.operation_id,
        first_type="0220",
        amount_minor=request.amount_minor,
        final=final,
        stan=attempts.next_stan(database, messages.STAN_MAX),
        transmitted_at=messages.transmitted_at(request.occurred_at),
        transmissions=1,
    )
    advice_rows.insert(database, advice)
    return advice
