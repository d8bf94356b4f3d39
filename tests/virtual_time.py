"""An event loop whose time is virtual: it stands still while anything can run, and jumps when all wait.

Eight seconds of waiting take no time, and a run is the same every time: one thread, no sockets, no clock.
"""

import asyncio
import selectors
from collections.abc import Coroutine, Mapping
from datetime import datetime, timedelta
from typing import Any, TypeVar

T = TypeVar("T")


class _JumpingSelector(selectors.SelectSelector):
    """Instead of waiting for its time-out it lets the loop's time pass."""

    elapsed_seconds = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if ready:
            return ready
        assert timeout is not None, "everything waits for something that never comes"
        self.elapsed_seconds += max(timeout, 0.0)
        return []


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """Use with `run`."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.elapsed_seconds


class LoopClock:
    """A `Clock` that shows a loop's virtual time as business time from `start` on."""

    def __init__(self, start: datetime, loop: VirtualTimeLoop) -> None:
        self._start = start
        self._loop = loop

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._loop.time())

    def monotonic(self) -> float:
        return self._loop.time()


def run(loop: VirtualTimeLoop, work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end; an error in any task is an error of the run."""
    failures: list[Mapping[str, Any]] = []
    loop.set_exception_handler(lambda _, context: failures.append(context))
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        result = runner.run(work)
    assert not failures, failures
    return result
