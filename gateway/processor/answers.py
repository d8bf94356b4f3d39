"""What the API is told of an attempt."""

from gateway.processor.attempts import Attempt
from gateway.processor_port import Authentication, OperationEnd, ProcessorAnswer


def answer(
    attempt_id: str, attempt: Attempt | None, operation: OperationEnd | None = None
) -> ProcessorAnswer:
    """Where the attempt stands, and what became of the operation that was asked for."""
    if attempt is None or attempt.status == "sending":
        return ProcessorAnswer(attempt_id=attempt_id, status="unknown")
    return ProcessorAnswer(
        attempt_id=attempt_id,
        status=attempt.status,
        operation=operation,
        decline_code=attempt.decline_code,
        advice_code=attempt.advice_code,
        approval_code=attempt.approval_code,
        network_reference=attempt.reference or None,
        authorized_minor=attempt.authorized_minor,
        captured_minor=attempt.captured_minor,
        refunded_minor=attempt.refunded_minor,
        authentication=_authentication(attempt.eci),
    )


def _authentication(eci: str | None) -> Authentication | None:
    """What an attempt itself knows of its cardholder: the proof that its issuer had asked for."""
    if eci is None:
        return None
    return Authentication(result="authenticated", flow="challenge", eci=eci, liability_shifted=True)
