"""The rows of the live page, by the payments' own time: what is read side by side comes in no order."""

from bisect import insort
from dataclasses import replace
from datetime import datetime
from itertools import count, islice
from typing import Any

from dashboards.in_force import AttemptKey
from dashboards.rows import AttemptRow

ROWS_KEPT = 500
"""Enough that a table of one outcome only has something to show."""
ROWS_MAX = 25


class Latest:
    """The newest attempts, each once."""

    def __init__(self) -> None:
        self._rows: dict[AttemptKey, AttemptRow] = {}
        self._order: list[tuple[datetime, int, AttemptKey]] = []
        self._numbers = count()

    def __contains__(self, attempt: AttemptKey) -> bool:
        return attempt in self._rows

    def add(self, row: AttemptRow) -> None:
        """Take a row in at its time; of two attempts at one moment the one that came later is newer."""
        attempt = (row.payment, row.attempt)
        if attempt in self._rows:
            return
        self._rows[attempt] = row
        insort(self._order, (row.at, next(self._numbers), attempt))
        if len(self._order) > ROWS_KEPT:
            *_, oldest = self._order.pop(0)
            del self._rows[oldest]

    def change(self, attempt: AttemptKey, **members: Any) -> None:
        """Put other members into a row that is there."""
        if attempt in self._rows:
            self._rows[attempt] = replace(self._rows[attempt], **members)

    def newest(self, only: str | None = None) -> list[AttemptRow]:
        """The newest rows, newest first; `only`: those of one outcome."""
        rows = (self._rows[attempt] for *_, attempt in reversed(self._order))
        return list(islice((row for row in rows if only in (None, row.outcome)), ROWS_MAX))
