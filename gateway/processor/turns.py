"""One thing at a time per attempt, whoever asks and whether or not they still wait."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar
from weakref import WeakValueDictionary

from gateway.scheduling import Scheduling

T = TypeVar("T")


class Turns:
    """Work on one name runs in the order asked; a caller who gives up stops nothing."""

    def __init__(self, scheduling: Scheduling) -> None:
        self._scheduling = scheduling
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def take(self, name: str, work: Callable[[], Awaitable[T]]) -> T:
        """Wait for the turn, run `work` to its end, and give its result."""
        lock = self._locks.get(name)
        if lock is None:
            lock = self._locks[name] = asyncio.Lock()
        task = self._scheduling.spawn(self._run(lock, work), f"turn of {name}")
        return await asyncio.shield(task)

    def busy(self, name: str) -> bool:
        """Whether someone has the turn now."""
        lock = self._locks.get(name)
        return lock is not None and lock.locked()

    async def _run(self, lock: asyncio.Lock, work: Callable[[], Awaitable[T]]) -> T:
        async with lock:
            return await work()
