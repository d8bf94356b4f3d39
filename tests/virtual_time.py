"""Virtual time for asyncio: one thread, no waiting; when nothing is ready, the clock jumps on."""

import asyncio
import heapq
import selectors
from asyncio import TimerHandle
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import Context
from itertools import count
from typing import Any, TypeVar

from events.clock import VirtualClock

T = TypeVar("T")


class NothingCanHappenError(Exception):
    """Everybody waits and no timer is set: in real time this would hang for ever."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time is a virtual clock's: it looks at no file, and timers of one time keep order.

    Its timers and its turn are its own, since asyncio's cost twice as much as all that is done in a turn.
    """

    def __init__(self, clock: VirtualClock) -> None:
        self._virtual = clock
        self._timers: list[tuple[float, int, TimerHandle]] = []
        self._numbers = count()
        super().__init__(_NoFiles())

    def time(self) -> float:
        return self._virtual.monotonic()

    def call_later(
        self, delay: float, callback: Any, *arguments: Any, context: Context | None = None
    ) -> TimerHandle:
        return self.call_at(self._virtual.monotonic() + delay, callback, *arguments, context=context)

    def call_at(
        self, when: float, callback: Any, *arguments: Any, context: Context | None = None
    ) -> TimerHandle:
        timer = TimerHandle(when, callback, arguments, self, context)
        heapq.heappush(self._timers, (when, next(self._numbers), timer))
        return timer

    def _run_once(self) -> None:
        """One turn, which `run_forever` repeats: all that is ready, or else what is due next."""
        ready, timers = self._ready, self._timers
        while timers and (timers[0][2].cancelled() or timers[0][0] <= self._virtual.monotonic()):
            ready.append(heapq.heappop(timers)[2])
        if not ready and not self._stopping:
            self._jump()
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle.cancelled():
                handle._run()

    def _jump(self) -> None:
        timers = self._timers
        while timers and timers[0][2].cancelled():
            heapq.heappop(timers)
        if not timers:
            # In real time who waits for a file here would wait for good, too.
            raise NothingCanHappenError("everybody waits and no timer is set")
        when, _, timer = heapq.heappop(timers)
        self._virtual.advance(when - self._virtual.monotonic())
        self._ready.append(timer)

    def run_in_executor(self, executor: Any, function: Callable[..., Any], *arguments: Any) -> Any:
        raise AssertionError("a thread was asked for: the run would not be the same every time")


class _NoFiles(selectors.SelectSelector):
    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        raise AssertionError("the kernel is asked for files")


def run_virtually(clock: VirtualClock, story: Callable[[], Awaitable[T]]) -> T:
    """Run a coroutine to its end in virtual time."""

    async def whole() -> T:
        return await story()

    coroutine: Coroutine[Any, Any, T] = whole()
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(clock)) as runner:
        return runner.run(coroutine)
