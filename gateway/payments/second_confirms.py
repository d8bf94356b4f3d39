"""Manual confirmation: what the payer has approved waits until the merchant's server confirms it again.

The issuer has promised to pay by then, and nothing of it is taken. Where the merchant lets the time pass, the
promise is given back: first that is committed, then the processor is told, as of every void, so that no late
confirm takes what is being given back.
"""

from typing import NamedTuple

import msgspec
from sqlalchemy import Connection

from events.moments import moment
from events.types import PaymentConfirmationRequired
from gateway.auth import Caller
from gateway.errors import ConflictError, InvalidRequestError
from gateway.event_recorder import EventRecorder
from gateway.payments import intents
from gateway.payments.admission import give_back_in
from gateway.payments.declining import LAPSED, decline_in
from gateway.payments.intents import Attempt, Intent, VoidOwed, owing, reached
from gateway.payments.outcomes import declined_outcome
from gateway.payments.partial_authorizations import cut_to_part_in, whole_again
from gateway.payments.steps import WAITING
from gateway.processor_port import ProcessorAnswer
from gateway.requests import ConfirmIntent
from gateway.store.idempotency_rows import RequestKey, claim_in
from gateway.store.intent_rows import load_attempt, load_intent, save_attempt, save_intent

CONFIRM_MINUTES = 10
"""So much longer than its payer may take has the merchant to confirm again."""

_replace = msgspec.structs.replace


class Confirmed(NamedTuple):
    """The merchant has confirmed again what its payer approved, under this key."""

    request_key: RequestKey | None


def begun_before_in(
    connection: Connection, caller: Caller, intent: Intent, body: ConfirmIntent
) -> Attempt | None:
    """The attempt that a confirm goes on with: its payer is at it, or has approved it.

    None where the confirm begins another one. Raises `InvalidRequestError` for another payment method; what
    else it brings is not looked at.
    """
    attempt = latest_waiting_in(connection, intent)
    if attempt is None:
        return None
    if body.payment_method not in (None, intent.token) or body.payment_method_data is not None:
        raise InvalidRequestError(
            "An attempt with another payment method is under way: wait for its end, or cancel.",
            code="payment_intent_unexpected_state",
            param="payment_method",
        )
    if attempt.phase == "awaiting_payer":
        claim_in(connection, caller.request_key, intent.id, attempt=attempt.number)
    return attempt


def latest_waiting_in(connection: Connection, intent: Intent) -> Attempt | None:
    """The latest attempt, where it waits for its payer or its merchant."""
    if not intent.attempts or intent.status not in ("requires_action", "requires_confirmation"):
        return None
    attempt = load_attempt(connection, intent.id, intent.attempts)
    return attempt if attempt is not None and attempt.phase in WAITING else None


def await_confirmation_in(
    connection: Connection, recorder: EventRecorder, intent: Intent, attempt: Attempt, answer: ProcessorAnswer
) -> tuple[Intent, Attempt]:
    """The payer has approved, the issuer all or a part; now the merchant has its time, as the log tells."""
    until_us = (attempt.payer_until_us or 0) + CONFIRM_MINUTES * 60 * 1_000_000
    waiting = _replace(
        reached(attempt, "awaiting_confirm"), payer_until_us=until_us, approval_code=answer.approval_code
    )
    intent = cut_to_part_in(connection, intent, attempt, answer)
    intent = intents.stepped(intent, "await_confirmation")
    header = recorder.header(intent, moment(attempt.moment_us))
    event = PaymentConfirmationRequired(**header, attempt=attempt.number)
    return recorder.record_step(connection, intent, event), waiting


def as_it_stands(intent: Intent, confirmed: Confirmed | None) -> Intent:
    """The intent whose attempt has its end already, for who only wants to see that.

    Raises `ConflictError` for a second confirm before which it was given up: asked again, it is told of what.
    """
    if confirmed is not None and intent.status not in ("succeeded", "requires_capture"):
        raise ConflictError()
    return intent


def lapse_in(connection: Connection, recorder: EventRecorder, lapsed: Attempt) -> Attempt | None:
    """Give up what nobody confirmed again: the attempt owes its void; None where it has its end already."""
    intent = load_intent(connection, lapsed.payment_id)
    attempt = load_attempt(connection, lapsed.payment_id, lapsed.number)
    if attempt is None or attempt.phase != "awaiting_confirm":
        return None
    if attempt.decision is None or attempt.payer_until_us is None:
        raise ValueError(f"attempt {attempt.id} waits, and it is not kept what was decided and until when")
    outcome = declined_outcome(attempt.decision, LAPSED, None, reversed_=True)
    intent = decline_in(connection, recorder, intent, attempt, attempt.decision, LAPSED, outcome)
    give_back_in(connection, intent, attempt)
    attempt = owing(_replace(attempt, counted_day=None), VoidOwed(since_us=attempt.payer_until_us))
    save_attempt(connection, attempt)
    save_intent(connection, whole_again(intent, attempt))
    return attempt
