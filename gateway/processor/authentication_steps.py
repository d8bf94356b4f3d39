"""What follows from what the directory says: pure functions, the choices in tables."""

from collections.abc import Mapping
from datetime import timedelta

import msgspec

from gateway.processor.authentication_rows import AuthenticationRow, State
from gateway.processor.declines import AUTHENTICATION_FAILED, PROOF_WANTED, TOO_MANY_CHALLENGES
from gateway.processor.directory import Lookup, LookupStatus, Proof
from gateway.processor_port import PAYER_SECONDS_MAX, AuthenticationWish, PayerAction, ProcessorAnswer

_AFTER: Mapping[LookupStatus, tuple[State, State]] = {
    "challenge": ("waiting", "waiting"),
    "authenticated": ("cleared", "cleared"),
    "attempted": ("cleared", "refused"),
    "not_supported": ("cleared", "refused"),
    "error": ("cleared", "refused"),
    "failed": ("refused", "refused"),
    "abandoned": ("refused", "refused"),
}
"""What the directory says → what follows where authentication is preferred, and where it is required."""


def state_after(status: LookupStatus, wish: AuthenticationWish) -> State:
    """What follows from a first look-up."""
    return _AFTER[status][wish == "required"]


def begun(row: AuthenticationRow, found: Lookup, wish: AuthenticationWish) -> AuthenticationRow:
    """The row after the first look-up."""
    is_challenge = found.status == "challenge"
    return msgspec.structs.replace(
        row,
        state=state_after(found.status, wish),
        flow="challenge" if is_challenge else "frictionless",
        url=found.url,
        result=None if found.status == "challenge" else found.status,
        eci=found.eci,
        proof=found.proof,
    )


def answered(row: AuthenticationRow, found: Lookup) -> AuthenticationRow:
    """The row after its cardholder was authenticated, or not."""
    if found.status == "challenge":
        return row
    cleared = found.status in ("authenticated", "attempted")
    return msgspec.structs.replace(
        row,
        state="cleared" if cleared else "refused",
        result=found.status,
        eci=found.eci,
        proof=found.proof,
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
        if row.result is None:
            return msgspec.structs.replace(
                answer, status="declined", decline_code=TOO_MANY_CHALLENGES, advice_code=None
            )
        is_lost = row.flow == "challenge" and row.result == "error"
        code = AUTHENTICATION_FAILED if is_lost or row.result in ("failed", "abandoned") else PROOF_WANTED
        return msgspec.structs.replace(
            answer, status="declined", decline_code=code, advice_code=None, authentication=told_of
        )
    if row.state == "cleared" and lacks_proof(answer):
        # The issuer's word of before, to a question without the proof.
        return ProcessorAnswer(attempt_id=row.attempt_id, status="unknown")
    return msgspec.structs.replace(answer, authentication=told_of)


def _waiting(row: AuthenticationRow) -> ProcessorAnswer:
    expires_at = row.asked().occurred_at + timedelta(seconds=PAYER_SECONDS_MAX)
    action = PayerAction(kind="three_d_secure", url=row.url or "", expires_at=expires_at)
    return ProcessorAnswer(attempt_id=row.attempt_id, status="action_required", action=action)
