"""The learner's own database: features as scored until their label comes, its state, positions and outbox.

One transaction holds all that a stretch of events led to, with the positions up to which they were read: so
each event is learned exactly once, and what must be published is published at least once, under ids and
versions that consumers know again. A payment is forgotten `keep_days` after its time, whatever is said then.
"""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from events.crash import crash_point, declare
from events.log.port import Outgoing
from models.features import Row
from models.labels import Standing
from models.scored import Found, Scored, Settled
from models.slots import NUMERIC, Matrix
from models.windows import DAY_US
from pipelines.errors import StateCorruptError, StateFormatError

declare(
    {
        "learning.state.writing": "events are learned, nothing of it is durable",
        "learning.state.committed": "state, positions and outbox are durable, nothing is published",
    }
)

FORMAT = 1
KEEP_DAYS = 120.0
"""As long as cardholders may dispute a payment."""

QUESTION_MARKS = 500
"""Payments asked for in one statement."""

FIND = "SELECT payment, at_us, row, fraud, rank, arrived_us FROM scored WHERE payment IN (?)"

SCHEMA = """
CREATE TABLE about (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE positions (place TEXT PRIMARY KEY, next INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE learner (one INTEGER PRIMARY KEY CHECK (one = 1), state BLOB NOT NULL, now_us INTEGER NOT NULL);
CREATE TABLE scored (
    payment TEXT PRIMARY KEY, at_us INTEGER NOT NULL, row BLOB NOT NULL,
    fraud INTEGER, rank INTEGER, arrived_us INTEGER, told INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX scored_at ON scored (at_us);
CREATE INDEX scored_silent ON scored (at_us, payment) WHERE fraud IS NULL AND told = 0;
CREATE TABLE captured (payment TEXT PRIMARY KEY, at_us INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX captured_at ON captured (at_us);
CREATE TABLE history (
    payment TEXT PRIMARY KEY, arrived_us INTEGER NOT NULL, fraud INTEGER NOT NULL, numbers BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX history_arrived ON history (arrived_us, payment);
CREATE TABLE outbox (number INTEGER PRIMARY KEY, topic TEXT NOT NULL, key BLOB NOT NULL, value BLOB);
INSERT INTO about VALUES ('format', {format});
"""

_encode_row = msgspec.msgpack.Encoder().encode
_decode_row = msgspec.msgpack.Decoder(Row).decode


class Unsent(NamedTuple):
    """A record of the outbox."""

    number: int
    outgoing: Outgoing


