"""Processes that are parts of one thread: each has its own scheduling, and dies where it stands.

A crash cancels what runs. Whatever still runs for that reason (`finally`, `except`) meets a world that is
gone: each sleep, each work on a disk and each new task raises `KilledError`, which no production code
catches.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import suppress
from random import Random
from typing import Any, TypeVar

from events.crash import CRASH_POINTS
from gateway.errors import UnavailableError

T = TypeVar("T")

IDLE_SECONDS = 0.5
"""What who waits for the log sleeps for where nothing has come: until there is a record."""
STILL_SECONDS = 4.0
"""How long polls sleep while nothing happens anywhere: else most of a story would be empty looks."""


class KilledError(BaseException):
    """The process has died here: like SIGKILL, it is nothing that could be handled."""


class ViolationError(Exception):
    """What must hold does not; `world` is as it was then."""

    world: Any = None


NEVER_PASSED = re.compile(r"migration|tables|rotation|secret|message|asking")
"""Crash points of files made at a start, and of what stands in for the network here."""


def crash_points() -> list[str]:
    """The crash points that a story may pass."""
    owners = ("gateway.", "processor.", "acquirer.")
    return sorted(p for p in CRASH_POINTS if p.startswith(owners) and not NEVER_PASSED.search(p))


AT_A_POLL, AT_A_WORK = 0.0003, 0.01
"""How often a process dies at an await, where it does at all: most are polls that find nothing."""


class Fates:
    """When processes die: at some passing of a crash point, or at any await. `over` ends it."""

    def __init__(self, random: Random) -> None:
        self._random = random
        points = crash_points()
        self._points = [
            (random.choice(points), random.choice((1, 1, 2, 3))) for _ in range(random.choice((0, 1, 1, 2)))
        ]
        self._passed: dict[str, int] = {}
        self._left = random.choice((0, 0, 1, 3))
        self.over = False

    def at_point(self, name: str) -> bool:
        """Whether who passes a crash point dies there."""
        passed = self._passed[name] = self._passed.get(name, 0) + 1
        return not self.over and (name, passed) in self._points

    def at_await(self, lane: str) -> bool:
        """Whether who waits for its disk or the log dies meanwhile."""
        if self.over or not self._left:
            return False
        struck = self._random.random() < (AT_A_POLL if lane in ("decisions", "store-reads") else AT_A_WORK)
        self._left -= struck
        return struck


class Stillness:
    """Lets polls sleep longer while nothing happens in the whole world; where something does, as they asked.

    So a poll is at most as late as it would be without, and those that nothing could come of are left out.
    """

    def __init__(self) -> None:
        self._happened = 0
        self._seen: dict[asyncio.Task[Any] | None, int] = {}
        self._sleeping: dict[asyncio.Future[None], None] = {}
        self._reading: dict[asyncio.Future[None], None] = {}

    def happens(self) -> None:
        """Something has changed that a poll may find."""
        self._happened += 1
        sleeping, self._sleeping = self._sleeping, {}
        _wake(sleeping)

    def recorded(self) -> None:
        """The log has a new record."""
        self.happens()
        reading, self._reading = self._reading, {}
        _wake(reading)

    async def sleep(self, seconds: float) -> None:
        if seconds == IDLE_SECONDS:
            await self._undisturbed(self._reading)
        elif seconds >= STILL_SECONDS or not self.lasts() or not await self._undisturbed(self._sleeping):
            await asyncio.sleep(seconds)

    def lasts(self) -> bool:
        """Whether nothing has happened since the same task asked the last time."""
        task = asyncio.current_task()
        known, self._seen[task] = self._seen.get(task), self._happened
        return known == self._happened

    async def _undisturbed(self, waiting: dict[asyncio.Future[None], None]) -> bool:
        loop = asyncio.get_running_loop()
        woken: asyncio.Future[None] = loop.create_future()
        waiting[woken] = None
        timer = loop.call_later(STILL_SECONDS, _wake, (woken,))
        try:
            await woken
        finally:
            timer.cancel()
        return waiting.pop(woken, self) is None


def _wake(sleeping: Iterable[asyncio.Future[None]]) -> None:
    for woken in sleeping:
        if not woken.done():
            woken.set_result(None)


class SimulatedScheduling:
    """The scheduling of one life of a process. Blocking work runs inline, after as long as its disk takes."""

    poll_wait_seconds = 0.0
    idle_seconds = IDLE_SECONDS

    def __init__(self, process: "Process") -> None:
        self._process = process
        self._tasks: dict[asyncio.Task[Any], None] = {}
        self._lanes: dict[str, asyncio.Lock] = {}
        self.dead = False

    def spawn(self, work: Coroutine[Any, Any, T], name: str) -> "asyncio.Task[T]":
        if self.dead:
            work.close()
            raise KilledError
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks[task] = None
        task.add_done_callback(self._forget)
        return task

    async def sleep(self, seconds: float) -> None:
        self._live()
        await self._process.world.stillness.sleep(seconds)
        self._live()

    async def wait(self, event: asyncio.Event, seconds: float) -> None:
        self._live()
        still = self._process.world.stillness.lasts()
        with suppress(TimeoutError):
            async with asyncio.timeout(max(seconds, STILL_SECONDS) if still else seconds):
                await event.wait()
        self._live()

    async def run_blocking(self, lane: str, work: Callable[[], T]) -> T:
        self._process.waits(lane, "before")
        self._live()
        lock = self._lanes.get(lane)
        if lock is None:
            lock = self._lanes[lane] = asyncio.Lock()
        async with lock:
            await asyncio.sleep(self._process.world.disk_seconds())
            self._live()
            result = work()
        self._process.waits(lane, "after")
        self._live()
        return result

    async def stop(self) -> None:
        raise ViolationError("a simulated process is killed, it never stops")

    def names(self) -> list[str]:
        """What runs now."""
        return [task.get_name() for task in self._tasks]

    def kill(self) -> None:
        self.dead = True
        for task in list(self._tasks):
            task.cancel()

    async def gone(self) -> None:
        """Return when nothing of it runs any more."""
        while self._tasks:
            for task in list(self._tasks):
                task.cancel()
            await asyncio.sleep(0)

    def _live(self) -> None:
        if self.dead:
            raise KilledError

    def _forget(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.pop(task, None)
        if task.cancelled():
            return
        error = task.exception()
        expected = error is None or self.dead or task.get_name() == "request"
        if not expected and not isinstance(error, KilledError | UnavailableError):
            self._process.world.blame(f"{self._process.name}: task {task.get_name()} failed: {error!r}")


class Process:
    """A program that may die at any time and is started again. `start` begins one life of it."""

    def __init__(
        self,
        world: Any,
        name: str,
        start: Callable[[SimulatedScheduling], Awaitable[Any]],
        died: Callable[[], None],
    ) -> None:
        self.world = world
        self.name = name
        self._start = start
        self._died = died
        self._life: SimulatedScheduling | None = None
        self.serving: Any = None
        """What serves requests, None while the process is down or still starting."""

    def passes(self, point: str) -> None:
        """Die at this crash point, where fate strikes."""
        if self._alive() and self.world.fates.at_point(point):
            self.die(f"at {point}")
            raise KilledError

    def waits(self, lane: str, when: str) -> None:
        """Die before or after a work on a lane, where fate strikes."""
        if self._alive() and self.world.fates.at_await(lane):
            self.die(f"{when} a work of {lane}")
            raise KilledError

    def die(self, what: str) -> None:
        life = self._life
        if life is None or life.dead:
            return
        self.world.tell(f"{self.name} dies {what}")
        self.world.stillness.happens()
        self.serving = None
        life.kill()
        self._died()
        self.world.spawn(self._rise(life), f"{self.name} rises")

    async def rise(self) -> None:
        """Begin a life; where it ends before it serves, the next one begins by itself."""
        life = self._life = SimulatedScheduling(self)
        starting = life.spawn(self._start(life), "start")
        await asyncio.wait((starting,))
        if life.dead:
            return
        if starting.cancelled() or starting.exception() is not None:
            self.world.tell(f"{self.name} cannot start: {starting.exception()!r}")
            self.die("at its start")
            return
        self.serving = starting.result()

    def _alive(self) -> bool:
        return self._life is not None and not self._life.dead

    async def _rise(self, dead: SimulatedScheduling) -> None:
        await dead.gone()
        await asyncio.sleep(self.world.downtime_seconds())
        self.world.tell(f"{self.name} starts again")
        self.world.stillness.happens()
        await self.rise()

    def spawn(self, work: Coroutine[Any, Any, T], name: str) -> "asyncio.Task[T]":
        """Run something in the life of now; who asks has looked whether there is one."""
        assert self._life is not None
        self.world.stillness.happens()
        return self._life.spawn(work, name)

    def names(self) -> list[str]:
        return [] if self._life is None or self._life.dead else self._life.names()
