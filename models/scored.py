"""Payments as scored, waiting for their labels: what a store of them promises, and one in memory.

Learning never recomputes a feature: it learns from the row that was scored.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import takewhile
from typing import NamedTuple, Protocol, TypeVar
from zlib import crc32

import msgspec

from events.vocabulary import Mode
from models.boosting import GENUINE_SHARE
from models.feature import Row
from models.labels import Standing
from models.vectors import packed
from models.windows import DAY_US

T = TypeVar("T")


class Scored(NamedTuple):
    """A payment with its row as scored."""

    payment_id: str
    occurred_at_us: int
    row: Row


class Kept(NamedTuple):
    """The same as a store keeps it: `vector` is the row as `models.vectors` packs it."""

    payment_id: str
    occurred_at_us: int
    vector: bytes


def kept(scored: Sequence[Scored]) -> list[Kept]:
    """Scored payments made ready for a store."""
    vectors = packed([payment.row for payment in scored])
    return [
        Kept(payment_id, occurred_at_us, vector)
        for (payment_id, occurred_at_us, _), vector in zip(scored, vectors, strict=True)
    ]


class Found(NamedTuple):
    """What the store knows of a payment."""

    occurred_at_us: int
    vector: bytes
    standing: Standing | None


class Labeled(NamedTuple):
    """A payment with the label now in force. `vector` is its own where the payment belongs to the boosting's
    history, None where it is thinned away.
    """

    payment_id: str
    standing: Standing
    vector: bytes | None


class Captured(NamedTuple):
    """A payment whose money moved."""

    payment_id: str
    occurred_at_us: int
    mode: Mode


class ScoredStore(Protocol):
    """Vectors as scored, by payment. What was remembered and labeled is read back at once."""

    def remember(self, payments: Sequence[Kept]) -> None:
        """Keep vectors; a payment scored again (another attempt) keeps its label and gets the newer one."""
        ...

    def find(self, payment_ids: Sequence[str]) -> dict[str, Found]:
        """The payments that are known, of those asked for."""
        ...

    def label(self, labeled: Sequence[Labeled]) -> None:
        """Put labels in force; for one payment the last counts."""
        ...

    def history(self, after_us: int, until_us: int) -> list[tuple[bytes, bool]]:
        """Vectors and labels of labeled payments that are not thinned away and whose label in force arrived
        in (after, until], ordered by (arrival, payment). What arrived earlier will not be asked for again.
        """
        ...

    def silent(self, until_us: int, limit: int) -> list[Captured]:
        """Captured payments scored up to that time without a label or a report, oldest first, each with the
        time at which it was scored. A payment whose money never moved, or went back since a block came late,
        says nothing by being silent.
        """
        ...

    def note_captured(self, payments: Iterable[Captured]) -> None:
        """Their money moved, be they scored before or after."""
        ...

    def note_returned(self, payments: Iterable[Captured]) -> None:
        """Their money went back, or is to, be they scored or captured before or after."""
        ...

    def note_reported(self, payment_ids: Iterable[str]) -> None:
        """Labels of these scored payments have come or are on their way: they are silent no more."""
        ...


def in_history(payment_id: str, fraud: bool) -> bool:
    """Whether a payment belongs to the boosting's history: all frauds, a fixed share of the genuine ones."""
    return fraud or crc32(payment_id.encode()) % 1000 < GENUINE_SHARE * 1000


class _Entry(msgspec.Struct, array_like=True, gc=False):
    occurred_at_us: int
    vector: bytes
    standing: Standing | None = None
    reported: bool = False


class MemoryStore:
    """A store for replays and tests.

    `keep_days` bounds the memory: a payment that old is forgotten; a label that comes later finds nothing.

    >>> store = MemoryStore()
    >>> store.remember([Kept("pi_1", 1_000, b"vector")])
    >>> store.find(["pi_1", "pi_2"])
    {'pi_1': Found(occurred_at_us=1000, vector=b'vector', standing=None)}
    """

    def __init__(self, keep_days: float | None = None) -> None:
        self._entries: dict[str, _Entry] = {}
        self._history: dict[str, tuple[Standing, bytes]] = {}
        self._captured: dict[str, Captured] = {}
        self._returned: dict[str, Captured] = {}
        self._keep_us = None if keep_days is None else int(keep_days * DAY_US)

    def remember(self, payments: Sequence[Kept]) -> None:
        """Keep vectors."""
        for payment_id, occurred_at_us, vector in payments:
            fresh = _Entry(occurred_at_us, vector)
            before = self._entries.get(payment_id)
            if before is not None:
                fresh.standing, fresh.reported = before.standing, before.reported
            self._entries[payment_id] = fresh
        if self._keep_us is not None and payments:
            self._forget(payments[-1].occurred_at_us - self._keep_us)

    def find(self, payment_ids: Sequence[str]) -> dict[str, Found]:
        """The payments that are known, of those asked for."""
        found = {}
        for payment_id in payment_ids:
            entry = self._entries.get(payment_id)
            if entry is not None:
                found[payment_id] = Found(entry.occurred_at_us, entry.vector, entry.standing)
        return found

    def label(self, labeled: Sequence[Labeled]) -> None:
        """Put labels in force."""
        for payment_id, standing, vector in labeled:
            self._entries[payment_id].standing = standing
            self._history.pop(payment_id, None)
            if vector is not None:
                self._history[payment_id] = (standing, vector)

    def history(self, after_us: int, until_us: int) -> list[tuple[bytes, bool]]:
        """Vectors and labels of the history in (after, until]."""
        self._history = {k: one for k, one in self._history.items() if one[0].arrived_at_us > after_us}
        chosen = sorted(
            (standing.arrived_at_us, payment_id, standing.fraud, vector)
            for payment_id, (standing, vector) in self._history.items()
            if standing.arrived_at_us <= until_us
        )
        return [(vector, fraud) for _, _, fraud, vector in chosen]

    def silent(self, until_us: int, limit: int) -> list[Captured]:
        """Captured payments without a label or a report."""
        waiting = sorted(
            (entry.occurred_at_us, payment_id)
            for payment_id, entry in self._entries.items()
            if entry.standing is None and not entry.reported
            if payment_id in self._captured and payment_id not in self._returned
            if entry.occurred_at_us <= until_us
        )
        return [
            Captured(payment_id, occurred_at_us, self._captured[payment_id].mode)
            for occurred_at_us, payment_id in waiting[:limit]
        ]

    def note_captured(self, payments: Iterable[Captured]) -> None:
        """Their money moved."""
        for payment in payments:
            self._captured.setdefault(payment.payment_id, payment)

    def note_returned(self, payments: Iterable[Captured]) -> None:
        """Their money went back, or is to."""
        for payment in payments:
            self._returned.setdefault(payment.payment_id, payment)

    def note_reported(self, payment_ids: Iterable[str]) -> None:
        """Labels of these payments have come or are on their way."""
        for payment_id in payment_ids:
            entry = self._entries.get(payment_id)
            if entry is not None:
                entry.reported = True

    def _forget(self, before_us: int) -> None:
        for payment_id in _older(self._entries, before_us, lambda entry: entry.occurred_at_us):
            del self._entries[payment_id]
        for moved in (self._captured, self._returned):
            for payment_id in _older(moved, before_us, lambda payment: payment.occurred_at_us):
                del moved[payment_id]


def _older(kept: dict[str, T], before_us: int, time_of: Callable[[T], int]) -> list[str]:
    """The first payments up to one that is not so old: they were put there in about their order."""
    return [payment_id for payment_id, _ in takewhile(lambda one: time_of(one[1]) < before_us, kept.items())]
