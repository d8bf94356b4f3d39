"""Virtual time for asyncio: one thread, no waiting; when nothing is ready, the clock jumps on."""

import asyncio
import selectors
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from events.clock import VirtualClock

T = TypeVar("T")


class NothingCanHappenError(Exception):
    """Everybody waits and no timer is set: in real time this would hang for ever."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time is a virtual clock's."""

    def __init__(self, clock: VirtualClock) -> None:
        self._virtual = clock
        super().__init__(_JumpingSelector(clock))

    def time(self) -> float:
        return self._virtual.monotonic()

    def run_in_executor(self, executor: Any, function: Callable[..., Any], *arguments: Any) -> Any:
        raise AssertionError("a thread was asked for: the run would not be the same every time")


class _JumpingSelector(selectors.SelectSelector):
    def __init__(self, clock: VirtualClock) -> None:
        super().__init__()
        self._clock = clock

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        # No file is ever waited for (whoever opens a socket here waits for good), so the kernel is not asked.
        if timeout is None:
            raise NothingCanHappenError("everybody waits and no timer is set")
        if timeout > 0:
            self._clock.advance(timeout)
        return []


def run_virtually(clock: VirtualClock, story: Callable[[], Awaitable[T]]) -> T:
    """Run a coroutine to its end in virtual time."""

    async def whole() -> T:
        return await story()

    coroutine: Coroutine[Any, Any, T] = whole()
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(clock)) as runner:
        return runner.run(coroutine)
