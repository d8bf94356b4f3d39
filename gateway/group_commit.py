"""Group commit: works that come while a commit runs wait, and share the next one and its sync."""

import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Generic, NamedTuple, TypeVar

from gateway.metrics import GROUP_SECONDS, GROUP_WAITING, GROUP_WORKS
from gateway.pressure.adapting import Delays
from gateway.scheduling import Scheduling, resolve

C = TypeVar("C")
T = TypeVar("T")

GROUP_MAX = 256
"""Works in one commit: bounds how long the first waits for the last (each costs well under a millisecond)."""


class _Waiting(NamedTuple):
    work: Callable[[Any], Any]
    done: "asyncio.Future[Any]"


class GroupCommit(Generic[C]):
    """Runs works in the order asked, in groups, on a lane of their own.

    `commit` gets the works of one group, makes what they did durable together, and returns for each work its
    result or what it raised; where it raises itself, all of them have failed.
    """

    def __init__(
        self, scheduling: Scheduling, lane: str, commit: Callable[[list[Callable[[C], Any]]], list[Any]]
    ) -> None:
        self._scheduling = scheduling
        self._lane = lane
        self._commit = commit
        self._waiting: list[_Waiting] = []
        self._draining = False
        self._works, self._seconds = GROUP_WORKS.labels(lane), GROUP_SECONDS.labels(lane)
        GROUP_WAITING.labels(lane).set_function(lambda: len(self._waiting))
        self.delays = Delays()
        """From asking to being told, of works that were done or have failed."""

    async def run(self, work: Callable[[C], T]) -> T:
        """The work's result, when its group is committed; raises what the work or the commit raises."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        asked_at = loop.time()
        self._waiting.append(_Waiting(work, done))
        if not self._draining:
            self._draining = True
            self._scheduling.spawn(self._drain(), self._lane)
        try:
            return await done
        finally:
            self.delays.note(loop.time() - asked_at)

    async def _drain(self) -> None:
        try:
            while self._waiting:
                group, self._waiting = self._waiting[:GROUP_MAX], self._waiting[GROUP_MAX:]
                # Who has given up waiting was told that nothing was done.
                group = [waiting for waiting in group if not waiting.done.cancelled()]
                works = [waiting.work for waiting in group]
                began = time.perf_counter()
                try:
                    results = await self._scheduling.run_blocking(self._lane, partial(self._commit, works))
                except Exception as error:
                    results = [error] * len(group)
                self._works.observe(len(works))
                self._seconds.observe(time.perf_counter() - began)
                for waiting, result in zip(group, results, strict=True):
                    resolve(waiting.done, result)
        finally:
            self._draining = False
