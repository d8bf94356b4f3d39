"""The network's and its issuers' books in one SQLite file: keyed fingerprints, never a card number."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from events.crash import crash_point, declare
from simulator.acquirer import issuers
from simulator.acquirer.issuers import Account, History
from simulator.acquirer.records import (
    AUTHORIZATION_COLUMNS,
    SCHEMA,
    Authorization,
    Key,
    Operation,
    authorization,
    authorization_row,
)

declare(
    {
        "acquirer.books.committing": "what the acquirer decided is written, not durable, nobody was answered",
        "acquirer.books.committed": "what the acquirer decided is durable, nobody was answered",
        "acquirer.tables.writing": "the tables that the books lacked are written, not durable",
        "acquirer.tables.committed": "the books have their tables",
    }
)


class Books:
    """Reads and writes within a transaction that the caller opens with `together`."""

    def __init__(self, path: Path | str) -> None:
        # The server commits in a worker thread, one batch at a time.
        self._database = sqlite3.connect(path, timeout=5, isolation_level=None, check_same_thread=False)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=FULL")
        (applied,) = self._database.execute("PRAGMA user_version").fetchone()
        for version, statements in enumerate(SCHEMA[applied:], applied + 1):
            self._database.executescript(f"BEGIN IMMEDIATE;{statements}PRAGMA user_version={version};")
            crash_point("acquirer.tables.writing")
            self._database.execute("COMMIT")
            crash_point("acquirer.tables.committed")

    @contextmanager
    def together(self) -> Iterator[None]:
        """One transaction: durable at the end of the block, undone where it raises."""
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
            crash_point("acquirer.books.committing")
            self._database.execute("COMMIT")
        except BaseException:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise
        crash_point("acquirer.books.committed")

    def account(self, fingerprint: str, at: datetime) -> Account | None:
        """The card's account with its statement period brought up to date; None where it was never met."""
        row = self._database.execute(
            f"SELECT {_ACCOUNT} FROM accounts WHERE fingerprint = ?",  # noqa: S608  # column names
            (fingerprint,),
        ).fetchone()
        if row is None:
            return None
        account = _account(row)
        now = issuers.brought_up_to(account, at)
        if now != account:
            self.put_account(now)
        return now

    def put_account(self, account: Account) -> None:
        """Write an account, new or changed."""
        values = [getattr(account, name) for name in _ACCOUNT_COLUMNS]
        self._database.execute(
            f"REPLACE INTO accounts ({_ACCOUNT}) VALUES ({', '.join('?' * len(values))})",  # noqa: S608  # column names
            [value.isoformat() if isinstance(value, datetime) else value for value in values],
        )

    def history(self, fingerprint: str, at: datetime) -> History:
        """What the card did before `at`."""
        hour, day = (self._count(fingerprint, _APPROVED, at, span) for span in _SPANS)
        (held_minor,) = self._database.execute(
            "SELECT coalesce(sum(held_minor), 0) FROM authorizations"
            " WHERE fingerprint = ? AND at > ? AND state = 'approved'",
            (fingerprint, (at - issuers.HOLD_PERIOD).isoformat()),
        ).fetchone()
        declines = self._count(fingerprint, _DECLINED, at, issuers.SUSPICIOUS_PERIOD)
        return History(held_minor, hour, day, declines, self._usual_minor(fingerprint))

    def find(self, key: Key) -> Authorization | None:
        """The authorization or increment under this key; None where there is none."""
        row = self._database.execute(
            f"SELECT {_COLUMNS} FROM authorizations WHERE {_BY_KEY}",  # noqa: S608  # column names
            key,
        ).fetchone()
        return None if row is None else authorization(row)

    def increments(self, original: Key) -> list[Authorization]:
        """The approved increments of an authorization that stand."""
        rows = self._database.execute(
            f"SELECT {_COLUMNS} FROM authorizations WHERE acquirer = ? AND reference = ?"  # noqa: S608  # column names
            " AND original_stan = ? AND original_transmitted_at = ? AND state = 'approved'",
            original,
        )
        return [authorization(row) for row in rows]

    def put(self, one: Authorization) -> None:
        """Write an authorization, new or changed."""
        marks = ", ".join("?" * len(AUTHORIZATION_COLUMNS))
        self._database.execute(
            f"REPLACE INTO authorizations ({_COLUMNS}) VALUES ({marks})",  # noqa: S608  # column names
            authorization_row(one),
        )

    def find_operation(self, key: Key) -> Operation | None:
        """The advice that was answered under this key; None where there is none."""
        row = self._database.execute(
            f"SELECT amount_minor, response FROM operations WHERE {_BY_KEY}",  # noqa: S608  # column names
            key,
        ).fetchone()
        return None if row is None else Operation(key, *row)

    def put_operation(self, operation: Operation) -> None:
        """Write how an advice was answered."""
        self._database.execute(
            "INSERT INTO operations VALUES (?, ?, ?, ?, ?, ?)",
            (*operation.key, operation.amount_minor, operation.response),
        )

    def post(self, key: Key, account: str, amount_minor: int, currency: str) -> None:
        """One line of money moved; the lines of a capture or refund add up to nothing."""
        self._database.execute(
            "INSERT INTO postings (reference, stan, account, amount_minor, currency) VALUES (?, ?, ?, ?, ?)",
            (key.reference, key.stan, account, amount_minor, currency),
        )

    def postings(self) -> list[tuple[str, int, str]]:
        """Account, amount and currency of every line, oldest first."""
        return list(
            self._database.execute("SELECT account, amount_minor, currency FROM postings ORDER BY id")
        )

    def states(self) -> list[str]:
        """The state of every authorization."""
        return [row[0] for row in self._database.execute("SELECT state FROM authorizations")]

    def moments(self) -> list[datetime]:
        """When each authorization was asked for."""
        return [
            datetime.fromisoformat(row[0]) for row in self._database.execute("SELECT at FROM authorizations")
        ]

    def close(self) -> None:
        """Close the database."""
        self._database.close()

    def _count(self, fingerprint: str, which: str, at: datetime, span: timedelta) -> int:
        row = self._database.execute(
            f"SELECT count(*) FROM authorizations WHERE fingerprint = ? AND at > ? AND at <= ? AND {which}",  # noqa: S608  # `which` is one of two constants above
            (fingerprint, (at - span).isoformat(), at.isoformat()),
        ).fetchone()
        return int(row[0])

    def _usual_minor(self, fingerprint: str) -> float | None:
        rows = self._database.execute(
            f"SELECT billed_minor FROM authorizations WHERE fingerprint = ? AND {_APPROVED}"  # noqa: S608  # a constant
            " ORDER BY at DESC LIMIT 20",
            (fingerprint,),
        ).fetchall()
        if len(rows) < issuers.SUDDEN_SIZE_HISTORY_MIN:
            return None
        return float(sum(row[0] for row in rows) / len(rows))


_COLUMNS = ", ".join(AUTHORIZATION_COLUMNS)
_BY_KEY = "acquirer = ? AND reference = ? AND stan = ? AND transmitted_at = ?"
_ACCOUNT_COLUMNS = tuple(field.name for field in fields(Account))
_ACCOUNT = ", ".join(_ACCOUNT_COLUMNS)
_APPROVED = "response IN ('00', '10')"
# Of a payment that the network refused in its place (91) an issuer knows nothing.
_DECLINED = "response NOT IN ('00', '10', '91')"
_SPANS = (timedelta(hours=1), timedelta(days=1))


def _account(row: tuple[Any, ...]) -> Account:
    members: dict[str, Any] = dict(zip(_ACCOUNT_COLUMNS, row, strict=True))
    started = datetime.fromisoformat(members["period_started"])
    return Account(**{**members, "period_started": started, "abroad": bool(members["abroad"])})
