"""How a capture, an increment or a void ends, by what the processor answers: pure."""

from gateway.payments.intents import Attempt, CaptureOwed, Debt, IncrementOwed
from gateway.payments.steps import Phase
from gateway.processor_port import ProcessorAnswer


def end_of(attempt: Attempt, debt: Debt, answer: ProcessorAnswer) -> Phase | None:
    """The phase that the attempt reaches; None where the debt does not end yet."""
    if isinstance(debt, CaptureOwed):
        return _capture_end(attempt, answer)
    if isinstance(debt, IncrementOwed):
        # Whatever the issuer said, what was authorized before stays so.
        return None if answer.operation is None and answer.status == "unknown" else "authorized"
    # What the network declined, or knows as reversed, holds no money back any more; of one that was captured
    # in part the rest does not.
    released = ("reversed", "declined", "captured") if attempt.operations else ("reversed", "declined")
    return "voided" if answer.status in released else None


def was_refused(answer: ProcessorAnswer) -> bool:
    """Whether a capture that has an end took nothing."""
    return answer.operation == "refused" or answer.status in ("reversed", "declined")


def _capture_end(attempt: Attempt, answer: ProcessorAnswer) -> Phase | None:
    if was_refused(answer):
        # With an earlier capture the authorization has an end that took something.
        return "captured" if answer.captured_minor and attempt.operations > 1 else "capture_failed"
    if answer.status == "captured":
        return "captured"
    return "authorized" if answer.status == "approved" and answer.operation == "accepted" else None
