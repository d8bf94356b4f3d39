"""Increments of authorizations, as rows: plain functions over one open transaction.

As an attempt, an increment is `sending` only while its answer is awaited; one that is found so is in doubt.
"""

import sqlite3
from typing import Literal

import msgspec

from gateway.processor_port import AdviceCode


class Increment(msgspec.Struct, frozen=True, kw_only=True):
    """More that is asked for on top of an authorization; `stan` and `transmitted_at` are its message's."""

    attempt_id: str
    increment_id: str
    amount_minor: int
    stan: int
    transmitted_at: str
    status: Literal["sending", "approved", "declined", "reversed"] = "sending"
    decline_code: str | None = None
    advice_code: AdviceCode | None = None


_COLUMNS = ", ".join(Increment.__struct_fields__)


def find(database: sqlite3.Connection, attempt_id: str, increment_id: str) -> Increment | None:
    """The increment, None where it was never asked for."""
    found = _select(database, "attempt_id = ? AND increment_id = ?", attempt_id, increment_id)
    return found[0] if found else None


def in_doubt(database: sqlite3.Connection, attempt_id: str) -> list[Increment]:
    """The attempt's increments that may have left and whose answer nobody knows."""
    return _select(database, "attempt_id = ? AND status = 'sending'", attempt_id)


def attempts_in_doubt(database: sqlite3.Connection) -> list[str]:
    """The attempts that have such increments."""
    rows = database.execute("SELECT DISTINCT attempt_id FROM increments WHERE status = 'sending'")
    return [row[0] for row in rows]


def insert(database: sqlite3.Connection, increment: Increment) -> None:
    """Keep a new increment."""
    marks = ", ".join("?" * len(Increment.__struct_fields__))
    database.execute(
        f"INSERT INTO increments ({_COLUMNS}) VALUES ({marks})",  # noqa: S608  # column names
        msgspec.structs.astuple(increment),
    )


def update(database: sqlite3.Connection, increment: Increment) -> None:
    """Record where the increment stands now."""
    database.execute(
        "UPDATE increments SET status = ?, decline_code = ?, advice_code = ?"
        " WHERE attempt_id = ? AND increment_id = ?",
        (
            increment.status,
            increment.decline_code,
            increment.advice_code,
            increment.attempt_id,
            increment.increment_id,
        ),
    )


def _select(database: sqlite3.Connection, condition: str, *values: str) -> list[Increment]:
    rows = database.execute(
        f"SELECT {_COLUMNS} FROM increments WHERE {condition}",  # noqa: S608  # constants
        values,
    )
    return [Increment(**dict(zip(Increment.__struct_fields__, row, strict=True))) for row in rows]
