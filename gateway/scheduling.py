"""How work is scheduled: with threads in production, or in one deterministic thread in a simulation."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, Protocol, TypeVar

import structlog

T = TypeVar("T")


class Scheduling(Protocol):
    """Tasks, waiting, and work that blocks. Deadlines are wall time."""

    poll_wait_seconds: float
    """How long a blocking poll of the log may wait inside; 0 where it would stop the only thread."""
    idle_seconds: float
    """How long to sleep after a poll that found nothing; 0 where the poll itself has waited."""

    def spawn(self, work: Coroutine[Any, Any, T], name: str) -> "asyncio.Task[T]":
        """Start a task that is kept until it ends; an error that nobody awaits is logged, not lost."""
        ...

    async def sleep(self, seconds: float) -> None: ...

    async def wait(self, event: asyncio.Event, seconds: float) -> None:
        """Wait until the event is set, at most so long."""
        ...

    def run_blocking(self, lane: str, work: Callable[[], T]) -> Awaitable[T]:
        """Run blocking work; that of one lane runs one at a time, in the order asked."""
        ...

    async def stop(self) -> None:
        """Cancel what still runs and wait for it."""
        ...


class _Tasks:
    """Keeps tasks alive and logs those that fail while nobody waits for them."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()
        self._log = structlog.get_logger("gateway")

    def spawn(self, work: Coroutine[Any, Any, T], name: str) -> "asyncio.Task[T]":
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._running.add(task)
        task.add_done_callback(self._forget)
        return task

    def _forget(self, task: "asyncio.Task[Any]") -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            # The text of an error may hold what a caller sent; its class and place do not.
            self._log.error("task failed", task=task.get_name(), error=type(error).__name__)

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def wait(self, event: asyncio.Event, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await event.wait()

    async def stop(self) -> None:
        # Again and again: a task may start another, or may have been done with one wait just as it was told.
        while self._running:
            for task in self._running:
                task.cancel()
            await asyncio.wait(self._running, timeout=0.2)


class ThreadScheduling(_Tasks):
    """Production: every lane has a thread of its own."""

    poll_wait_seconds = 0.25
    idle_seconds = 0.0

    def __init__(self) -> None:
        super().__init__()
        self._lanes: dict[str, ThreadPoolExecutor] = {}

    def run_blocking(self, lane: str, work: Callable[[], T]) -> Awaitable[T]:
        executor = self._lanes.get(lane)
        if executor is None:
            executor = self._lanes[lane] = ThreadPoolExecutor(1, thread_name_prefix=lane)
        return asyncio.get_running_loop().run_in_executor(executor, work)

    async def stop(self) -> None:
        await super().stop()
        for executor in self._lanes.values():
            executor.shutdown(wait=True)


class InlineScheduling(_Tasks):
    """One thread: blocking work runs where it is asked for, so that a run is the same every time."""

    poll_wait_seconds = 0.0
    idle_seconds = 0.005

    async def run_blocking(self, lane: str, work: Callable[[], T]) -> T:  # noqa: ARG002  # the port's shape
        # Others come in between, as they do while a thread works.
        await asyncio.sleep(0)
        return work()


def resolve(done: "asyncio.Future[T]", result: T | Exception) -> None:
    """Tell who waits its result or error; who was canceled, or was told before, is passed over."""
    if done.done():
        return
    if isinstance(result, Exception):
        done.set_exception(result)
    else:
        done.set_result(result)


def run_for_good(
    scheduling: Scheduling, work: Coroutine[Any, Any, None], name: str, failed: Callable[[], None]
) -> None:
    """Run a loop that never ends by itself; calls `failed` where it dies of an error that nobody foresaw.

    The program must end then and be started anew: what the loop did would stay undone, unseen.
    """
    task = scheduling.spawn(work, name)
    task.add_done_callback(lambda ended: None if ended.cancelled() else failed())
