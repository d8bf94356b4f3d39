"""What follows from what the directory says: pure functions, the choices in tables."""

from collections.abc import Mapping
from datetime import timedelta

import msgspec

from gateway.processor.authentication_rows import AuthenticationRow, Flow, State
from gateway.processor.declines import (
    AUTHENTICATION_FAILED,
    PROOF_WANTED,
    TOO_MANY_CHALLENGES,
    WANTS_PROOF,
    decline,
)
from gateway.processor.directory import Lookup, LookupStatus, Proof
from gateway.processor_port import PAYER_SECONDS_MAX, AuthenticationWish, PayerAction, ProcessorAnswer

_CLEARED_BY: Mapping[AuthenticationWish, Mapping[Flow, frozenset[LookupStatus]]] = {
    "none": {"frictionless": frozenset({"authenticated"}), "challenge": frozenset({"authenticated"})},
    "preferred": {
        "frictionless": frozenset({"authenticated", "attempted", "not_supported", "error"}),
        "challenge": frozenset({"authenticated", "attempted"}),
    },
    "required": {"frictionless": frozenset(), "challenge": frozenset({"authenticated"})},
}
"""What was asked for → what clears a payment, at the look-up (frictionless) and after a challenge.

`none`: the issuer itself wants a proof, in whichever way. A law (`required`) wants the cardholder to have
done something, whatever a directory makes of that.
"""


def state_after(status: LookupStatus, flow: Flow, wish: AuthenticationWish) -> State:
    """What follows from what the directory says."""
    if status == "challenge":
        return "waiting"
    return "cleared" if status in _CLEARED_BY[wish][flow] else "refused"


def begun(row: AuthenticationRow, found: Lookup) -> AuthenticationRow:
    """The row after the first look-up."""
    if found.status != "challenge":
        return _ended(row, found, "frictionless")
    if row.asked().off_session:
        # Nobody is there to be asked, and nobody was.
        return msgspec.structs.replace(row, state="refused", result="error")
    return msgspec.structs.replace(row, state="waiting", flow="challenge", url=found.url)


def answered(row: AuthenticationRow, found: Lookup) -> AuthenticationRow:
    """The row after its cardholder was authenticated, or not."""
    return row if found.status == "challenge" else _ended(row, found, row.flow)


def _ended(row: AuthenticationRow, found: Lookup, flow: Flow) -> AuthenticationRow:
    if found.status == "challenge":
        raise ValueError("a challenge is under way, and has no end")
    state = state_after(found.status, flow, row.asked().authentication)
    proof = found if state == "cleared" else Lookup(status=found.status)
    return msgspec.structs.replace(
        row, state=state, flow=flow, result=found.status, eci=proof.eci, proof=proof.proof
    )


def proof_of(row: AuthenticationRow) -> Proof | None:
    """What goes to the issuer; None where there is none."""
    if row.eci is None or row.proof is None:
        return None
    return Proof(eci=row.eci, value=row.proof, transaction_id=row.transaction_id)


def lacks_proof(answer: ProcessorAnswer) -> bool:
    """Whether the issuer has declined for want of a proof."""
    return answer.status == "declined" and answer.decline_code == PROOF_WANTED


def told(row: AuthenticationRow | None, answer: ProcessorAnswer) -> ProcessorAnswer:
    """What the API is told of an attempt, by its authentication and by where it stands without."""
    if row is None:
        return answer
    told_of = row.told()
    if row.state == "waiting":
        return _waiting(row)
    if row.state == "refused" and answer.approval_code is None:
        # Who was sent off may try again, also where the issuers have lost what came of it.
        code = _why_refused(row)
        return msgspec.structs.replace(
            answer,
            status="declined",
            decline_code=code,
            # Whatever was sent to an issuer has a reference.
            not_sent=answer.network_reference is None,
            advice_code=decline(WANTS_PROOF).advice_code if code == PROOF_WANTED else None,
            authentication=told_of or answer.authentication,
        )
    if row.state == "cleared" and lacks_proof(answer):
        # The issuer's word of before, to a question without the proof.
        return ProcessorAnswer(attempt_id=row.attempt_id, status="unknown")
    return msgspec.structs.replace(answer, authentication=told_of)


def _why_refused(row: AuthenticationRow) -> str:
    if row.result is None:
        return TOO_MANY_CHALLENGES
    is_lost = row.flow == "challenge" and row.result == "error"
    return AUTHENTICATION_FAILED if is_lost or row.result in ("failed", "abandoned") else PROOF_WANTED


def _waiting(row: AuthenticationRow) -> ProcessorAnswer:
    expires_at = row.asked().occurred_at + timedelta(seconds=PAYER_SECONDS_MAX)
    action = PayerAction(kind="three_d_secure", url=row.url or "", expires_at=expires_at)
    return ProcessorAnswer(attempt_id=row.attempt_id, status="action_required", action=action)
