"""One program as a process: started, its output kept, its ready line read, and stopped.

What a program writes goes to `logs/NAME.log`, in turn over four files of 5 MB. Its environment is built from
a short list: a secret in the supervisor's own environment reaches no program.
"""

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import Any

from operations import launch

LOG_BYTES_MAX = 5_000_000
LOG_FILES_KEPT = 3
LINE_BYTES_MAX = 1_000_000
TAIL_LINES = 25
STOP_SECONDS_MAX = 10.0

INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "JAVA_HOME", "PYTHONPATH")
"""All that a program inherits of the environment."""

Listener = Callable[[str], None]


@dataclass(frozen=True)
class Program:
    """A module run as `python -m NAME ARGUMENTS`; `environment` is for this program alone.

    `number` tells apart several that run the same.
    """

    name: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    ready_seconds_max: float = 120.0
    """How long it may say nothing before it is ready: one that tells how far it is may take hours."""
    number: int = 1

    @property
    def label(self) -> str:
        """What the process is called among all.

        >>> Program("gateway.api", ()).label, Program("gateway.api", (), number=2).label
        ('gateway.api', 'gateway.api-2')
        """
        return self.name if self.number == 1 else f"{self.name}-{self.number}"


def environment_of(program: Program) -> dict[str, str]:
    """What the program sees: the inherited names, single-threaded numerics, and its own."""
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    # Several processes share the cores: a pool of BLAS threads in each only makes them wait for each other.
    return inherited | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"} | dict(program.environment)


class LogFile:
    """The rotating file of one program, and the last lines in memory for error messages."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.tail: deque[str] = deque(maxlen=TAIL_LINES)
        self._file = RotatingFileHandler(path, maxBytes=LOG_BYTES_MAX, backupCount=LOG_FILES_KEPT)

    def write(self, line: str) -> None:
        """Append one line, whole to the file and cut short to the tail."""
        self.tail.append(line[:500])
        self._file.emit(logging.makeLogRecord({"msg": "%s", "args": (line,)}))

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class RunningProgram:
    """One life of one program."""

    def __init__(self, process: Process, log: LogFile, listener: Listener | None) -> None:
        self._process = process
        self._log = log
        self._listener = listener
        self.pid = process.pid
        self.ready: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self.progress: str | None = None
        """How far it said that it was on its way to be ready, for people."""
        self._heard_at = asyncio.get_running_loop().time()
        self._pumps = [
            asyncio.create_task(self._pump(process.stdout, self._stdout_line)),
            asyncio.create_task(self._pump(process.stderr, self._stderr_line)),
        ]

    @property
    def silent_seconds(self) -> float:
        """Since its last line, or its start."""
        return asyncio.get_running_loop().time() - self._heard_at

    async def wait(self) -> int:
        """Exit status, after the last line was written."""
        status = await self._process.wait()
        # A grandchild may hold the pipe open for ever; what the program itself wrote is there at once.
        _, endless = await asyncio.wait(self._pumps, timeout=1.0)
        for pump in endless:
            pump.cancel()
        if not self.ready.done():
            self.ready.cancel()
        return status

    async def stop(self, seconds_max: float = STOP_SECONDS_MAX) -> bool:
        """Ask, then kill the whole group after `seconds_max`; True when asking was enough."""
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), seconds_max)
        except TimeoutError:
            self.kill()
            await self.wait()
            return False
        await self.wait()
        return True

    def kill(self) -> None:
        """kill -9 of the program's process group."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    async def _pump(self, stream: asyncio.StreamReader | None, take: Listener) -> None:
        assert stream is not None  # noqa: S101  # both are pipes: `start` says so
        while True:
            try:
                line = await stream.readuntil()
            except asyncio.IncompleteReadError as end:
                line = end.partial
                if not line:
                    return
            except asyncio.LimitOverrunError as overrun:
                line = await stream.readexactly(overrun.consumed)
            self._heard_at = asyncio.get_running_loop().time()
            take(line.decode(errors="replace").rstrip("\n"))

    def _stderr_line(self, line: str) -> None:
        self.progress = progress_of(line) or self.progress
        self._log.write(line)

    def _stdout_line(self, line: str) -> None:
        if not self.ready.done() and (told := _ready_line(line)) is not None:
            self.ready.set_result(told)
            self._log.write(line)
        elif self._listener is not None:
            self._listener(line)
        else:
            self._log.write(line)


def _ready_line(line: str) -> dict[str, Any] | None:
    told = _told(line)
    return told if "ready" in told else None


def progress_of(line: str) -> str | None:
    """What a line of a program's log says of a long way, for people; None where it says nothing of one.

    >>> progress_of('{"event": "catching up with the log", "share_done": 0.25, "seconds_left": 90}')
    'catching up with the log: 25 % done, 90 s left'
    >>> progress_of("something else")
    """
    match _told(line):
        case {"event": str(what), "share_done": int() | float() as share, "seconds_left": int(left)}:
            return f"{what}: {share:.0%} done, {left} s left".replace("%", " %")
    return None


def _told(line: str) -> dict[str, Any]:
    with contextlib.suppress(ValueError):
        told = json.loads(line)
        if isinstance(told, dict):
            return told
    return {}


async def start(program: Program, log: LogFile, listener: Listener | None = None) -> RunningProgram:
    """Start a program in its own process group; `listener` gets its output lines after the ready line.

    Canceled midway it leaves no process: asyncio kills the one that it has made, and waits for it.
    """
    command = [sys.executable, "-m", program.name, *program.arguments]
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, "-I", "-S", launch.__file__, str(os.getpid()), *command],
        stdin=asyncio.subprocess.DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
        env=environment_of(program),
        process_group=0,
        limit=LINE_BYTES_MAX,
    )
    return RunningProgram(process, log, listener)
