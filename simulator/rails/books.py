"""Orders, refunds and notices in one SQLite file; every change is durable before anybody hears of it."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple, fields
from pathlib import Path
from typing import Literal, NamedTuple

from events.crash import crash_point, declare
from simulator.rails.orders import Order

declare(
    {
        "rails.books.writing": "a change of the rails' orders is written, not durable",
        "rails.books.written": "a change of the rails' orders is durable, nobody was told",
    }
)

_SCHEMA = """
CREATE TABLE IF NOT EXISTS orders (
    order_id TEXT PRIMARY KEY, method TEXT NOT NULL, provider TEXT NOT NULL, handle TEXT NOT NULL,
    amount_minor INTEGER NOT NULL, currency TEXT NOT NULL, merchant TEXT NOT NULL, return_url TEXT NOT NULL,
    is_test INTEGER NOT NULL, secret TEXT NOT NULL UNIQUE, opened_us INTEGER NOT NULL,
    expires_us INTEGER NOT NULL, state TEXT NOT NULL, reason TEXT, returned_minor INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS orders_pending ON orders (order_id) WHERE state = 'pending';
CREATE TABLE IF NOT EXISTS refunds (
    order_id TEXT NOT NULL, refund_id TEXT NOT NULL, amount_minor INTEGER NOT NULL, accepted INTEGER NOT NULL,
    PRIMARY KEY (order_id, refund_id)
) STRICT;
CREATE TABLE IF NOT EXISTS notices (
    order_id TEXT PRIMARY KEY, left_count INTEGER NOT NULL, tries INTEGER NOT NULL, due_us INTEGER NOT NULL
) STRICT;
"""
_COLUMNS = tuple(field.name for field in fields(Order))
_PLACES = ", ".join("?" * len(_COLUMNS))


class Notice(NamedTuple):
    """A member is to be told of an order `left` times more; `tries` counts those that failed."""

    order_id: str
    left: int
    tries: int
    due_us: int


class RailsBooks:
    """One file, or memory."""

    def __init__(self, path: Path | Literal[":memory:"]) -> None:
        self._database = sqlite3.connect(path, isolation_level=None)
        self._database.execute("PRAGMA journal_mode=WAL")
        self._database.execute("PRAGMA synchronous=FULL")
        self._make_tables()

    @contextmanager
    def together(self) -> Iterator[None]:
        """What is changed within becomes durable as one when it ends."""
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._database.execute("ROLLBACK")
            raise
        crash_point("rails.books.writing")
        self._database.execute("COMMIT")
        crash_point("rails.books.written")

    def order(self, order_id: str) -> Order | None:
        """The order of that id."""
        return self._one("order_id", order_id)

    def order_of_page(self, secret: str) -> Order | None:
        """The order whose page has this address."""
        return self._one("secret", secret)

    def pending(self) -> list[Order]:
        """What waits for its payer."""
        rows = self._database.execute(f"SELECT {', '.join(_COLUMNS)} FROM orders WHERE state = 'pending'")  # noqa: S608  # column names
        return [Order(*row) for row in rows]

    def keep(self, order: Order) -> Order:
        """Write an order, new or changed."""
        self._database.execute(f"REPLACE INTO orders VALUES ({_PLACES})", astuple(order))  # noqa: S608  # marks
        return order

    def refund(self, order_id: str, refund_id: str) -> bool | None:
        """Whether a refund was accepted; None where it was never asked for."""
        row = self._database.execute(
            "SELECT accepted FROM refunds WHERE order_id = ? AND refund_id = ?", (order_id, refund_id)
        ).fetchone()
        return None if row is None else bool(row[0])

    def keep_refund(self, order_id: str, refund_id: str, amount_minor: int, *, accepted: bool) -> None:
        """Write what became of a refund."""
        row = (order_id, refund_id, amount_minor, int(accepted))
        self._database.execute("INSERT INTO refunds VALUES (?, ?, ?, ?)", row)

    def keep_notice(self, notice: Notice) -> None:
        """Write what is still to be told; nothing, where nothing is left."""
        self._database.execute("DELETE FROM notices WHERE order_id = ?", (notice.order_id,))
        if notice.left > 0:
            self._database.execute("INSERT INTO notices VALUES (?, ?, ?, ?)", notice)

    def notices(self, now_us: int) -> list[Notice]:
        """What is to be told now."""
        rows = self._database.execute("SELECT * FROM notices WHERE due_us <= ? ORDER BY due_us", (now_us,))
        return [Notice(*row) for row in rows]

    def moved_minor(self) -> int:
        """What payers have paid, less what they got back."""
        row = self._database.execute(
            "SELECT coalesce(sum(amount_minor - returned_minor), 0) FROM orders WHERE state = 'paid'"
        ).fetchone()
        return int(row[0])

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _make_tables(self) -> None:
        crash_point("rails.books.writing")
        self._database.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")
        crash_point("rails.books.written")

    def _one(self, column: str, value: str) -> Order | None:
        row = self._database.execute(
            f"SELECT {', '.join(_COLUMNS)} FROM orders WHERE {column} = ?",  # noqa: S608  # column names
            (value,),
        ).fetchone()
        return None if row is None else Order(*row)
