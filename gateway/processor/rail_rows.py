"""Orders at the rails, and what was done with their money, as rows: plain functions over one transaction.

```
(none) ─▶ opening ─▶ waiting ─▶ approved ─▶ captured     approved: the money has come
   │         │          ├─────▶ declined  │
   │         └──────────┴─────▶ reversed ◀┘               reversed: it is, or was, given back
   └────────────────────────▶ reversed                    asked to reverse before it was ever heard of
```
"""

import sqlite3
from typing import Literal, NamedTuple

import msgspec

from events.vocabulary import AccountMethod

OrderState = Literal["opening", "waiting", "approved", "declined", "captured", "reversed"]
OperationKind = Literal["capture", "refund", "return"]
OperationState = Literal["waiting", "accepted", "refused"]


class RailOrder(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt over the rails. No handle is kept: the API brings it while the order is opened.

    `merchant` is as its payers know it, for it is they who read it.
    """

    attempt_id: str
    method: AccountMethod
    merchant: str
    amount_minor: int
    currency: str
    is_collect: int
    state: OrderState
    occurred_us: int
    decline_code: str | None = None
    url: str | None = None
    link: str | None = None
    expires_us: int | None = None
    reference: str | None = None
    captured_minor: int = 0
    refunded_minor: int = 0

    @property
    def is_tombstone(self) -> bool:
        """Whether it was reversed before it was ever heard of: it may as well have been a card's."""
        return self.amount_minor == 0


class OperationKey(NamedTuple):
    """What an operation is known by; `operation_id` is its caller's."""

    attempt_id: str
    kind: OperationKind
    operation_id: str


class RailOperation(msgspec.Struct, frozen=True, kw_only=True):
    """A capture, which needs nobody, or a refund or return of the rest, which is owed while `waiting`."""

    attempt_id: str
    kind: OperationKind
    operation_id: str
    amount_minor: int
    state: OperationState

    @property
    def key(self) -> OperationKey:
        """What it is known by."""
        return OperationKey(self.attempt_id, self.kind, self.operation_id)


_ORDER = ", ".join(RailOrder.__struct_fields__)
_OPERATION = ", ".join(RailOperation.__struct_fields__)


def find(database: sqlite3.Connection, attempt_id: str) -> RailOrder | None:
    """The order, None where it was never heard of."""
    row = database.execute(
        f"SELECT {_ORDER} FROM rail_orders WHERE attempt_id = ?",  # noqa: S608  # column names
        (attempt_id,),
    ).fetchone()
    return None if row is None else RailOrder(**dict(zip(RailOrder.__struct_fields__, row, strict=True)))


def put(database: sqlite3.Connection, order: RailOrder) -> RailOrder:
    """Keep an order, new or changed."""
    marks = ", ".join("?" * len(RailOrder.__struct_fields__))
    changed = ", ".join(f"{name} = excluded.{name}" for name in RailOrder.__struct_fields__)
    database.execute(
        f"INSERT INTO rail_orders ({_ORDER}) VALUES ({marks})"  # noqa: S608  # column names
        f" ON CONFLICT (attempt_id) DO UPDATE SET {changed}",
        msgspec.structs.astuple(order),
    )
    return order


def find_operation(
    database: sqlite3.Connection, attempt_id: str, kind: OperationKind, operation_id: str
) -> RailOperation | None:
    """What was asked for under this id."""
    row = database.execute(
        f"SELECT {_OPERATION} FROM rail_operations"  # noqa: S608  # column names
        " WHERE attempt_id = ? AND kind = ? AND operation_id = ?",
        (attempt_id, kind, operation_id),
    ).fetchone()
    return None if row is None else _operation(row)


def put_operation(database: sqlite3.Connection, operation: RailOperation) -> RailOperation:
    """Keep an operation, new or answered."""
    marks = ", ".join("?" * len(RailOperation.__struct_fields__))
    database.execute(
        f"INSERT INTO rail_operations ({_OPERATION}) VALUES ({marks})"  # noqa: S608  # column names
        " ON CONFLICT (attempt_id, kind, operation_id) DO UPDATE SET state = excluded.state",
        msgspec.structs.astuple(operation),
    )
    return operation


def waiting(database: sqlite3.Connection) -> list[OperationKey]:
    """What the rails have yet to be told."""
    rows = database.execute(
        "SELECT attempt_id, kind, operation_id FROM rail_operations WHERE state = 'waiting'"
    )
    return [OperationKey(*row) for row in rows]


def _operation(row: tuple[object, ...]) -> RailOperation:
    return msgspec.convert(dict(zip(RailOperation.__struct_fields__, row, strict=True)), RailOperation)
