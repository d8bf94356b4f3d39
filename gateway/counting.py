"""Counting what callers do, in this process's memory: requests by the second, and failures of an address."""

from collections import deque
from math import ceil
from typing import Final

from events.clock import Clock
from gateway.http.origins import counted_as
from gateway.people.errors import RateLimitedError

KEYS_MAX = 10_000
"""So many merchants, names and addresses are counted at once; they come and go by the second."""

WINDOW_SECONDS = 1.0

FAILURES_MAX = 100
"""Of one address in a window: a misconfigured server is heard, many people behind one address may mistype."""


class MemoryLimiter:
    """Counts in this process alone: when the latest of each key were let through.

    As the library that counts in Redis does, at a tenth of its cost: that one starts a thread for each
    hundredth of a second in which anybody asks, to forget what is over.
    """

    def __init__(self, clock: Clock, processes: int = 1) -> None:
        """Of so many `processes` side by side each lets its part through: together they keep the limit."""
        self._clock = clock
        self._processes = processes
        self._let_through: dict[str, deque[float]] = {}

    async def let(self, key: str, per_second: int) -> bool:
        """Whether one more may pass."""
        now = self._clock.monotonic()
        latest = self._let_through.get(key)
        if latest is None:
            if len(self._let_through) >= KEYS_MAX:
                self._forget(now)
            latest = self._let_through[key] = deque()
        while latest and latest[0] < now - WINDOW_SECONDS:
            latest.popleft()
        if len(latest) >= max(1, per_second // self._processes):
            return False
        latest.append(now)
        return True

    def _forget(self, now: float) -> None:
        """Drop the keys of which nothing is counted any more, lest who guesses names fill the memory.

        Where all are in use, all begin anew.
        """
        over = now - WINDOW_SECONDS
        self._let_through = {key: latest for key, latest in self._let_through.items() if latest[-1] >= over}
        if len(self._let_through) >= KEYS_MAX:
            self._let_through.clear()

    async def close(self) -> None:
        """Nothing to close."""


class FailuresByAddress:
    """Failures of each address within windows that begin with its first one.

    Each process counts by itself: what is guarded are look-ups and hashes, of which each has its own.
    """

    def __init__(self, clock: Clock, *, failures_max: int, window_seconds: float) -> None:
        self._clock = clock
        self._failures_max: Final = failures_max
        self._window_seconds: Final = window_seconds
        # Addresses under Python's own hash, whose key is random: their text is nobody's business here.
        self._counted: dict[int, tuple[float, int]] = {}

    def require_few(self, address: str | None) -> None:
        """Raises `RateLimitedError`, with the rest of its window, where the address failed too often."""
        if address is None or not self._counted:
            return
        until, count = self._counted.get(hash(counted_as(address)), (0.0, 0))
        left_seconds = until - self._clock.monotonic()
        if count >= self._failures_max and left_seconds > 0:
            raise RateLimitedError(after_seconds=ceil(left_seconds))

    def count(self, address: str | None) -> None:
        """One more failure."""
        if address is None:
            return
        now, name = self._clock.monotonic(), hash(counted_as(address))
        until, count = self._counted.get(name, (0.0, 0))
        if until <= now:
            until, count = now + self._window_seconds, 0
            self._make_room(now)
        self._counted[name] = until, count + 1

    def _make_room(self, now: float) -> None:
        if len(self._counted) >= KEYS_MAX:
            self._counted = {name: kept for name, kept in self._counted.items() if kept[0] > now}
            if len(self._counted) >= KEYS_MAX:
                self._counted.clear()


def wrong_keys(clock: Clock, failures_max: int = FAILURES_MAX) -> FailuresByAddress:
    """The count of keys that open nothing: they cannot be guessed, but each costs a look-up."""
    return FailuresByAddress(clock, failures_max=failures_max, window_seconds=60.0)


def wrong_passwords(clock: Clock, failures_max: int = FAILURES_MAX) -> FailuresByAddress:
    """Of passwords, whatever the names: each costs a hash, and a name that is nobody's is never locked."""
    return FailuresByAddress(clock, failures_max=failures_max, window_seconds=900.0)
