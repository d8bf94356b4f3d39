"""What waits in the store to be done again: each at its time, across restarts, heard of or not."""

import sqlite3
from collections.abc import Callable, Collection
from typing import Generic, TypeVar

from events.clock import Clock
from gateway.errors import UnavailableError
from gateway.processor.store import ProcessorStore

K = TypeVar("K")

FIRST_REPEAT_SECONDS = 0.5
REPEAT_SECONDS_MAX = 60.0
LOOK_AGAIN_SECONDS = 30.0
"""How often the store is asked what waits, and not more often: each question is a transaction of its own."""


class Waiting(Generic[K]):
    """Things to be done again, by their keys in the store, each after pauses that double.

    Whoever commits one says so by `watch`. Now and then the store is asked all the same, since a commit that
    failed may be durable.
    """

    def __init__(
        self,
        store: ProcessorStore,
        keys: Callable[[sqlite3.Connection], Collection[K]],
        clock: Clock,
        *,
        first_seconds: float = FIRST_REPEAT_SECONDS,
        seconds_max: float = REPEAT_SECONDS_MAX,
    ) -> None:
        """`keys` finds all that wait."""
        self._store = store
        self._keys = keys
        self._clock = clock
        self._first_seconds = first_seconds
        self._seconds_max = seconds_max
        self._due: dict[K, tuple[float, float]] = {}
        self._look_at = clock.monotonic()

    def __len__(self) -> int:
        return len(self._due)

    def __contains__(self, key: K) -> bool:
        return key in self._due

    async def load(self) -> None:
        """Take up what waits in the store: an earlier run left it, or nobody heard that it is there."""
        # Before the look, so that what is said while it goes on is not lost.
        self._look_at = self._clock.monotonic() + LOOK_AGAIN_SECONDS
        try:
            found = await self._store.transact(self._keys)
        except UnavailableError:
            self.look()
            raise
        for key in found:
            self.watch(key)

    def look(self) -> None:
        """Something may wait since now: ask the store at the next `due`."""
        self._look_at = self._clock.monotonic()

    def watch(self, key: K, after_seconds: float = 0.0) -> None:
        """It is durable, and due after so long; what is known already keeps its time."""
        self._due.setdefault(key, (self._clock.monotonic() + after_seconds, self._first_seconds))

    def postpone(self, key: K) -> None:
        """It is done once more now, and due again after its pause."""
        _, pause = self._due.get(key, (0.0, self._first_seconds))
        self._due[key] = (self._clock.monotonic() + pause, min(pause * 2, self._seconds_max))

    def end(self, key: K) -> None:
        """It waits no more."""
        self._due.pop(key, None)

    async def due(self) -> list[K]:
        """All whose time has come, oldest first."""
        now = self._clock.monotonic()
        if now >= self._look_at:
            await self.load()
        return [key for key, (at, _) in self._due.items() if at <= now]
