"""Intents and attempts as rows. Functions take the connection that the store gives its works."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, bindparam, or_, select

from events.instruments import AccountFacts, CardFacts, Instrument
from events.moments import moment
from events.types import RiskContext
from events.vocabulary import Mode
from gateway.errors import ConflictError, NotFoundError
from gateway.payments.effective_decision import EffectiveDecision
from gateway.payments.intents import (
    Attempt,
    CaptureOwed,
    Debt,
    IncrementOwed,
    Intent,
    PaymentError,
    PaymentOutcome,
    VoidOwed,
)
from gateway.payments.steps import UNFINISHED, WAITING, Phase
from gateway.processor_port import PayerAction
from gateway.requests import ListIntents
from gateway.store.by_key import ByKey, Wanted
from gateway.store.paging import read_page
from gateway.store.process_tables import instances
from gateway.store.statements import Statement
from gateway.store.tables import attempts, intents

_encode = msgspec.json.encode

# Statements are built once: building one costs as much as running it.
_INTENTS = ByKey(intents, "id")
_ATTEMPTS = ByKey(attempts, "payment_id", "number")


def _is_in(phases: Iterable[Phase]) -> ColumnElement[bool]:
    # Not by `in_`, whose text SQLAlchemy makes anew each time: a `Statement` has one.
    return or_(*(attempts.c.phase == phase for phase in phases))


_AWAITING = (
    select(attempts, intents.c.mode)
    .join(intents, intents.c.id == attempts.c.payment_id)
    .where(_is_in(WAITING))
    .order_by(attempts.c.moment_us)
)
_AWAITING_PAYER = Statement(_AWAITING)
_ONE_AWAITING_PAYER = Statement(_AWAITING.where(attempts.c.id == bindparam("the_id")))
_UNFINISHED = Statement(
    select(attempts)
    .where(
        _is_in(UNFINISHED),
        or_(attempts.c.owner == bindparam("the_owner"), attempts.c.owner.not_in(select(instances.c.id))),
    )
    .order_by(attempts.c.moment_us)
)


def intent_wanted(payment_id: str) -> Wanted:
    """An intent that will be looked for."""
    return _INTENTS.wanted(payment_id)


def intent_and_attempt(attempt: Attempt) -> tuple[Wanted, Wanted]:
    """What is looked at where an attempt goes on."""
    return _INTENTS.wanted(attempt.payment_id), _ATTEMPTS.wanted(attempt.payment_id, attempt.number)


def insert_intent(connection: Connection, intent: Intent) -> Intent:
    """Keep a new intent."""
    _INTENTS.insert(connection, _intent_row(intent))
    return intent


def save_intent(connection: Connection, intent: Intent) -> Intent:
    """Write a changed intent; raises `ConflictError` where someone changed it since it was read."""
    # What this transaction sees stays so until it commits, or it does not commit.
    stored = _INTENTS.find(connection, intent.id)
    if stored is None or stored.version != intent.version:
        raise ConflictError()
    after = msgspec.structs.replace(intent, version=intent.version + 1)
    _INTENTS.update(connection, _intent_row(after))
    return after


def load_intent(
    connection: Connection, payment_id: str, *, merchant_id: str | None = None, mode: Mode | None = None
) -> Intent:
    """The intent, of this merchant and mode where given; raises `NotFoundError`."""
    row = _INTENTS.find(connection, payment_id)
    if row is None or merchant_id not in (None, row.merchant_id) or mode not in (None, row.mode):
        raise NotFoundError("There is no such payment intent.")
    return intent_of(row)


def list_intents(
    connection: Connection, *, merchant_id: str, mode: Mode, query: ListIntents
) -> tuple[list[Intent], bool]:
    """A page of them, and whether there is more; raises `NotFoundError` for an unknown cursor."""

    def cursor_of(payment_id: str) -> tuple[int, str]:
        cursor = load_intent(connection, payment_id, merchant_id=merchant_id, mode=mode)
        return cursor.created_us, cursor.id

    own = select(intents).where(intents.c.merchant_id == merchant_id, intents.c.mode == mode)
    if query.customer is not None:
        own = own.where(intents.c.customer == query.customer)
    if query.status is not None:
        own = own.where(intents.c.status == query.status)
    place = (intents.c.created_us, intents.c.id)
    rows, has_more = read_page(connection, own, place, query, cursor_of)
    return [intent_of(row) for row in rows], has_more


def insert_attempt(connection: Connection, attempt: Attempt) -> None:
    """Keep a new attempt."""
    _ATTEMPTS.insert(connection, _attempt_row(attempt))


def save_attempt(connection: Connection, attempt: Attempt) -> None:
    """Write a changed attempt."""
    _ATTEMPTS.update(connection, _attempt_row(attempt))


def load_attempt(connection: Connection, payment_id: str, number: int) -> Attempt | None:
    """The attempt of that number, None where there is none."""
    row = _ATTEMPTS.find(connection, payment_id, number)
    return _attempt(row._asdict()) if row else None


def attempts_awaiting_payer(connection: Connection) -> list[tuple[Attempt, Mode]]:
    """Attempts that wait for their payer, or after that for their merchant, with their mode, oldest first."""
    return [_with_mode(row) for row in _AWAITING_PAYER.all(connection, {})]


def load_awaiting_payer(connection: Connection, attempt_id: str) -> tuple[Attempt, Mode] | None:
    """The attempt, None where it waits neither for its payer nor for its merchant."""
    row = _ONE_AWAITING_PAYER.one_or_none(connection, {"the_id": attempt_id})
    return _with_mode(row) if row else None


def not_before_last_step(connection: Connection, intent: Intent, at: datetime) -> datetime:
    """`at`, or the payment's latest confirm, else its creation, where that is later."""
    latest = load_attempt(connection, intent.id, intent.attempts) if intent.attempts else None
    return max(at, moment(latest.moment_us if latest else intent.created_us))