class LearningStore:
    """See `models.scored.ScoredStore` for the rows. Used by one thread of one process."""

    def __init__(self, path: Path, keep_days: float = KEEP_DAYS) -> None:
        """Raises `StateFormatError`, `StateCorruptError`."""
        self._keep_us = int(keep_days * DAY_US)
        fresh = not path.exists() or path.stat().st_size == 0
        path.parent.mkdir(parents=True, exist_ok=True)
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            if fresh:
                self._connection.executescript("BEGIN;" + SCHEMA.format(format=FORMAT) + "COMMIT;")
            self._check(path)
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:
            raise StateCorruptError(f"{path} is damaged ({error}). {_ways_out(path)}") from error

    def remember(self, scored: Sequence[Scored]) -> None:
        """Keep rows; a payment scored again keeps its label and gets the newer row."""
        if not scored:
            return
        self._begin()
        self._connection.executemany(
            "INSERT INTO scored (payment, at_us, row) VALUES (?, ?, ?) "
            "ON CONFLICT (payment) DO UPDATE SET at_us = excluded.at_us, row = excluded.row",
            [(payment, at_us, _encode_row(row)) for payment, at_us, row in scored],
        )
        self._forget(scored[-1].occurred_at_us - self._keep_us)

    def find(self, payment_ids: Sequence[str]) -> dict[str, Found]:
        """The payments that are known, of those asked for, in the order asked for."""
        found: dict[str, Found] = {}
        for first in range(0, len(payment_ids), QUESTION_MARKS):
            part = payment_ids[first : first + QUESTION_MARKS]
            marks = ",".join("?" * len(part))
            rows = self._connection.execute(FIND.replace("?", marks), part)
            for payment, at_us, row, fraud, rank, arrived_us in rows:
                standing = None if fraud is None else Standing(bool(fraud), rank, arrived_us)
                found[payment] = Found(at_us, _decode_row(row), standing)
        return {payment: found[payment] for payment in payment_ids if payment in found}

    def settle(self, settled: Sequence[Settled]) -> None:
        """Put labels in force; for one payment the last counts."""
        if not settled:
            return
        self._begin()
        self._connection.executemany(
            "UPDATE scored SET fraud = ?, rank = ?, arrived_us = ? WHERE payment = ?",
            [(s.standing.fraud, s.standing.rank, s.standing.arrived_at_us, s.payment_id) for s in settled],
        )
        self._connection.executemany(
            "DELETE FROM history WHERE payment = ?", [(one.payment_id,) for one in settled]
        )
        self._connection.executemany(
            "INSERT OR REPLACE INTO history VALUES (?, ?, ?, ?)",
            [
                (one.payment_id, one.standing.arrived_at_us, one.standing.fraud, one.numbers)
                for one in settled
                if one.numbers is not None
            ],
        )

    def history(self, after_us: int, until_us: int) -> tuple[Matrix, npt.NDArray[np.bool_]]:
        """Numbers and labels of the history in (after, until], by arrival; what is older is dropped."""
        self._begin()
        self._connection.execute("DELETE FROM history WHERE arrived_us <= ?", (after_us,))
        rows = self._connection.execute(
            "SELECT fraud, numbers FROM history WHERE arrived_us <= ? ORDER BY arrived_us, payment",
            (until_us,),
        ).fetchall()
        packed = b"".join(numbers for _, numbers in rows)
        frauds = np.array([fraud for fraud, _ in rows], dtype=bool)
        return np.frombuffer(packed).reshape(len(rows), len(NUMERIC)), frauds

    def silent(self, until_us: int, limit: int) -> list[tuple[str, int]]:
        """(payment, time) of captured payments up to that time without a label, oldest first.

        A payment whose money never moved says nothing by being silent.
        """
        return [
            (str(payment), int(at_us))
            for payment, at_us in self._connection.execute(
                "SELECT scored.payment, scored.at_us FROM scored JOIN captured USING (payment) "
                "WHERE fraud IS NULL AND told = 0 AND scored.at_us <= ? "
                "ORDER BY scored.at_us, scored.payment LIMIT ?",
                (until_us, limit),
            )
        ]

    def note_captured(self, payments: Iterable[tuple[str, int]]) -> None:
        """(payment, time): their money moved."""
        self._begin()
        self._connection.executemany("INSERT OR IGNORE INTO captured VALUES (?, ?)", payments)

    def note_told(self, payment_ids: Iterable[str]) -> None:
        """Labels of these payments have come or are on their way: they are not silent any more."""
        self._begin()
        self._connection.executemany(
            "UPDATE scored SET told = 1 WHERE payment = ?", [(payment,) for payment in payment_ids]
        )

    def publish(self, records: Iterable[Outgoing]) -> None:
        """Put records into the outbox, in order."""
        self._begin()
        self._connection.executemany(
            "INSERT INTO outbox (topic, key, value) VALUES (?, ?, ?)",
            [(record.topic, record.key, record.value) for record in records],
        )

    def unsent(self) -> list[Unsent]:
        """The outbox, in order."""
        rows = self._connection.execute("SELECT number, topic, key, value FROM outbox ORDER BY number")
        return [Unsent(number, Outgoing(topic, key, value)) for number, topic, key, value in rows]

    def sent(self, number: int) -> None:
        """The outbox is in the log up to and with `number`. Durable with the next commit."""
        self._begin()
        self._connection.execute("DELETE FROM outbox WHERE number <= ?", (number,))

    def positions(self) -> dict[str, int]:
        """Next offset by `topic/partition`, as last committed."""
        return dict(self._connection.execute("SELECT place, next FROM positions"))

    def learner(self) -> tuple[bytes, int] | None:
        """The learner's state and the latest event time it knew; None before the first commit."""
        row = self._connection.execute("SELECT state, now_us FROM learner").fetchone()
        return None if row is None else (bytes(row[0]), int(row[1]))

    def commit(self, state: bytes, now_us: int, positions: Mapping[str, int]) -> None:
        """Make everything since the last commit durable, with the learner's state and the positions."""
        self._begin()
        self._connection.execute("INSERT OR REPLACE INTO learner VALUES (1, ?, ?)", (state, now_us))
        self._connection.executemany("INSERT OR REPLACE INTO positions VALUES (?, ?)", positions.items())
        crash_point("learning.state.writing")
        self._connection.execute("COMMIT")
        crash_point("learning.state.committed")

    def close(self) -> None:
        """What was not committed is forgotten, and read again next time."""
        self._connection.close()

    def _forget(self, before_us: int) -> None:
        self._connection.execute("DELETE FROM scored WHERE at_us < ?", (before_us,))
        self._connection.execute("DELETE FROM captured WHERE at_us < ?", (before_us,))

    def _begin(self) -> None:
        if not self._connection.in_transaction:
            self._connection.execute("BEGIN IMMEDIATE")

    def _check(self, path: Path) -> None:
        with closing(self._connection.execute("SELECT value FROM about WHERE name = 'format'")) as found:
            (number,) = found.fetchone()
        if number != FORMAT:
            raise StateFormatError(
                f"{path} has format {number}, this build reads {FORMAT}. {_ways_out(path)}"
            )
        verdict = self._connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if verdict != "ok":
            raise sqlite3.DatabaseError(verdict)


def _ways_out(path: Path) -> str:
    return (
        f"Restore the whole folder {path.parent} from a backup, or delete it: the learner then learns again "
        "from the start of the log."
    )
