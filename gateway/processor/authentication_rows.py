"""Authentications of cardholders, as rows: plain functions over one open transaction.

```
(none) ─▶ waiting ─▶ cleared ─▶ done      waiting for the cardholder; cleared: to be authorized from now on;
   │         └─────▶ refused              refused: never to be authorized; done: the attempt has its end
   └───▶ cleared, refused                 where nobody has to do anything
```
"""

import sqlite3
from typing import Literal

import msgspec

from gateway.processor_port import Authentication, AuthenticationResult, AuthorizationRequest

State = Literal["waiting", "cleared", "refused", "done"]
Flow = Literal["frictionless", "challenge"]


class AuthenticationRow(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt's authentication; `secret` is in the address to which its cardholder comes back.

    `request` is asked again once it is cleared. `expires_us` is wall time, `asked_us` business time. `card`
    is its name in `challenge_bound`; who is refused without a `result` had been challenged too often.
    """

    attempt_id: str
    request: bytes
    state: State
    flow: Flow
    transaction_id: str
    secret: str
    url: str | None
    result: AuthenticationResult | None
    eci: str | None
    proof: str | None
    expires_us: int
    card: str | None = None
    asked_us: int = 0

    def __repr__(self) -> str:
        return f"AuthenticationRow({self.attempt_id!r}, {self.state!r})"

    @property
    def is_open(self) -> bool:
        """Whether it waits for its cardholder or for the authorization."""
        return self.state in ("waiting", "cleared")

    def asked(self) -> AuthorizationRequest:
        """The request of the attempt."""
        return msgspec.json.decode(self.request, type=AuthorizationRequest)

    def told(self) -> Authentication | None:
        """What the API is told of it; None while it is not known."""
        if self.result is None:
            return None
        return Authentication(
            result=self.result, flow=self.flow, eci=self.eci, liability_shifted=self.eci is not None
        )


_COLUMNS = ", ".join(AuthenticationRow.__struct_fields__)
_SELECT = f"SELECT {_COLUMNS} FROM authentications"  # noqa: S608  # column names


def find(database: sqlite3.Connection, attempt_id: str) -> AuthenticationRow | None:
    """The attempt's authentication, None where there is none."""
    return _one(database.execute(f"{_SELECT} WHERE attempt_id = ?", (attempt_id,)).fetchone())


def find_by_secret(database: sqlite3.Connection, secret: str) -> AuthenticationRow | None:
    """The authentication whose cardholder comes back to this address."""
    return _one(database.execute(f"{_SELECT} WHERE secret = ?", (secret,)).fetchone())


def put(database: sqlite3.Connection, row: AuthenticationRow) -> AuthenticationRow:
    """Keep a new authentication, or where it stands now."""
    marks = ", ".join("?" * len(AuthenticationRow.__struct_fields__))
    database.execute(
        f"INSERT OR REPLACE INTO authentications ({_COLUMNS}) VALUES ({marks})",  # noqa: S608  # column names
        msgspec.structs.astuple(row),
    )
    return row


def open_ones(database: sqlite3.Connection) -> list[str]:
    """Attempts that wait for a cardholder or an authorization."""
    # Asked for every half minute: in no order, which would keep SQLite from the index of the open ones.
    rows = database.execute("SELECT attempt_id FROM authentications WHERE state IN ('waiting', 'cleared')")
    return [attempt_id for (attempt_id,) in rows]


def forget_ended(database: sqlite3.Connection, before_us: int, limit: int) -> int:
    """Delete those that have their end and whose time was over before, so many at most; how many it was."""
    return database.execute(
        "DELETE FROM authentications WHERE rowid IN (SELECT rowid FROM authentications"
        " WHERE state IN ('refused', 'done') AND expires_us < ? LIMIT ?)",
        (before_us, limit),
    ).rowcount


def _one(row: tuple[object, ...] | None) -> AuthenticationRow | None:
    return None if row is None else _row(row)


def _row(row: tuple[object, ...]) -> AuthenticationRow:
    members = dict(zip(AuthenticationRow.__struct_fields__, row, strict=True))
    return AuthenticationRow(**members)  # type: ignore[arg-type]  # columns have the members' types