def unfinished_attempts(connection: Connection, owner: str) -> list[Attempt]:
    """Attempts of an instance, or of one that is gone, that owe something to someone, oldest first."""
    return [_attempt(row._asdict()) for row in _UNFINISHED.all(connection, {"the_owner": owner})]


def _intent_row(intent: Intent) -> dict[str, Any]:
    row = msgspec.structs.asdict(intent)
    row["metadata_json"] = _encode(row.pop("metadata")).decode()
    types = row.pop("payment_method_types")
    row["payment_method_types_json"] = _encode(types).decode() if types else None
    outcome, error = row.pop("outcome"), row.pop("last_error")
    row["outcome_json"] = _encode(outcome).decode() if outcome else None
    row["last_error_json"] = _encode(error).decode() if error else None
    action = row.pop("next_action")
    row["next_action_json"] = _encode(action).decode() if action else None
    return row


def intent_of(row: Any) -> Intent:
    """The intent of a row."""
    members = row._asdict()
    metadata, outcome = members.pop("metadata_json"), members.pop("outcome_json")
    error, action = members.pop("last_error_json"), members.pop("next_action_json")
    types = members.pop("payment_method_types_json")
    return Intent(
        **members,
        metadata=msgspec.json.decode(metadata),
        payment_method_types=msgspec.json.decode(types) if types else None,
        outcome=msgspec.json.decode(outcome, type=PaymentOutcome) if outcome else None,
        last_error=msgspec.json.decode(error, type=PaymentError) if error else None,
        next_action=msgspec.json.decode(action, type=PayerAction) if action else None,
    )


def _attempt_row(attempt: Attempt) -> dict[str, Any]:
    row = msgspec.structs.asdict(attempt)
    row["instrument_json"] = _encode(row.pop("instrument")).decode()
    row["context_json"] = _encode(row.pop("context")).decode()
    debt, decision = row.pop("debt"), row.pop("decision")
    row["decision_json"] = _encode(decision).decode() if decision else None
    row["capture_minor"] = None if debt is None or isinstance(debt, VoidOwed) else debt.amount_minor
    row["capture_is_final"] = not isinstance(debt, CaptureOwed) or debt.final
    row["ended_us"] = debt.since_us if debt else None
    return row


def _with_mode(row: Any) -> tuple[Attempt, Mode]:
    members = row._asdict()
    mode = members.pop("mode")
    return _attempt(members), mode


def _attempt(members: dict[str, Any]) -> Attempt:
    paying, context = members.pop("instrument_json"), members.pop("context_json")
    decision = members.pop("decision_json")
    capture_minor, since_us = members.pop("capture_minor"), members.pop("ended_us")
    final = members.pop("capture_is_final")
    return Attempt(
        **members,
        instrument=_instrument(paying),
        context=msgspec.json.decode(context, type=RiskContext),
        debt=_debt(members["phase"], capture_minor, since_us, final=final),
        decision=msgspec.json.decode(decision, type=EffectiveDecision) if decision else None,
    )


class _Method(msgspec.Struct):
    method: str | None = None


def _instrument(text: str) -> Instrument:
    """A card has no method of its own."""
    if msgspec.json.decode(text, type=_Method).method is None:
        return msgspec.json.decode(text, type=CardFacts)
    return msgspec.json.decode(text, type=AccountFacts)


def _debt(phase: Phase, capture_minor: int | None, since_us: int | None, *, final: bool) -> Debt | None:
    """None also where the columns contradict the phase: nobody may guess how much, or in which direction."""
    void = phase in ("assessing", *WAITING, "voiding", "voided")
    if since_us is None or void is (capture_minor is not None):
        return None
    if capture_minor is None:
        return VoidOwed(since_us=since_us)
    if phase == "incrementing":
        return IncrementOwed(amount_minor=capture_minor, since_us=since_us)
    return CaptureOwed(amount_minor=capture_minor, since_us=since_us, final=final)
