"""What the gateway did with a payment, and on whose word, in words: read from the payment's own events."""

from typing import NamedTuple

from events.log.port import Log
from events.log.reading import events_until_end
from events.money import Money
from events.types import (
    PaymentActionRequired,
    PaymentAuthenticated,
    PaymentAuthorized,
    PaymentBlocked,
    PaymentCanceled,
    PaymentCaptured,
    PaymentCaptureFailed,
    PaymentConfirmationRequired,
    PaymentConfirmed,
    PaymentDecidedLate,
    PaymentDeclined,
    PaymentEvent,
    PaymentIncrementDeclined,
    PaymentIncremented,
    PaymentRefunded,
    PaymentRefundFailed,
    PaymentReleased,
    PaymentReviewed,
    PaymentReviewExpired,
)
from events.vocabulary import LateEffect, Ruling
from pipelines.errors import NotInLogError

End = PaymentAuthorized | PaymentBlocked | PaymentDeclined

_WORD = {
    "engine": "as the engine decided",
    "test_card": "by its test card or address, whatever the engine decides",
    "fallback": "by the fallback, since the engine's decision was late",
}
_LATE: dict[LateEffect, str] = {
    "held": "held the capture for a review",
    "voided": "voided the authorization",
    "refunded": "came after the capture, and has the money given back",
    "marked": "came after the capture: no money moved back, the payment is marked for a person to refund",
}


class PaymentEnd(NamedTuple):
    """One attempt of a payment, and what was done with it, a line each."""

    attempt: int
    lines: list[str]
    is_unasked: bool = False
    """Whether it was authorized, and nobody had asked its payer to be authenticated."""


def payment_end(log: Log, payment_id: str, attempt: int | None = None) -> PaymentEnd | None:
    """What was done with an attempt (the latest, unless told); None where the log tells nothing of it.

    Raises `NotInLogError` for an attempt beyond the last.
    """
    events = _life(log, payment_id)
    confirmed = [event.attempt for event in events if isinstance(event, PaymentConfirmed)]
    wanted = max(confirmed, default=None) if attempt is None else attempt
    if wanted is not None and confirmed and wanted > max(confirmed):
        count = max(confirmed)
        made = "one attempt" if count == 1 else f"{count} attempts"
        raise NotInLogError(f"payment {payment_id} has no attempt {wanted}: it has {made}")
    if wanted is None or wanted not in confirmed:
        return None
    authorized = any(isinstance(event, PaymentAuthorized) and event.attempt == wanted for event in events)
    lines = [line for event in events for line in _told(event, wanted, authorized=authorized)]
    lines += _awaited(events, wanted)
    asked = any(isinstance(event, PaymentAuthenticated) and event.attempt == wanted for event in events)
    return PaymentEnd(wanted, lines or ["confirmed, and not at its end yet"], authorized and not asked)


def _life(log: Log, payment_id: str) -> list[PaymentEvent]:
    """The payment's events in their order, each once."""
    found = {
        event.sequence: event
        for _, event in events_until_end(log, "payments", payment_id)
        if isinstance(event, PaymentEvent) and event.payment_id == payment_id
    }
    return [found[number] for number in sorted(found)]


def _awaited(events: list[PaymentEvent], attempt: int) -> list[str]:
    """Of an attempt without an end: that it waits still, or was canceled meanwhile."""
    asked = [event for event in events if isinstance(event, PaymentActionRequired)]
    if not asked or asked[-1].attempt != attempt:
        return []
    after = [event for event in events if event.sequence > asked[-1].sequence]
    canceled = [line for event in after if isinstance(event, PaymentCanceled) for line in _after(event)]
    ended = any(isinstance(event, End) for event in after)
    approved = any(isinstance(event, PaymentConfirmationRequired) for event in after)
    waits = "waits for its merchant's second confirm" if approved else "waits for its payer still"
    return [] if ended else canceled or [waits, *_ruled(asked[-1].ruling)]


def _told(event: PaymentEvent, attempt: int, *, authorized: bool) -> list[str]:
    """What an event says of an attempt; what has no attempt of its own belongs to the authorized one."""
    if isinstance(event, End):
        return _ended(event) if event.attempt == attempt else []
    if isinstance(event, PaymentActionRequired):
        return ["the payer was asked to do something first"] if event.attempt == attempt else []
    if isinstance(event, PaymentAuthenticated):
        return _authenticated(event) if event.attempt == attempt else []
    if isinstance(event, PaymentDecidedLate):
        decided = f"decided {event.ruling.outcome}"
        if event.ruling.unchallenged:
            decided = "wanted the payer challenged, whom nobody could ask any more"
        late = f"later the engine {decided}, which {_LATE[event.effect]}"
        return [late] if event.attempt == attempt else []
    return _after(event) if authorized else []


def _authenticated(event: PaymentAuthenticated) -> list[str]:
    shifted = "shifted to the issuer" if event.liability_shifted else "not shifted"
    return [f"cardholder {event.result.replace('_', ' ')} ({event.flow}), liability {shifted}"]


def _ended(event: End) -> list[str]:
    if isinstance(event, PaymentBlocked):
        done = "blocked"
    elif isinstance(event, PaymentDeclined) and event.lapsed:
        done = f"not finished in time: {event.reason}"
    elif isinstance(event, PaymentDeclined):
        done = f"declined by the issuer or on the way to it: {event.reason}"
    else:
        done = f"{_part(event)}authorized" + (", with the capture held for a review" if event.held else "")
    return [done, *_ruled(event.ruling)]


def _part(event: PaymentAuthorized) -> str:
    """What was authorized of more; nothing where it was the whole."""
    if event.asked_minor in (None, event.amount_minor):
        return ""
    part, whole = (Money(minor, event.currency) for minor in (event.amount_minor, event.asked_minor))
    return f"{part} of {whole} "


def _ruled(ruling: Ruling | None) -> list[str]:
    if ruling is None:
        return []
    score = "no risk score in time" if ruling.risk_score is None else f"risk score {ruling.risk_score}"
    return [f"{ruling.outcome}, {_WORD[ruling.by]} ({score}): {ruling.text}"]


def _after(event: PaymentEvent) -> list[str]:
    """What came after an authorization, of which a payment has one."""
    if isinstance(event, PaymentReviewed):
        return [f"review {event.verdict}"]
    if isinstance(event, PaymentReviewExpired):
        return ["review expired: nobody closed it in time"]
    if isinstance(event, PaymentCaptured):
        return [f"captured: {Money(event.amount_minor, event.currency)}"]
    if isinstance(event, PaymentIncremented):
        return [f"{Money(event.more_minor, event.currency)} more authorized"]
    if isinstance(event, PaymentIncrementDeclined):
        return [f"{Money(event.more_minor, event.currency)} more declined: {event.reason}"]
    if isinstance(event, PaymentCaptureFailed):
        refused = Money(event.amount_minor, event.currency)
        return [f"the network refused the capture of {refused}; what was not captured was given back"]
    if isinstance(event, PaymentReleased):
        return [f"the rest given back: {Money(event.amount_minor, event.currency)}, {event.reason}"]
    if isinstance(event, PaymentRefunded):
        return [f"refunded: {Money(event.amount_minor, event.currency)}"]
    if isinstance(event, PaymentRefundFailed):
        return ["the network refused the refund: a person has to give the money back"]
    return [f"canceled: {event.reason}"] if isinstance(event, PaymentCanceled) else []
