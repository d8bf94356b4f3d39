"""The supervisor: starts programs, keeps them running, stops them.

A program that dies is started again after a pause that doubles; one that dies too often in a minute, or
before it was ever ready, is given up, and with it the whole: `failed` then holds why.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from operations.errors import ProgramFailedError
from operations.processes import LogFile, Program, RunningProgram, start

PROGRESS_SECONDS = 1.0
"""Between two looks at how far a program is that is not ready."""

Report = Callable[[str], None]


@dataclass(frozen=True)
class Patience:
    """How often and how fast a dead program is started again."""

    deaths_max: int = 5
    within_seconds: float = 60.0
    first_pause_seconds: float = 0.2
    longest_pause_seconds: float = 5.0

    def pause_seconds(self, deaths: int) -> float:
        """How long to wait after so many deaths in a row: twice as long each time, up to the longest.

        >>> [Patience().pause_seconds(deaths) for deaths in (1, 2, 3, 9)]
        [0.2, 0.4, 0.8, 5.0]
        """
        return min(self.first_pause_seconds * 2.0 ** (deaths - 1), self.longest_pause_seconds)


class Supervised:
    """One program through all its lives."""

    def __init__(self, program: Program, logs: Path, patience: Patience, report: Report) -> None:
        self.program = program
        self.restarts = 0
        self.running: RunningProgram | None = None
        self._patience = patience
        self._report = report
        self._log = LogFile(logs / f"{program.label}.log")

    async def first_start(self) -> dict[str, Any]:
        """Start and wait until ready; raises `ProgramFailedError`, and then nothing runs."""
        self.running = await start(self.program, self._log)
        return await self._until_ready(self.running)

    async def keep(self) -> None:
        """Start it again as often as patience allows, until canceled; raises `ProgramFailedError`."""
        deaths: deque[float] = deque()
        while True:
            status = await self._death()
            now = asyncio.get_running_loop().time()
            deaths.append(now)
            while now - deaths[0] > self._patience.within_seconds:
                deaths.popleft()
            if len(deaths) > self._patience.deaths_max:
                seconds = self._patience.within_seconds
                raise self._failure(f"died {len(deaths)} times in {seconds:.0f} seconds, last with {status}")
            await self._start_again(status, len(deaths))

    async def stop(self) -> None:
        """Stop its present life. It is for good where nobody awaits `first_start` or `keep` any more."""
        if self.running is not None and not await self.running.stop():
            self._report(f"{self.program.label} did not stop when asked and was killed")

    def close(self) -> None:
        """Close its log file."""
        self._log.close()

    async def _death(self) -> int:
        return await self.running.wait() if self.running is not None else 0

    async def _start_again(self, status: int, deaths: int) -> None:
        pause_seconds = self._patience.pause_seconds(deaths)
        self._report(f"{self.program.label} ended with {status}; started again in {pause_seconds:.1f} s")
        self._log.write(f"-- ended with {status}; started again in {pause_seconds:.1f} s")
        await asyncio.sleep(pause_seconds)
        self.restarts += 1
        self.running = await start(self.program, self._log)
        with contextlib.suppress(ProgramFailedError):  # a death before it was ready counts as the next death
            await self._until_ready(self.running)
            self._report(f"{self.program.label} is ready again")

    async def _until_ready(self, running: RunningProgram) -> dict[str, Any]:
        ended = asyncio.create_task(running.wait())
        try:
            await self._wait_while_it_speaks(running, {running.ready, ended})
            if running.ready.done() and not running.ready.cancelled():
                return running.ready.result()
            if ended.done():
                raise self._failure(f"ended with {ended.result()} before it was ready")
            running.kill()
            raise self._failure(f"was not ready, and said nothing for {self.program.ready_seconds_max:.0f} s")
        finally:
            ended.cancel()

    async def _wait_while_it_speaks(self, running: RunningProgram, ends: set[asyncio.Future[Any]]) -> None:
        """Until one of them is done, or it was silent for too long; meanwhile reports how far it is."""
        told = None
        while (left := self.program.ready_seconds_max - running.silent_seconds) > 0:
            done, _ = await asyncio.wait(
                ends, timeout=min(left, PROGRESS_SECONDS), return_when=asyncio.FIRST_COMPLETED
            )
            if done:
                return
            if running.progress != told:
                told = running.progress
                self._report(f"{self.program.label} is {told}")

    def _failure(self, what: str) -> ProgramFailedError:
        return ProgramFailedError(self.program.label, what, "\n".join(f"  {line}" for line in self._log.tail))


class Supervisor:
    """All programs of one home. Starts stage by stage, stops in the opposite order."""

    def __init__(self, logs: Path, report: Report, patience: Patience | None = None) -> None:
        self._logs = logs
        self._report = report
        self._patience = patience or Patience()
        self._stages: list[list[Supervised]] = []
        self._tasks: list[asyncio.Task[Any]] = []
        self.failed: asyncio.Future[ProgramFailedError] = asyncio.get_running_loop().create_future()

    async def start(self, programs: Sequence[Program]) -> dict[str, dict[str, Any]]:
        """Start programs together and wait for all; what each said when ready, by name.

        Raises `ProgramFailedError` of the first that failed; call `stop` then too.
        """
        stage = [Supervised(program, self._logs, self._patience, self._report) for program in programs]
        self._stages.append(stage)
        starting = [asyncio.create_task(each.first_start()) for each in stage]
        self._tasks += starting
        told = await asyncio.gather(*starting)
        self._tasks += [asyncio.create_task(self._keep(each)) for each in stage]
        return {each.program.label: ready for each, ready in zip(stage, told, strict=True)}

    @property
    def programs(self) -> dict[str, Supervised]:
        """All programs started so far, by name."""
        return {each.program.label: each for stage in self._stages for each in stage}

    async def stop(self) -> None:
        """Stop all, the last started first; returns when no program runs."""
        # First whatever starts programs: one that it is just starting would outlive the stop otherwise.
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for stage in reversed(self._stages):
            await asyncio.gather(*(each.stop() for each in stage))
        for each in self.programs.values():
            each.close()

    async def _keep(self, each: Supervised) -> None:
        try:
            await each.keep()
        except ProgramFailedError as error:
            if not self.failed.done():
                self.failed.set_result(error)
