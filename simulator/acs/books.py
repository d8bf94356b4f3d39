"""Transactions of challenges in one SQLite file, durable before anybody hears of a change.

No card number is in it, and no code that could be found out without the issuers' secret.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import msgspec

from events.crash import crash_point, declare
from simulator.acs.challenge import Challenge

declare(
    {
        "issuers.challenges.writing": "a change of a challenge is written, not durable",
        "issuers.challenges.written": "a change of a challenge is durable, nobody was told",
    }
)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS transactions (
    transaction_id TEXT PRIMARY KEY, secret TEXT NOT NULL UNIQUE, kept_until REAL NOT NULL,
    content BLOB NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS transactions_by_age ON transactions (kept_until);
"""
_FORGET = """
DELETE FROM transactions WHERE kept_until <= ? OR transaction_id IN (
    SELECT transaction_id FROM transactions ORDER BY kept_until DESC LIMIT -1 OFFSET ?
)
"""


class Transaction(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be paid, and its challenge; `secret` is in the address of its page.

    `card` is the card's fingerprint, `salt` one part of the key under which codes are hashed; times are Unix
    seconds.
    """

    transaction_id: str
    secret: str
    card: str
    last4: str
    eci: str
    amount_minor: int
    currency: str
    merchant: str
    return_url: str
    salt: bytes
    kept_until: float
    challenge: Challenge


class ChallengeBooks:
    """One file, or memory; used by one thread at a time."""

    def __init__(self, path: Path | Literal[":memory:"]) -> None:
        self._database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=FULL")
        crash_point("issuers.challenges.writing")
        self._database.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")
        crash_point("issuers.challenges.written")

    def find(self, transaction_id: str) -> Transaction | None:
        """The transaction of that id."""
        return self._one("transaction_id", transaction_id)

    def of_page(self, secret: str) -> Transaction | None:
        """The transaction whose page has this address."""
        return self._one("secret", secret)

    def keep(self, one: Transaction) -> None:
        """Write a transaction, new or changed."""
        row = (one.transaction_id, one.secret, one.kept_until, msgspec.json.encode(one))
        with self._together():
            self._database.execute("REPLACE INTO transactions VALUES (?, ?, ?, ?)", row)

    def forget(self, now: float, count_max: int) -> None:
        """Delete what is kept no longer, and of more than `count_max` the oldest."""
        with self._together():
            self._database.execute(_FORGET, (now, count_max))

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    @contextmanager
    def _together(self) -> Iterator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        crash_point("issuers.challenges.writing")
        self._database.execute("COMMIT")
        crash_point("issuers.challenges.written")

    def _one(self, column: str, value: str) -> Transaction | None:
        row = self._database.execute(
            f"SELECT content FROM transactions WHERE {column} = ?",  # noqa: S608  # column names
            (value,),
        ).fetchone()
        return None if row is None else msgspec.json.decode(row[0], type=Transaction)
