"""Searching intents: a parsed query as one condition on their rows, every value of it a bound parameter."""

from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Row,
    String,
    Text,
    and_,
    case,
    cast,
    false,
    func,
    literal,
    not_,
    or_,
    select,
    true,
    tuple_,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from events.vocabulary import Mode
from gateway.paying_accounts import LIMITS
from gateway.payments.intents import Intent
from gateway.search_query import FIELDS, Clause, Query
from gateway.store.intent_rows import intent_of, load_intent
from gateway.store.tables import intents

SCANNED_MAX = 100_000
"""So many intents one search looks at, unless an index leads it to those that match."""

_INDEXED = frozenset({"customer", "id", "payment_method", "receipt_email"})
_SECOND_US = 1_000_000
_SECONDS_MAX = 10**12
"""Beyond any kept time, and in microseconds within 64 bits."""


class Member(FunctionElement[str]):
    """The text of a member of a JSON object that is kept as text; no such member is null."""

    type = String()
    inherit_cache = True


@compiles(Member, "sqlite")
def _in_sqlite(element: Member, compiler: SQLCompiler, **options: Any) -> str:
    column, key = element.clauses
    return f"json_extract({compiler.process(column, **options)}, {compiler.process(_path(key), **options)})"


@compiles(Member, "postgresql")
def _in_postgresql(element: Member, compiler: SQLCompiler, **options: Any) -> str:
    column, key = element.clauses
    return f"(CAST({compiler.process(column, **options)} AS JSON) ->> {compiler.process(key, **options)})"


def _path(key: ColumnElement[Any]) -> ColumnElement[Any]:
    # A key of a query holds neither quotation mark nor backslash.
    return literal('$."', Text) + key + literal('"', Text)


def _member(column: Any, *names: str) -> Any:
    for name in names:
        column = Member(column, literal(name, Text))
    return column


def _outcome(*names: str) -> Any:
    return _member(intents.c.outcome_json, *names)


def _is_true(column: Any) -> Any:
    """A truth within JSON, which SQLite gives as a number and PostgreSQL as text: 1 or 0, null where none."""
    text = func.lower(cast(column, Text))
    return case((column.is_(None), None), (text.in_(("true", "1")), 1), else_=0)


def _as_number(flag: Any) -> Any:
    return case((flag, 1), else_=0)


def _latest_charge() -> Any:
    number = cast(intents.c.attempts, Text)
    charge = literal("ch_", Text) + func.substr(intents.c.id, 4) + literal("_", Text) + number
    return case((intents.c.attempts > 0, charge), else_=None)


def _next_action_type() -> Any:
    kind = _member(intents.c.next_action_json, "kind")
    return case(
        (kind == "upi_collect", "upi_await_notification"),
        (kind == "upi_intent", "upi_handle_redirect_or_display_qr_code"),
        (kind.is_not(None), "redirect_to_url"),
        else_=None,
    )


COLUMNS: dict[str, Any] = {
    "amount": intents.c.amount_minor,
    "amount_capturable": intents.c.amount_capturable_minor,
    "amount_received": intents.c.amount_received_minor,
    "amount_refunded": intents.c.amount_refunded_minor,
    "canceled_at": intents.c.canceled_us,
    "cancellation_reason": intents.c.cancellation_reason,
    "capture_at": intents.c.capture_due_us,
    "capture_delay_hours": cast(intents.c.capture_delay_hours, BigInteger),
    "capture_method": intents.c.capture_method,
    "confirmation_method": intents.c.confirmation_method,
    "created": intents.c.created_us,
    "currency": func.lower(intents.c.currency),
    "customer": intents.c.customer,
    "description": intents.c.description,
    "id": intents.c.id,
    **{
        f"last_payment_error.{name}": _member(intents.c.last_error_json, name)
        for name in ("code", "decline_code", "message", "type")
    },
    "latest_charge": _latest_charge(),
    "livemode": _as_number(intents.c.mode == "live"),
    "next_action.type": _next_action_type(),
    "not_assessed": _as_number(intents.c.not_assessed),
    **{
        f"outcome.{name}": _outcome(name)
        for name in ("advice_code", "network_status", "reason", "risk_level", "seller_message", "type")
    },
    "outcome.amount_incremented": cast(_outcome("amount_incremented"), BigInteger),
    "outcome.risk_score": cast(_outcome("risk_score"), BigInteger),
    **{
        f"outcome.three_d_secure.{name}": _outcome("three_d_secure", name)
        for name in ("eci", "flow", "result")
    },
    "outcome.three_d_secure.liability_shifted": _is_true(_outcome("three_d_secure", "liability_shifted")),
    "payment_method": intents.c.token,
    "payment_method_options.card.request_partial_authorization": case(
        (intents.c.partial_authorization, "if_available"), else_="never"
    ),
    "payment_method_types": intents.c.payment_method_types_json,
    "receipt_email": intents.c.receipt_email_digest,
    "refund_owed": _as_number(intents.c.refund_owed),
    "review": intents.c.review_id,
    "setup_future_usage": intents.c.setup_future_usage,
    "statement_descriptor": intents.c.statement_descriptor,
    "status": intents.c.status,
}
"""The column, or what is computed in its place, of each field of the language but metadata."""


