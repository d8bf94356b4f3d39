"""Advices, which are captures, refunds and reversals, as rows: plain functions over one open transaction."""

import sqlite3
from typing import Any, Literal, NamedTuple

import msgspec

AdviceKind = Literal["capture", "refund", "reversal"]


class AdviceKey(NamedTuple):
    """What an advice is known by.

    `operation_id` is the caller's id of the capture or refund, or of the increment that is reversed; it is
    empty where what is left of the authorization is reversed.
    """

    attempt_id: str
    kind: AdviceKind
    operation_id: str


class Advice(msgspec.Struct, frozen=True, kw_only=True):
    """What the acquirer must hear, again and again until it answers. Fields as in `Attempt`.

    `final` releases what a capture leaves of its authorization. `original_stan` and
    `original_transmitted_at` are those of the increment that is reversed, else those of the attempt.
    """

    attempt_id: str
    kind: AdviceKind
    operation_id: str = ""
    first_type: str
    amount_minor: int
    final: bool = True
    stan: int
    transmitted_at: str
    original_stan: int | None = None
    original_transmitted_at: str | None = None
    transmissions: int
    state: Literal["waiting", "accepted", "refused"] = "waiting"
    response: str | None = None

    @property
    def key(self) -> AdviceKey:
        """What it is known by."""
        return AdviceKey(self.attempt_id, self.kind, self.operation_id)


_COLUMNS = ", ".join(Advice.__struct_fields__)
_BY_KEY = "attempt_id = ? AND kind = ? AND operation_id = ?"


def find(database: sqlite3.Connection, key: AdviceKey) -> Advice | None:
    """The advice, None where there is none."""
    row = database.execute(
        f"SELECT {_COLUMNS} FROM advices WHERE {_BY_KEY}",  # noqa: S608  # column names
        key,
    ).fetchone()
    return None if row is None else _advice(row)


def of_attempt(database: sqlite3.Connection, attempt_id: str) -> list[Advice]:
    """Everything that the acquirer must hear, or has heard, of one attempt."""
    rows = database.execute(
        f"SELECT {_COLUMNS} FROM advices WHERE attempt_id = ?",  # noqa: S608  # column names
        (attempt_id,),
    )
    return [_advice(row) for row in rows]


def insert(database: sqlite3.Connection, advice: Advice) -> None:
    """Keep a new advice."""
    marks = ", ".join("?" * len(Advice.__struct_fields__))
    database.execute(
        f"INSERT INTO advices ({_COLUMNS}) VALUES ({marks})",  # noqa: S608  # column names
        msgspec.structs.astuple(advice),
    )


def update(database: sqlite3.Connection, advice: Advice) -> None:
    """Record how often the advice was sent and what came back."""
    database.execute(
        f"UPDATE advices SET transmissions = ?, state = ?, response = ? WHERE {_BY_KEY}",  # noqa: S608  # column names
        (advice.transmissions, advice.state, advice.response, *advice.key),
    )


def waiting(database: sqlite3.Connection) -> list[AdviceKey]:
    """Every advice that the acquirer has not answered."""
    rows = database.execute("SELECT attempt_id, kind, operation_id FROM advices WHERE state = 'waiting'")
    return [AdviceKey(*row) for row in rows]


def _advice(row: tuple[Any, ...]) -> Advice:
    members = dict(zip(Advice.__struct_fields__, row, strict=True))
    return Advice(**{**members, "final": bool(members["final"])})
