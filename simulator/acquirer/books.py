"""The network's and its issuers' books in one SQLite file: keyed fingerprints, never a card number."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple, dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Literal, NamedTuple

from events.crash import crash_point, declare
from simulator.acquirer import issuers
from simulator.acquirer.issuers import Account, History

declare(
    {
        "acquirer.books.committing": "what the acquirer decided is written, not durable, nobody was answered",
        "acquirer.books.committed": "what the acquirer decided is durable, nobody was answered",
        "acquirer.tables.writing": "the tables that the books lacked are written, not durable",
        "acquirer.tables.committed": "the books have their tables",
    }
)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS accounts (
    fingerprint TEXT PRIMARY KEY, kind TEXT NOT NULL, limit_minor INTEGER NOT NULL,
    balance_minor INTEGER NOT NULL, expiry TEXT NOT NULL, status TEXT NOT NULL, period_started TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS authorizations (
    acquirer TEXT NOT NULL, reference TEXT NOT NULL, stan TEXT NOT NULL, transmitted_at TEXT NOT NULL,
    fingerprint TEXT, amount_minor INTEGER NOT NULL, currency TEXT NOT NULL, billed_minor INTEGER NOT NULL,
    at TEXT NOT NULL, state TEXT NOT NULL, response TEXT NOT NULL, approval_code TEXT,
    PRIMARY KEY (acquirer, reference, stan, transmitted_at)
) STRICT;
CREATE INDEX IF NOT EXISTS authorizations_by_card ON authorizations (fingerprint, at);
CREATE TABLE IF NOT EXISTS postings (
    id INTEGER PRIMARY KEY, reference TEXT NOT NULL, stan TEXT NOT NULL, account TEXT NOT NULL,
    amount_minor INTEGER NOT NULL, currency TEXT NOT NULL
) STRICT;
"""

State = Literal["approved", "declined", "reversed", "captured"]


class Key(NamedTuple):
    """What an authorization is known by: fields 32, 37, 11 and 7 of its request."""

    acquirer: str
    reference: str
    stan: str
    transmitted_at: str


@dataclass(frozen=True)
class Authorization:
    """One authorization as the network keeps it; `fingerprint` None: reversed before it ever came."""

    key: Key
    fingerprint: str | None
    amount_minor: int
    currency: str
    billed_minor: int
    at: datetime
    state: State
    response: str
    approval_code: str | None


class Books:
    """Reads and writes within a transaction that the caller opens with `together`."""

    def __init__(self, path: Path | str) -> None:
        # The server commits in a worker thread, one batch at a time.
        self._database = sqlite3.connect(path, timeout=5, isolation_level=None, check_same_thread=False)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=FULL")
        self._database.executescript(f"BEGIN IMMEDIATE;{_SCHEMA}")
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

    def account(self, fingerprint: str, expiry: str, at: datetime) -> Account:
        """The card's account, opened now if it is new, with its statement period brought up to date."""
        row = self._database.execute(
            "SELECT * FROM accounts WHERE fingerprint = ?", (fingerprint,)
        ).fetchone()
        if row is None:
            account = issuers.open_account(fingerprint, expiry, at)
            self._database.execute("INSERT INTO accounts VALUES (?, ?, ?, ?, ?, ?, ?)", _account_row(account))
            return account
        account = _account(row)
        renewed = replace(account, expiry=max(account.expiry, expiry))
        if at - account.period_started >= issuers.STATEMENT_PERIOD:
            renewed = replace(renewed, balance_minor=account.limit_minor, period_started=at)
        if renewed != account:
            self.put_account(renewed)
        return renewed

    def put_account(self, account: Account) -> None:
        """Write an account, new or changed."""
        self._database.execute("REPLACE INTO accounts VALUES (?, ?, ?, ?, ?, ?, ?)", _account_row(account))

    def history(self, fingerprint: str, at: datetime) -> History:
        """What the card did before `at`."""
        hour, day = (self._count(fingerprint, "response = '00'", at, span) for span in _SPANS)
        (held_minor,) = self._database.execute(
            "SELECT coalesce(sum(billed_minor), 0) FROM authorizations"
            " WHERE fingerprint = ? AND at > ? AND state = 'approved'",
            (fingerprint, (at - issuers.HOLD_PERIOD).isoformat()),
        ).fetchone()
        declines = self._count(fingerprint, "response <> '00'", at, issuers.SUSPICIOUS_PERIOD)
        return History(held_minor, hour, day, declines, self._usual_minor(fingerprint))

    def find(self, key: Key) -> Authorization | None:
        """The authorization under this key; None where there is none."""
        row = self._database.execute(
            "SELECT * FROM authorizations"
            " WHERE acquirer = ? AND reference = ? AND stan = ? AND transmitted_at = ?",
            key,
        ).fetchone()
        return None if row is None else _authorization(row)

    def put(self, authorization: Authorization) -> None:
        """Write an authorization, new or changed."""
        one = authorization
        self._database.execute(
            "REPLACE INTO authorizations VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *one.key,
                one.fingerprint,
                one.amount_minor,
                one.currency,
                one.billed_minor,
                one.at.isoformat(),
                one.state,
                one.response,
                one.approval_code,
            ),
        )

    def post(self, key: Key, account: str, amount_minor: int, currency: str) -> None:
        """One line of money moved; the lines of a capture add up to nothing."""
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
            "SELECT billed_minor FROM authorizations WHERE fingerprint = ? AND response = '00'"
            " ORDER BY at DESC LIMIT 20",
            (fingerprint,),
        ).fetchall()
        if len(rows) < issuers.SUDDEN_SIZE_HISTORY_MIN:
            return None
        return float(sum(row[0] for row in rows) / len(rows))


_SPANS = (timedelta(hours=1), timedelta(days=1))


def _account(row: tuple[Any, ...]) -> Account:
    members = [*row[:-1], datetime.fromisoformat(row[-1])]
    return Account(*members)


def _authorization(row: tuple[Any, ...]) -> Authorization:
    members = [Key(*row[:4]), *row[4:8], datetime.fromisoformat(row[8]), *row[9:]]
    return Authorization(*members)


def _account_row(account: Account) -> tuple[object, ...]:
    return (*astuple(account)[:6], account.period_started.isoformat())
