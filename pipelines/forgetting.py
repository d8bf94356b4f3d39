"""Payments that the engine has forgotten leave the disk a few at a time, round and round.

The engine answers for them as if they were gone from the moment that it says; when the rows go shows nowhere.
"""

import msgspec

from pipelines.checked_rows import without_checksum
from pipelines.many_rows import remove_rows
from pipelines.state_file import StateFile

PAYMENTS, PAYMENTS_END = "engine/payment/", "engine/payment0"
MEMORY = "engine/engine/memory"
"""The row in which the engine says from which time on it remembers."""

LOOKED_AT = 1024
"""Rows with each version: a millisecond's work beside the scoring. Where payments come at a steady rate for
months, no more than twice those remembered lie on disk."""


class _Since(msgspec.Struct, array_like=True):
    """The first member of both rows: when a payment occurred, and from when on payments are remembered."""

    time_us: int


_decode = msgspec.msgpack.Decoder(_Since).decode


class Forgetting:
    """Looks on from where it stopped; one thread's. It takes part in the transaction that is open."""

    def __init__(self, file: StateFile) -> None:
        self._file = file
        self._behind = PAYMENTS
        self._before_us: int | None = None
        for (kept,) in file.rows("SELECT value FROM rows WHERE key = ?", (MEMORY,)):
            self.learn(self._checked(MEMORY, kept))

    def learn(self, memory: bytes | None) -> None:
        """Take up what the engine says, if it has said anything new."""
        if memory is not None:
            self._before_us = _decode(memory).time_us

    def forget_some(self) -> int:
        """Remove the forgotten among the next rows; how many they were."""
        if self._before_us is None:
            return 0
        found = self._file.rows(
            "SELECT key, value FROM rows WHERE key > ? AND key < ? ORDER BY key LIMIT ?",
            (self._behind, PAYMENTS_END, LOOKED_AT),
        )
        self._behind = found[-1][0] if len(found) == LOOKED_AT else PAYMENTS
        old = [key for key, kept in found if _decode(self._checked(key, kept)).time_us < self._before_us]
        remove_rows(self._file, old)
        return len(old)

    def _checked(self, row: str, kept: bytes) -> bytes:
        value = without_checksum(row, kept)
        if value is None:
            raise self._file.damaged("a row is not what was written")
        return value
