"""The learner's own database: features as scored until their label comes, its state, positions and outbox.

One transaction holds all that a stretch of events led to, with the positions up to which they were read: so
each event is learned exactly once, and what must be published is published at least once, under ids and
versions that consumers know again. A payment is forgotten `keep_days` after its time, whatever is said then.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from events.crash import crash_point, declare
from events.log.port import Outgoing
from models.errors import StateRowError
from models.labels import Standing
from models.scored import Captured, Found, Kept, Labeled
from models.state import MEMORY_DAYS
from models.windows import DAY_US
from pipelines.errors import StateFormatError
from pipelines.state_file import StateFile

declare(
    {
        "learning.state.writing": "events are learned, nothing of it is durable",
        "learning.state.committed": "state, positions and outbox are durable, nothing is published",
    }
)

FORMAT = 7
"""Raised whenever the meaning of rows changes, the models' own included, and what `models.vectors` packs."""

FIND = """
SELECT payment, at_us, vector, fraud, rank, arrived_us FROM json_each(?) AS asked
JOIN scored ON scored.payment = asked.value
"""

SCHEMA = """
CREATE TABLE positions (place TEXT PRIMARY KEY, next INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE learner (one INTEGER PRIMARY KEY CHECK (one = 1), state BLOB NOT NULL, now_us INTEGER NOT NULL);
CREATE TABLE scored (
    payment TEXT PRIMARY KEY, at_us INTEGER NOT NULL, vector BLOB NOT NULL,
    fraud INTEGER, rank INTEGER, arrived_us INTEGER, told INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX scored_at ON scored (at_us);
CREATE INDEX scored_silent ON scored (at_us, payment) WHERE fraud IS NULL AND told = 0;
CREATE TABLE captured (
    payment TEXT PRIMARY KEY, at_us INTEGER NOT NULL, mode TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX captured_at ON captured (at_us);
CREATE TABLE returned (payment TEXT PRIMARY KEY, at_us INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX returned_at ON returned (at_us);
CREATE TABLE history (
    payment TEXT PRIMARY KEY, arrived_us INTEGER NOT NULL, fraud INTEGER NOT NULL, vector BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX history_arrived ON history (arrived_us, payment);
CREATE TABLE outbox (number INTEGER PRIMARY KEY, topic TEXT NOT NULL, key BLOB NOT NULL, value BLOB);
"""


class Unsent(NamedTuple):
    """A record of the outbox."""

    number: int
    outgoing: Outgoing


