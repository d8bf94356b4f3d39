"""Advices, captures and reversals, as rows: plain functions over one open transaction."""

import sqlite3
from typing import Literal

import msgspec

AdviceKind = Literal["capture", "reversal"]


class Advice(msgspec.Struct, frozen=True, kw_only=True):
    """What the acquirer must hear, again and again until it answers. Fields as in `Attempt`."""

    attempt_id: str
    kind: AdviceKind
    first_type: str
    amount_minor: int
    stan: int
    transmitted_at: str
    transmissions: int
    state: Literal["waiting", "accepted", "refused"] = "waiting"
    response: str | None = None


_COLUMNS = ", ".join(Advice.__struct_fields__)


def find(database: sqlite3.Connection, attempt_id: str, kind: AdviceKind) -> Advice | None:
    """The advice of that kind about the attempt, None where there is none."""
    row = database.execute(
        f"SELECT {_COLUMNS} FROM advices WHERE attempt_id = ? AND kind = ?",  # noqa: S608  # column names
        (attempt_id, kind),
    ).fetchone()
    return None if row is None else Advice(**dict(zip(Advice.__struct_fields__, row, strict=True)))


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
        "UPDATE advices SET transmissions = ?, state = ?, response = ? WHERE attempt_id = ? AND kind = ?",
        (advice.transmissions, advice.state, advice.response, advice.attempt_id, advice.kind),
    )


def waiting(database: sqlite3.Connection) -> list[tuple[str, AdviceKind]]:
    """Attempt and kind of every advice that the acquirer has not answered."""
    return list(database.execute("SELECT attempt_id, kind FROM advices WHERE state = 'waiting'"))
