"""The steps of an authorization and of advices, each within one transaction that the caller makes durable."""

import sqlite3
from datetime import datetime

import msgspec

from gateway.processor import advice_rows, attempts, messages, vault_rows
from gateway.processor.advice_rows import Advice, AdviceKey
from gateway.processor.attempts import Attempt
from gateway.processor.declines import PROOF_WANTED, UNPROCESSED, Decline
from gateway.processor.directory import Proof
from gateway.processor.vault import SealedCard
from gateway.processor_port import AuthorizationRequest


class Begun(msgspec.Struct, frozen=True):
    """An attempt as it was found or begun, with the card to charge."""

    attempt: Attempt
    card: SealedCard | None
    known: bool


class Found(msgspec.Struct, frozen=True):
    """An attempt to reverse, as it was found.

    `buried`: it was never heard of, and is reversed before it begins.
    """

    attempt: Attempt
    buried: bool = False


def begin(database: sqlite3.Connection, request: AuthorizationRequest, proof: Proof | None = None) -> Begun:
    """Begin an attempt that was never heard of; nothing may leave before this is durable.

    One that its issuer has declined for want of a proof begins once more with it, as another message.
    """
    known = attempts.find(database, request.attempt_id)
    again = known is not None and proof is not None and lacks_proof(known)
    if known is not None and not again:
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
        reference=known.reference if known else messages.retrieval_reference(request.occurred_at, stan),
        transmitted_at=messages.transmitted_at(request.occurred_at),
        status="sending",
        eci=None if proof is None else proof.eci,
    )
    (attempts.update if again else attempts.insert)(database, attempt)
    return Begun(attempt, vault_rows.find_card(database, request.token), False)


def lacks_proof(attempt: Attempt) -> bool:
    """Whether the issuer has declined for want of a proof of the cardholder."""
    return attempt.status == "declined" and attempt.decline_code == PROOF_WANTED and attempt.eci is None


def decline_part(database: sqlite3.Connection, attempt: Attempt, why: Decline) -> Attempt:
    """The issuer has approved a part that nobody wants: declined, and the acquirer is told so."""
    begin_reversal(database, attempt)
    declined = msgspec.structs.replace(
        attempt,
        status="declined",
        decline_code=why.decline_code,
        advice_code=why.advice_code,
        authorized_minor=0,
    )
    return attempts.update(database, declined)


def begin_reversal(
    database: sqlite3.Connection, attempt: Attempt, moment: datetime | None = None
) -> tuple[Attempt, Advice]:
    """What is left of the attempt given back for good, and what the acquirer must hear of it.

    With a `moment` someone waits, and a 0400 is sent at once; without, a 0420 is sent when its turn comes,
    under the time of the authorization.
    """
    after = msgspec.structs.replace(
        attempt,
        status="captured" if attempt.captured_minor else "reversed",
        advice_code=UNPROCESSED.advice_code if attempt.status == "sending" else attempt.advice_code,
    )
    advice = Advice(
        attempt_id=attempt.attempt_id,
        kind="reversal",
        first_type="0420" if moment is None else "0400",
        amount_minor=(attempt.authorized_minor or attempt.amount_minor) - attempt.captured_minor,
        stan=attempts.next_stan(database, messages.STAN_MAX),
        transmitted_at=attempt.transmitted_at if moment is None else messages.transmitted_at(moment),
        transmissions=0 if moment is None else 1,
    )
    advice_rows.insert(database, advice)
    return attempts.update(database, after), advice


def find_or_bury(database: sqlite3.Connection, attempt_id: str) -> Found:
    """The attempt; one never heard of leaves a tombstone, by which it can no more be authorized."""
    known = attempts.find(database, attempt_id)
    if known is None:
        return Found(_bury(database, attempt_id), buried=True)
    return Found(known)


def count_transmission(database: sqlite3.Connection, key: AdviceKey) -> tuple[Attempt, Advice]:
    """The advice as it is sent now, one more time if it still waits."""
    attempt = attempts.find(database, key.attempt_id)
    advice = advice_rows.find(database, key)
    if attempt is None or advice is None:
        raise LookupError("there is no such advice")
    if advice.state == "waiting":
        advice = msgspec.structs.replace(advice, transmissions=advice.transmissions + 1)
        advice_rows.update(database, advice)
    return attempt, advice


def record_answer(database: sqlite3.Connection, answered: Advice) -> Attempt:
    """The acquirer's answer to an advice, and the attempt after it.

    A capture that was refused leaves an authorization that is given back. The same answer a second time
    changes nothing.
    """
    attempt, advice = attempts.find(database, answered.attempt_id), advice_rows.find(database, answered.key)
    if attempt is None or advice is None:
        raise LookupError("there is no such advice")
    if advice.state != "waiting":
        return attempt
    advice_rows.update(database, answered)
    if answered.kind == "capture" and answered.state == "refused":
        return begin_reversal(database, attempt)[0]
    return attempts.update(database, applied(attempt, answered))


def applied(attempt: Attempt, advice: Advice) -> Attempt:
    """The attempt after a capture or refund that the acquirer accepted; as it was after any other advice."""
    if advice.state != "accepted":
        return attempt
    if advice.kind == "refund":
        refunded_minor = attempt.refunded_minor + advice.amount_minor
        return msgspec.structs.replace(attempt, refunded_minor=refunded_minor)
    if advice.kind == "capture":
        return msgspec.structs.replace(
            attempt,
            status="captured" if advice.final else attempt.status,
            captured_minor=attempt.captured_minor + advice.amount_minor,
        )
    return attempt


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
