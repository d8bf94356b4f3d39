"""The steps of an attempt and its advices, each within one transaction that the caller makes durable."""

import sqlite3
from datetime import datetime

import msgspec

from gateway.errors import InvalidRequestError
from gateway.processor import advice_rows, attempts, messages, vault_rows
from gateway.processor.advice_rows import Advice, AdviceKind
from gateway.processor.attempts import Attempt
from gateway.processor.vault import SealedCard
from gateway.processor_port import AuthorizationRequest, CaptureRequest


class Begun(msgspec.Struct, frozen=True):
    """An attempt as it was found or begun, with the card to charge."""

    attempt: Attempt
    card: SealedCard | None
    known: bool


class Found(msgspec.Struct, frozen=True):
    """An attempt to reverse, as it was found.

    `buried`: it was never heard of, and is reversed before it begins. `capture_waits`: the acquirer was sent
    a capture and has not answered.
    """

    attempt: Attempt
    buried: bool = False
    capture_waits: bool = False


def begin(database: sqlite3.Connection, request: AuthorizationRequest) -> Begun:
    """Begin an attempt that was never heard of; nothing may leave before this is durable."""
    known = attempts.find(database, request.attempt_id)
    if known is not None:
        return Begun(known, None, True)
    stan = attempts.next_stan(database, messages.STAN_MAX)
    attempt = Attempt(
        attempt_id=request.attempt_id,
        token=request.token,
        merchant_id=request.merchant_id,
        merchant_category=request.merchant_category,
        amount_minor=request.amount_minor,
        currency=request.currency,
        stan=stan,
        reference=messages.retrieval_reference(request.occurred_at, stan),
        transmitted_at=messages.transmitted_at(request.occurred_at),
        status="sending",
    )
    attempts.insert(database, attempt)
    return Begun(attempt, vault_rows.find_card(database, request.token), False)


def begin_capture(
    database: sqlite3.Connection, attempt_id: str, request: CaptureRequest
) -> tuple[Attempt | None, Advice | None]:
    """The attempt, and the advice to send now where there is something to capture.

    One that waits already is sent once more, with its own amount.
    """
    attempt = attempts.find(database, attempt_id)
    if attempt is None or attempt.status != "approved":
        return attempt, None
    if advice_rows.find(database, attempt_id, "capture") is not None:
        return attempt, count_transmission(database, attempt_id, "capture")[1]
    if not 0 < request.amount_minor <= attempt.amount_minor:
        raise InvalidRequestError(
            "The amount to capture is more than what was authorized.",
            code="amount_too_large",
            param="amount_minor",
        )
    advice = Advice(
        attempt_id=attempt_id,
        kind="capture",
        first_type="0220",
        amount_minor=request.amount_minor,
        stan=attempts.next_stan(database, messages.STAN_MAX),
        transmitted_at=messages.transmitted_at(request.occurred_at),
        transmissions=1,
    )
    advice_rows.insert(database, advice)
    return attempt, advice


def begin_reversal(
    database: sqlite3.Connection, attempt: Attempt, moment: datetime | None = None
) -> tuple[Attempt, Advice]:
    """The attempt reversed for good, and what the acquirer must hear of it.

    With a `moment` someone waits, and a 0400 is sent at once; without, a 0420 is sent when its turn comes,
    under the time of the authorization.
    """
    after = attempts.update(database, msgspec.structs.replace(attempt, status="reversed"))
    advice = Advice(
        attempt_id=attempt.attempt_id,
        kind="reversal",
        first_type="0420" if moment is None else "0400",
        amount_minor=attempt.amount_minor,
        stan=attempts.next_stan(database, messages.STAN_MAX),
        transmitted_at=attempt.transmitted_at if moment is None else messages.transmitted_at(moment),
        transmissions=0 if moment is None else 1,
    )
    advice_rows.insert(database, advice)
    return after, advice


def find_or_bury(database: sqlite3.Connection, attempt_id: str) -> Found:
    """The attempt; one never heard of leaves a tombstone, by which it can no more be authorized."""
    known = attempts.find(database, attempt_id)
    if known is None:
        return Found(_bury(database, attempt_id), buried=True)
    capture = advice_rows.find(database, attempt_id, "capture")
    sent = known.status == "approved" and capture is not None and capture.state == "waiting"
    return Found(known, capture_waits=sent)


def count_transmission(
    database: sqlite3.Connection, attempt_id: str, kind: AdviceKind
) -> tuple[Attempt, Advice]:
    """The advice as it is sent now, one more time if it still waits."""
    attempt = attempts.find(database, attempt_id)
    advice = advice_rows.find(database, attempt_id, kind)
    if attempt is None or advice is None:
        raise LookupError("there is no such advice")
    if advice.state == "waiting":
        advice = msgspec.structs.replace(advice, transmissions=advice.transmissions + 1)
        advice_rows.update(database, advice)
    return attempt, advice


def record_answer(database: sqlite3.Connection, attempt: Attempt, advice: Advice) -> None:
    """The acquirer's answer to an advice; a refused capture leaves an authorization that is given back."""
    advice_rows.update(database, advice)
    if advice.kind == "reversal":
        return
    if advice.state == "accepted":
        captured = msgspec.structs.replace(attempt, status="captured", captured_minor=advice.amount_minor)
        attempts.update(database, captured)
    else:
        begin_reversal(database, attempt)


def _bury(database: sqlite3.Connection, attempt_id: str) -> Attempt:
    tombstone = Attempt(
        attempt_id=attempt_id,
        token="",
        merchant_id="",
        merchant_category=None,
        amount_minor=0,
        currency="",
        stan=0,
        reference="",
        transmitted_at="",
        status="reversed",
    )
    attempts.insert(database, tombstone)
    return tombstone