def search_intents(
    connection: Connection, query: Query, *, merchant_id: str, mode: Mode, limit: int, after: str | None
) -> tuple[list[Intent], str | None]:
    """At most `limit` that match, newest first, behind the intent `after`; and where the next page begins.

    A page may hold fewer, and still have a next one, where so many were looked at (`SCANNED_MAX`). Raises
    `NotFoundError` for an unknown `after`.
    """
    own: Any = [intents.c.merchant_id == merchant_id, intents.c.mode == mode]
    if after is not None:
        cursor = load_intent(connection, after, merchant_id=merchant_id, mode=mode)
        own.append(tuple_(*_PLACE) < (cursor.created_us, cursor.id))
    last = None if _leads(query) else _last_looked_at(connection, own)
    if last is not None:
        own.append(tuple_(*_PLACE) >= (last.created_us, last.id))
    conditions = [_condition(clause) for clause in query.clauses]
    matching = or_(*conditions) if query.joint == "OR" else and_(*conditions)
    newest = select(intents).where(*own, matching).order_by(*_NEWEST_FIRST).limit(limit + 1)
    found = [intent_of(row) for row in connection.execute(newest)]
    if len(found) > limit:
        return found[:limit], found[limit - 1].id
    return found, last.id if last is not None else None


_PLACE = (intents.c.created_us, intents.c.id)
_NEWEST_FIRST = tuple(column.desc() for column in _PLACE)


def _leads(query: Query) -> bool:
    """Whether an index leads to what matches: then nothing else is looked at."""
    return query.joint == "AND" and any(
        clause.field in _INDEXED and clause.sign == ":" and clause.value is not None and not clause.negated
        for clause in query.clauses
    )


def _last_looked_at(connection: Connection, own: list[ColumnElement[bool]]) -> Row[int, str] | None:
    """The intent at which a search ends; None where it may look at all of them."""
    place = select(*_PLACE).where(*own).order_by(*_NEWEST_FIRST)
    return connection.execute(place.offset(SCANNED_MAX - 1).limit(1)).one_or_none()


def _condition(clause: Clause) -> ColumnElement[bool]:
    """True or false and never null, so that its negation holds for what is not there."""
    if FIELDS.get(clause.field) == "list" and isinstance(clause.value, str):
        holds = _takes(clause.value)
    else:
        holds = _holds(
            _member(intents.c.metadata_json, clause.key) if clause.key else COLUMNS[clause.field], clause
        )
    return not_(holds) if clause.negated else holds


def _holds(column: Any, clause: Clause) -> ColumnElement[bool]:
    if clause.value is None:
        nothing: ColumnElement[bool] = column.is_(None)
        return nothing
    return and_(column.is_not(None), _compared(column, clause))


def _takes(method: str) -> ColumnElement[bool]:
    """Whether an intent may be paid so: it says so itself, or its currency does."""
    types = intents.c.payment_method_types_json
    currencies = [limits.currencies for name, limits in LIMITS.items() if name == method]
    by_currency: ColumnElement[bool] = or_(
        false(), *(true() if known is None else intents.c.currency.in_(known) for known in currencies)
    )
    said = and_(types.is_not(None), types.contains(f'"{method}"', autoescape=True))
    return or_(said, and_(types.is_(None), by_currency))


def _compared(column: Any, clause: Clause) -> ColumnElement[bool]:
    if isinstance(clause.value, bytes):
        same: ColumnElement[bool] = column == clause.value
        return same
    if isinstance(clause.value, str):
        text = clause.value.lower() if clause.field == "currency" else clause.value
        matches: ColumnElement[bool] = column == text
        if clause.sign == "~":
            matches = func.lower(column).contains(text.lower(), autoescape=True)
        return matches
    low = high = clause.value or 0
    if FIELDS[clause.field] == "time":
        # A second is all its microseconds.
        low = max(-_SECONDS_MAX, min(low, _SECONDS_MAX))
        low, high = low * _SECOND_US, low * _SECOND_US + _SECOND_US - 1
    comparisons: dict[str, Any] = {
        ":": and_(column >= low, column <= high),
        ">": column > high,
        ">=": column >= low,
        "<": column < low,
        "<=": column <= high,
    }
    return comparisons[clause.sign]  # type: ignore[no-any-return]  # a column's comparison
