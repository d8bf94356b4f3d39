"""Searching intents: a parsed query as one condition on their rows, every value of it a bound parameter."""

from typing import Any

from sqlalchemy import ColumnElement, Connection, String, Text, and_, func, literal, not_, or_, select, tuple_
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from events.vocabulary import Mode
from gateway.payments.intents import Intent
from gateway.search_query import Clause, Query
from gateway.store.intent_rows import intent_of, load_intent
from gateway.store.tables import intents

COLUMNS: dict[str, Any] = {
    "amount": intents.c.amount_minor,
    "amount_capturable": intents.c.amount_capturable_minor,
    "amount_received": intents.c.amount_received_minor,
    "amount_refunded": intents.c.amount_refunded_minor,
    "canceled_at": intents.c.canceled_us,
    "created": intents.c.created_us,
    "cancellation_reason": intents.c.cancellation_reason,
    "capture_method": intents.c.capture_method,
    "confirmation_method": intents.c.confirmation_method,
    "currency": func.lower(intents.c.currency),
    "customer": intents.c.customer,
    "description": intents.c.description,
    "id": intents.c.id,
    "payment_method": intents.c.token,
    "review": intents.c.review_id,
    "statement_descriptor": intents.c.statement_descriptor,
    "status": intents.c.status,
}
"""The column of each field of the language but metadata."""

_IN_SECONDS = ("canceled_at", "created")
_SECOND_US = 1_000_000


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


def search_intents(
    connection: Connection, query: Query, *, merchant_id: str, mode: Mode, limit: int, after: str | None
) -> tuple[list[Intent], bool]:
    """At most `limit` that match, newest first, behind the intent `after`; and whether there are more.

    Raises `NotFoundError` for an unknown `after`.
    """
    conditions = [_condition(clause) for clause in query.clauses]
    own = select(intents).where(
        intents.c.merchant_id == merchant_id,
        intents.c.mode == mode,
        or_(*conditions) if query.joint == "OR" else and_(*conditions),
    )
    place = (intents.c.created_us, intents.c.id)
    if after is not None:
        cursor = load_intent(connection, after, merchant_id=merchant_id, mode=mode)
        own = own.where(tuple_(*place) < (cursor.created_us, cursor.id))
    newest = own.order_by(*(column.desc() for column in place)).limit(limit + 1)
    found = [intent_of(row) for row in connection.execute(newest)]
    return found[:limit], len(found) > limit


def _condition(clause: Clause) -> ColumnElement[bool]:
    """True or false and never null, so that its negation holds for what is not there."""
    if clause.field == "metadata":
        column: Any = Member(intents.c.metadata_json, literal(clause.key, Text))
    else:
        column = COLUMNS[clause.field]
    if clause.value is None:
        holds: ColumnElement[bool] = column.is_(None)
    else:
        holds = and_(column.is_not(None), _compared(column, clause))
    return not_(holds) if clause.negated else holds


def _compared(column: Any, clause: Clause) -> ColumnElement[bool]:
    if isinstance(clause.value, str):
        text = clause.value.lower() if clause.field == "currency" else clause.value
        matches: ColumnElement[bool] = column == text
        if clause.sign == "~":
            matches = func.lower(column).contains(text.lower(), autoescape=True)
        return matches
    low = high = clause.value or 0
    if clause.field in _IN_SECONDS:
        # A second is all its microseconds.
        low, high = low * _SECOND_US, low * _SECOND_US + _SECOND_US - 1
    comparisons: dict[str, Any] = {
        ":": and_(column >= low, column <= high),
        ">": column > high,
        ">=": column >= low,
        "<": column < low,
        "<=": column <= high,
    }
    return comparisons[clause.sign]  # type: ignore[no-any-return]  # a column's comparison