class LearningStore:
    """See `models.scored.ScoredStore` for the rows. Used by one thread of one process."""

    def __init__(self, path: Path, keep_days: float = MEMORY_DAYS) -> None:
        """Raises `StateFormatError`, `StateCorruptError`."""
        self._keep_us = int(keep_days * DAY_US)
        self._file = StateFile(
            path,
            schema=SCHEMA,
            format=FORMAT,
            ways_out=f"Restore the whole folder {path.parent} from one backup, or delete it: the "
            "learner then learns again from the start of the log.",
        )

    def remember(self, payments: Sequence[Kept]) -> None:
        """Keep vectors; a payment scored again keeps its label and gets the newer vector."""
        if not payments:
            return
        self._file.change_many(
            "INSERT INTO scored (payment, at_us, vector) VALUES (?, ?, ?) "
            "ON CONFLICT (payment) DO UPDATE SET at_us = excluded.at_us, vector = excluded.vector",
            payments,
        )
        self._forget(payments[-1].occurred_at_us - self._keep_us)

    def find(self, payment_ids: Sequence[str]) -> dict[str, Found]:
        """The payments that are known, of those asked for, in the order asked for."""
        rows = self._file.rows(FIND, (msgspec.json.encode(payment_ids).decode(),))
        found: dict[str, Found] = {}
        for payment, at_us, vector, fraud, rank, arrived_us in rows:
            standing = None if fraud is None else Standing(bool(fraud), rank, arrived_us)
            found[payment] = Found(at_us, vector, standing)
        return {payment: found[payment] for payment in payment_ids if payment in found}

    def label(self, labeled: Sequence[Labeled]) -> None:
        """Put labels in force; for one payment the last counts."""
        if not labeled:
            return
        self._file.change_many(
            "UPDATE scored SET fraud = ?, rank = ?, arrived_us = ? WHERE payment = ?",
            [(s.standing.fraud, s.standing.rank, s.standing.arrived_at_us, s.payment_id) for s in labeled],
        )
        self._file.change_many(
            "DELETE FROM history WHERE payment = ?", [(one.payment_id,) for one in labeled]
        )
        self._file.change_many(
            "INSERT OR REPLACE INTO history VALUES (?, ?, ?, ?)",
            [
                (one.payment_id, one.standing.arrived_at_us, one.standing.fraud, one.vector)
                for one in labeled
                if one.vector is not None
            ],
        )

    def history(self, after_us: int, until_us: int) -> list[tuple[bytes, bool]]:
        """Vectors and labels of the history in (after, until], by arrival; what is older is dropped."""
        self._file.change("DELETE FROM history WHERE arrived_us <= ?", (after_us,))
        rows = self._file.rows(
            "SELECT vector, fraud FROM history WHERE arrived_us <= ? ORDER BY arrived_us, payment",
            (until_us,),
        )
        return [(vector, bool(fraud)) for vector, fraud in rows]

    def silent(self, until_us: int, limit: int) -> list[Captured]:
        """Captured payments that stood, scored up to that time without a label or report, oldest first."""
        return [
            Captured(*row)
            for row in self._file.rows(
                "SELECT scored.payment, scored.at_us, mode FROM scored JOIN captured USING (payment) "
                "WHERE fraud IS NULL AND told = 0 AND scored.at_us <= ? "
                "AND scored.payment NOT IN (SELECT payment FROM returned) "
                "ORDER BY scored.at_us, scored.payment LIMIT ?",
                (until_us, limit),
            )
        ]

    def note_captured(self, payments: Iterable[Captured]) -> None:
        """Their money moved."""
        self._file.change_many("INSERT OR IGNORE INTO captured VALUES (?, ?, ?)", payments)

    def note_returned(self, payments: Iterable[Captured]) -> None:
        """Their money went back, or is to."""
        self._file.change_many(
            "INSERT OR IGNORE INTO returned VALUES (?, ?)",
            [(payment.payment_id, payment.occurred_at_us) for payment in payments],
        )

    def note_reported(self, payment_ids: Iterable[str]) -> None:
        """Labels of these payments have come or are on their way: they are not silent any more."""
        self._file.change_many(
            "UPDATE scored SET told = 1 WHERE payment = ?", [(payment,) for payment in payment_ids]
        )

    def publish(self, records: Iterable[Outgoing]) -> None:
        """Put records into the outbox, in order."""
        self._file.change_many(
            "INSERT INTO outbox (topic, key, value) VALUES (?, ?, ?)",
            [(record.topic, record.key, record.value) for record in records],
        )

    def unsent(self) -> list[Unsent]:
        """The outbox, in order."""
        rows = self._file.rows("SELECT number, topic, key, value FROM outbox ORDER BY number")
        return [Unsent(number, Outgoing(topic, key, value)) for number, topic, key, value in rows]

    def sent(self, number: int) -> None:
        """The outbox is in the log up to and with `number`. Durable with the next commit."""
        self._file.change("DELETE FROM outbox WHERE number <= ?", (number,))

    def positions(self) -> dict[str, int]:
        """Next offset by `topic/partition`, as last committed."""
        return dict(self._file.rows("SELECT place, next FROM positions"))

    def learner(self) -> tuple[bytes, int] | None:
        """The learner's state and the latest event time it knew; None before the first commit."""
        rows = self._file.rows("SELECT state, now_us FROM learner")
        return (bytes(rows[0][0]), int(rows[0][1])) if rows else None

    def unreadable(self, error: StateRowError) -> StateFormatError:
        """What to say of a learner that this build cannot read, with the ways out."""
        return self._file.unreadable(str(error))

    def commit(self, state: bytes, now_us: int, positions: Mapping[str, int]) -> None:
        """Make everything since the last commit durable, with the learner's state and the positions."""
        self._file.change("INSERT OR REPLACE INTO learner VALUES (1, ?, ?)", (state, now_us))
        self._file.change_many("INSERT OR REPLACE INTO positions VALUES (?, ?)", positions.items())
        crash_point("learning.state.writing")
        self._file.commit()
        crash_point("learning.state.committed")

    def close(self) -> None:
        """What was not committed is forgotten, and read again next time."""
        self._file.close()

    def _forget(self, before_us: int) -> None:
        self._file.change("DELETE FROM scored WHERE at_us < ?", (before_us,))
        self._file.change("DELETE FROM captured WHERE at_us < ?", (before_us,))
        self._file.change("DELETE FROM returned WHERE at_us < ?", (before_us,))
