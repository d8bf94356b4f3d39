"""Attempts to authorize, as rows: plain functions over one open transaction.

```
(none) ─▶ sending ─▶ approved ─▶ captured      an attempt stays `sending` only while its answer is awaited;
   │         │  └──▶ declined                  one that is found so at start is in doubt and gets reversed
   │         └─────▶ reversed ◀─ approved
   └───────────────▶ reversed                  asked to reverse before it was ever heard of

declined ─▶ sending                             its issuer had asked for a proof, and here it is
```
"""

import sqlite3
from typing import Literal

import msgspec

from gateway.processor_port import AdviceCode

AttemptStatus = Literal["sending", "approved", "declined", "captured", "reversed"]


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt, as the processor keeps it; the API's side of it is `gateway.payments.intents.Attempt`.

    `stan`, `reference` and `transmitted_at` are fields 11, 37 and 7 of its authorization. `amount_minor` is
    what was asked for, `authorized_minor` what the issuer holds, with increments, `eci` how its cardholder
    was authenticated, if at all.
    """

    attempt_id: str
    token: str
    merchant_id: str
    merchant_category: str | None
    amount_minor: int
    currency: str
    stan: int
    reference: str
    transmitted_at: str
    status: AttemptStatus
    decline_code: str | None = None
    advice_code: AdviceCode | None = None
    approval_code: str | None = None
    authorized_minor: int = 0
    captured_minor: int = 0
    refunded_minor: int = 0
    eci: str | None = None


_COLUMNS = ", ".join(Attempt.__struct_fields__)
_CHANGING = (
    "stan",
    "reference",
    "transmitted_at",
    "eci",
    "status",
    "decline_code",
    "advice_code",
    "approval_code",
    "authorized_minor",
    "captured_minor",
    "refunded_minor",
)
_CHANGES = ", ".join(f"{name} = ?" for name in _CHANGING)


def next_stan(database: sqlite3.Connection, largest: int) -> int:
    """The next trace number, 1 to `largest`, and then from 1 again."""
    row = database.execute(
        "UPDATE counters SET value = value % ? + 1 WHERE name = 'stan' RETURNING value", (largest,)
    ).fetchone()
    return int(row[0])


def find(database: sqlite3.Connection, attempt_id: str) -> Attempt | None:
    """The attempt, None where it was never heard of."""
    row = database.execute(
        f"SELECT {_COLUMNS} FROM attempts WHERE attempt_id = ?",  # noqa: S608  # column names
        (attempt_id,),
    ).fetchone()
    return None if row is None else Attempt(**dict(zip(Attempt.__struct_fields__, row, strict=True)))


def insert(database: sqlite3.Connection, attempt: Attempt) -> None:
    """Keep a new attempt."""
    marks = ", ".join("?" * len(Attempt.__struct_fields__))
    database.execute(
        f"INSERT INTO attempts ({_COLUMNS}) VALUES ({marks})",  # noqa: S608  # column names
        msgspec.structs.astuple(attempt),
    )


def update(database: sqlite3.Connection, attempt: Attempt) -> Attempt:
    """Record where the attempt stands now."""
    database.execute(
        f"UPDATE attempts SET {_CHANGES} WHERE attempt_id = ?",  # noqa: S608  # column names
        (*(getattr(attempt, name) for name in _CHANGING), attempt.attempt_id),
    )
    return attempt


def in_doubt(database: sqlite3.Connection) -> list[str]:
    """The attempts whose authorization may have left and whose answer nobody knows."""
    return [row[0] for row in database.execute("SELECT attempt_id FROM attempts WHERE status = 'sending'")]
