"""The rows of the live page, by the payments' own time: what is read side by side comes in no order."""

from bisect import insort
from dataclasses import replace
from datetime import datetime
from itertools import count, islice
from typing import Any, Literal

from dashboards.in_force import AttemptKey
from dashboards.rows import AttemptRow
from events.vocabulary import Outcome

ROWS_KEPT = 500
"""Enough that a table of one outcome only has something to show."""
ROWS_MAX = 25

Shown = Outcome | Literal["marked", "waiting"]
"""To what the table can be held: one outcome, what waits for its payer or a second confirm, or
what a person has to refund."""


class Latest:
    """The newest attempts, each once; those that are marked stay beyond the others."""

    def __init__(self) -> None:
        self._rows: dict[AttemptKey, AttemptRow] = {}
        self._order: list[tuple[datetime, int, AttemptKey]] = []
        self._numbers = count()
        self._marked: dict[AttemptKey, AttemptRow] = {}

    def __contains__(self, attempt: AttemptKey) -> bool:
        return attempt in self._rows

    def add(self, row: AttemptRow) -> None:
        """Take a row in at its time; of two attempts at one moment the one that came later is newer."""
        attempt = (row.payment, row.attempt)
        if attempt in self._rows:
            return
        self._rows[attempt] = replace(row, marked=attempt in self._marked)
        insort(self._order, (row.at, next(self._numbers), attempt))
        if len(self._order) > ROWS_KEPT:
            *_, oldest = self._order.pop(0)
            gone = self._rows.pop(oldest)
            if oldest in self._marked:
                self._marked[oldest] = gone

    def mark(self, row: AttemptRow) -> None:
        """Mark the row of that attempt; this one stands for it where there is none."""
        attempt = (row.payment, row.attempt)
        self.change(attempt, marked=True)
        self._marked[attempt] = self._rows.get(attempt, row)
        if len(self._marked) > ROWS_KEPT:
            del self._marked[next(iter(self._marked))]

    def change(self, attempt: AttemptKey, **members: Any) -> None:
        """Put other members into a row that is there."""
        if attempt in self._rows:
            self._rows[attempt] = replace(self._rows[attempt], **members)

    def newest(self, only: Shown | None = None) -> list[AttemptRow]:
        """The newest rows, newest first; `only`: of one outcome, waiting, or marked, latest mark first."""
        if only == "marked":
            marked = (self._rows.get(attempt, row) for attempt, row in reversed(self._marked.items()))
            return list(islice(marked, ROWS_MAX))
        rows = (self._rows[attempt] for *_, attempt in reversed(self._order))
        if only == "waiting":
            return list(islice((row for row in rows if row.waits), ROWS_MAX))
        return list(islice((row for row in rows if only in (None, row.outcome)), ROWS_MAX))
