"""Payments as scored, waiting for their labels: what a store of them promises, and one in memory.

Learning never recomputes a feature: it learns from the row that was scored.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol
from zlib import crc32

import msgspec
import numpy as np
import numpy.typing as npt

from models.boosting import GENUINE_SHARE
from models.features import Row
from models.labels import Standing
from models.slots import NUMERIC, Matrix
from models.windows import DAY_US


class Scored(NamedTuple):
    """A payment with its row as scored."""

    payment_id: str
    occurred_at_us: int
    row: Row


class Found(NamedTuple):
    """What the store knows of a payment."""

    occurred_at_us: int
    row: Row
    standing: Standing | None


class Settled(NamedTuple):
    """A payment with the label now in force. `numbers` holds its modelled numbers (float64, catalogue order)
    where the payment belongs to the boosting's history, None where it is thinned away.
    """

    payment_id: str
    standing: Standing
    numbers: bytes | None


class ScoredStore(Protocol):
    """Rows as scored, by payment. What was remembered and settled is read back at once."""

    def remember(self, scored: Sequence[Scored]) -> None:
        """Keep rows; a payment scored again (another attempt) keeps its label and gets the newer row."""
        ...

    def find(self, payment_ids: Sequence[str]) -> dict[str, Found]:
        """The payments that are known, of those asked for."""
        ...

    def settle(self, settled: Sequence[Settled]) -> None:
        """Put labels in force; for one payment the last counts."""
        ...

    def history(self, after_us: int, until_us: int) -> tuple[Matrix, npt.NDArray[np.bool_]]:
        """Numbers and labels of settled payments that are not thinned away and whose label in force arrived
        in (after, until], ordered by (arrival, payment). What arrived earlier will not be asked for again.
        """
        ...

    def silent(self, until_us: int, limit: int) -> list[tuple[str, int]]:
        """(payment, time) of payments up to that time without a label in force, oldest first."""
        ...


def in_history(payment_id: str, fraud: bool) -> bool:
    """Whether a payment belongs to the boosting's history: all frauds, a fixed share of the genuine ones."""
    return fraud or crc32(payment_id.encode()) % 1000 < GENUINE_SHARE * 1000


class _Entry(msgspec.Struct, array_like=True, gc=False):
    occurred_at_us: int
    row: bytes
    standing: Standing | None = None


_encode_row = msgspec.msgpack.Encoder().encode
_decode_row = msgspec.msgpack.Decoder(Row).decode


class MemoryStore:
    """A store for replays and tests.

    `keep_days` bounds the memory: a payment that old is forgotten; a label that comes later finds nothing.
    """

    def __init__(self, keep_days: float | None = None) -> None:
        self._entries: dict[str, _Entry] = {}
        self._history: dict[str, tuple[Standing, bytes]] = {}
        self._keep_us = None if keep_days is None else int(keep_days * DAY_US)

    def remember(self, scored: Sequence[Scored]) -> None:
        """Keep rows."""
        for payment_id, occurred_at_us, row in scored:
            entry = self._entries.get(payment_id)
            standing = None if entry is None else entry.standing
            self._entries[payment_id] = _Entry(occurred_at_us, _encode_row(row), standing)
        if self._keep_us is not None and scored:
            self._forget(scored[-1].occurred_at_us - self._keep_us)

    def find(self, payment_ids: Sequence[str]) -> dict[str, Found]:
        """The payments that are known, of those asked for."""
        found = {}
        for payment_id in payment_ids:
            entry = self._entries.get(payment_id)
            if entry is not None:
                found[payment_id] = Found(entry.occurred_at_us, _decode_row(entry.row), entry.standing)
        return found

    def settle(self, settled: Sequence[Settled]) -> None:
        """Put labels in force."""
        for payment_id, standing, numbers in settled:
            self._entries[payment_id].standing = standing
            self._history.pop(payment_id, None)
            if numbers is not None:
                self._history[payment_id] = (standing, numbers)

    def history(self, after_us: int, until_us: int) -> tuple[Matrix, npt.NDArray[np.bool_]]:
        """Numbers and labels of the history in (after, until]."""
        self._history = {k: kept for k, kept in self._history.items() if kept[0].arrived_at_us > after_us}
        chosen = sorted(
            (standing.arrived_at_us, payment_id, standing.fraud, numbers)
            for payment_id, (standing, numbers) in self._history.items()
            if standing.arrived_at_us <= until_us
        )
        packed = b"".join(numbers for _, _, _, numbers in chosen)
        frauds = np.array([fraud for _, _, fraud, _ in chosen], dtype=bool)
        return np.frombuffer(packed).reshape(len(chosen), len(NUMERIC)), frauds

    def silent(self, until_us: int, limit: int) -> list[tuple[str, int]]:
        """Payments without a label in force."""
        waiting = sorted(
            (entry.occurred_at_us, payment_id)
            for payment_id, entry in self._entries.items()
            if entry.standing is None and entry.occurred_at_us <= until_us
        )
        return [(payment_id, occurred_at_us) for occurred_at_us, payment_id in waiting[:limit]]

    def _forget(self, before_us: int) -> None:
        old = []
        for payment_id, entry in self._entries.items():
            if entry.occurred_at_us >= before_us:
                break
            old.append(payment_id)
        for payment_id in old:
            del self._entries[payment_id]
