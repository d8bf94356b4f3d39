"""The order in which a flow read its topics, kept until its state is safe.

Topics are read side by side, so after a crash the same records might come in another order, and scores would
differ from those already sent. Each batch's order is therefore written down before its events are handled; a
flow that resumes reads the batches after its epoch again exactly as they were. A kill cannot lose an entry; a
power loss may lose the last ones, and then those events are handled in a new order (replies stay as sent).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from events.crash import crash_point, declare
from events.log.port import Position, Record
from pipelines.errors import StateMismatchError
from pipelines.state_file import StateFile

declare(
    {
        "risk.order.writing": "a batch was read; nothing of it is kept",
        "risk.order.written": "a batch's order is kept; none of its events has been handled",
    }
)


FORMAT = 1


class Run(NamedTuple):
    """Consecutive records of one partition: offsets `first` to `last`, gaps allowed."""

    topic: str
    partition: int
    first: int
    last: int


_decoder = msgspec.json.Decoder(list[Run])


def runs_of(records: Sequence[Record | Position]) -> list[Run]:
    """The order of a batch, as short as it can be said."""
    runs: list[Run] = []
    for record in records:
        last = runs[-1] if runs else None
        if last is not None and (last.topic, last.partition) == (record.topic, record.partition):
            runs[-1] = last._replace(last=record.offset)
        else:
            runs.append(Run(record.topic, record.partition, record.offset, record.offset))
    return runs


class OrderJournal:
    """Batches by number, in the order in which they were read."""

    def __init__(self, path: Path) -> None:
        """Raises `StateFormatError`, `StateCorruptError`."""
        self._file = StateFile(
            path,
            schema="CREATE TABLE batches (number INTEGER PRIMARY KEY, runs BLOB NOT NULL);",
            format=FORMAT,
            otherwise="the flow then reads the log again from its start.",
            synchronous="NORMAL",
        )
        self._forgotten = 0

    def note(self, number: int, runs: Sequence[Run]) -> None:
        """Keep the order of batch `number`, and drop what is to be forgotten, in one transaction."""
        self._file.change("INSERT INTO batches VALUES (?, ?)", (number, msgspec.json.encode(runs)))
        self._file.change("DELETE FROM batches WHERE number <= ?", (self._forgotten,))
        crash_point("risk.order.writing")
        self._file.commit()
        crash_point("risk.order.written")

    def after(self, number: int) -> list[list[Run]]:
        """The batches after `number`, in order; raises `StateMismatchError` where some are no longer kept."""
        rows = self._file.rows("SELECT number, runs FROM batches WHERE number > ? ORDER BY number", (number,))
        if rows and rows[0][0] != number + 1:
            raise StateMismatchError(
                f"the order of batch {number + 1} is no longer kept, the first is {rows[0][0]}: the recovery "
                "store and this journal do not belong together. Restore both from one backup, or delete both."
            )
        return [_decoder.decode(row[1]) for row in rows]

    def forget(self, number: int) -> None:
        """Batches up to and with `number` go with the next one that is noted."""
        self._forgotten = number

    def close(self) -> None:
        self._file.close()
