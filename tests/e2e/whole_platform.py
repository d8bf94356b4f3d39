"""The whole platform under the operations' own supervisor, for tests that kill its programs.

Every life of a program may be told a crash point at which it dies (`Fates`); a program whose fates are used
up lives on. `kill` is kill -9 from outside. Which life ended how is kept, so that a test can prove a death.
"""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType

from events.program_logs import LogLevel
from gateway.backoffice import Backoffice
from gateway.keys.tls import ensure_certificates
from gateway.people.merchants import Merchant, MerchantSettings
from gateway.rate_limits import MEMORY
from gateway.store.opening import adopt_store
from operations import addresses, processes, settings
from operations.processes import LogFile, Program
from operations.settings import Settings
from operations.supervisor import Patience, Supervised, Supervisor

KILLED = -signal.SIGKILL
PATIENCE_SECONDS = 120.0
TIRELESS = Patience(
    deaths_max=10_000, within_seconds=60.0, first_pause_seconds=0.05, longest_pause_seconds=0.05
)

API, PROCESSOR, ACQUIRER = "gateway.api", "gateway.processor", "simulator.acquirer"
RISK, LEARNING, PAGE = "pipelines.risk", "pipelines.learning", "dashboards.live"
FIVE = (API, PROCESSOR, ACQUIRER, RISK, LEARNING)


class Fates(Mapping[str, str]):
    """The environment of a program, another one for each of its lives: the supervisor reads it at each start.

    `waiting` holds `POINT` or `POINT:PASSING` for the lives to come; `lives` what each life so far was told.
    """

    def __init__(self) -> None:
        self.waiting: list[str] = []
        self.lives: list[str | None] = []

    def __iter__(self) -> Iterator[str]:
        self.lives.append(self.waiting.pop(0) if self.waiting else None)
        return iter(("WEIR_CRASH_AT",) if self.lives[-1] else ())

    def __getitem__(self, name: str) -> str:
        return self.lives[-1] or ""

    def __len__(self) -> int:
        return 1


@dataclass
class Chronicle:
    """One program's lives: what each was told, how each ended, and which ends came from outside."""

    fates: Fates = field(default_factory=Fates)
    statuses: list[int] = field(default_factory=list)
    outside: set[int] = field(default_factory=set)

    @property
    def died_at(self) -> list[str]:
        """The crash points at which lives really ended, in order."""
        return [
            told
            for life, (told, status) in enumerate(zip(self.fates.lives, self.statuses, strict=False))
            if told and status == KILLED and life not in self.outside
        ]

    @property
    def fated(self) -> bool:
        """Whether the present life is told to die, or one that is still to come."""
        return bool(self.fates.waiting or self.fates.lives[-1])


class WholePlatform:
    """A running platform: where it is, and how to hurt it."""

    def __init__(self, wanted: Settings, ports: addresses.Ports, supervisor: Supervisor) -> None:
        self.home, self.keys, self.log_url = wanted.home, wanted.keys, wanted.log
        self.api = f"http://{wanted.host}:{ports.api}"
        self.processor = f"https://{wanted.host}:{ports.processor}"
        self.ports = ports
        self.test_key = ""
        self.chronicles: dict[str, Chronicle] = {}
        self.complaints: list[str] = []
        self._supervisor = supervisor

    def told(self, report: str) -> None:
        """Take in what the supervisor reports: `NAME ended with STATUS; started again in …`."""
        name, ended, rest = report.partition(" ended with ")
        if not ended:
            self.complaints += [] if report.endswith(" is ready again") else [report]
        else:
            self.chronicles[name].statuses.append(int(rest.partition(";")[0]))

    def pid(self, name: str) -> int:
        """Of the present life; 0 between two lives."""
        running = self._program(name).running
        return running.pid if running and self._deaths(name) < len(self.chronicles[name].fates.lives) else 0

    def ready(self, name: str) -> bool:
        running = self._program(name).running
        return bool(self.pid(name) and running and running.ready.done() and not running.ready.cancelled())

    def condemn(self, plan: Mapping[str, Sequence[str]]) -> None:
        """Give lives to come their fates, and end the present ones, so that they begin."""
        for name, fates in plan.items():
            self.chronicles[name].fates.waiting += fates
            self.kill(name)

    def ask(self, name: str, argument: str) -> None:
        """Lives to come get one argument more."""
        program = self._program(name).program
        self._program(name).program = replace(program, arguments=(*program.arguments, argument))

    def kill(self, name: str) -> bool:
        """kill -9 now; False when it is between two lives."""
        pid = self.pid(name)
        if not pid:
            return False
        with suppress(ProcessLookupError):  # it has just died by itself, and that counts
            os.killpg(pid, signal.SIGKILL)
            self.chronicles[name].outside.add(self._deaths(name))
        return True

    async def until_ready(self, *names: str) -> None:
        await self.until(lambda: all(self.ready(name) for name in names), f"{', '.join(names)} to be ready")

    async def until(
        self, condition: Callable[[], bool], what: str, seconds: float = PATIENCE_SECONDS
    ) -> None:
        """Poll; fails with the tails of the logs when it takes too long, or a program was given up."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"waited too long for {what}\n{self.tails()}"
            assert not self._supervisor.failed.done(), str(self._supervisor.failed.result())
            await asyncio.sleep(0.05)

    def tails(self) -> str:
        """The end of each program's log."""
        logs = sorted((self.home / "logs").glob("*.log"))
        return "\n".join(f"== {path.name}\n{path.read_text(errors='replace')[-1500:]}" for path in logs)

    def _program(self, name: str) -> Supervised:
        return self._supervisor.programs[name]

    def _deaths(self, name: str) -> int:
        return len(self.chronicles[name].statuses)


def fatal(program: Program, chronicle: Chronicle) -> Program:
    """The program with fates for an environment."""
    return replace(program, environment=chronicle.fates)


def merchants_key(home: Path, keys: Path) -> str:
    """The test key of a new merchant, who takes every method and may ask as often as it likes."""
    office = Backoffice(home, keys)
    settings = MerchantSettings(plan="scale")  # tests ask as fast as they can
    merchant = Merchant(
        id="acct_tried", name="Tried and Tested", category="5942", country="IN", settings=settings
    )
    office.add_merchant(merchant)
    return office.add_key("acct_tried", "test")["secret"]


async def die_early(program: Program, points: Sequence[str], home: Path) -> None:
    """One life for each point, one after another."""
    for point in points:
        await false_start(replace(program, environment={"WEIR_CRASH_AT": point}), home)


async def false_start(program: Program, home: Path) -> None:
    """One life that must end at its crash point, before it is ready."""
    log = LogFile(home / "logs" / f"{program.name}.false-start.log")
    life = await processes.start(program, log)
    try:
        status = await asyncio.wait_for(life.wait(), PATIENCE_SECONDS)
    finally:
        life.kill()
        log.close()
    assert status == KILLED, f"{program.environment} was not reached: {status}, {list(log.tail)}"


@asynccontextmanager
async def whole_platform(
    folder: Path,
    log_url: str,
    *,
    deadline_ms: int = 2_000,
    page: bool = False,
    store: str | None = None,
    rate_limits: str = MEMORY,
    log_level: LogLevel = LogLevel.INFO,
    false_starts: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> AsyncIterator[WholePlatform]:
    """Everything started in the operations' order, with a merchant's test key; stopped at the end.

    `false_starts`: programs that die at these crash points first, side by side, a life for each point, before
    anything else runs.
    """
    wanted = Settings(
        folder / "home", folder / "keys", "127.0.0.1", 0, log_url, deadline_ms,
        store=store, rate_limits=rate_limits, log_level=log_level,
    )  # fmt: skip
    wanted.home.mkdir(parents=True, exist_ok=True)
    adopt_store(wanted.home, wanted.store)
    ensure_certificates(wanted.keys, datetime.now(UTC), hosts=(wanted.host,))
    ports = addresses.choose(wanted.host, 0)
    reports: list[Callable[[str], None]] = []
    supervisor = Supervisor(wanted.home / "logs", lambda text: reports[0](text), TIRELESS)
    platform = WholePlatform(wanted, ports, supervisor)
    reports.append(platform.told)
    platform.test_key = merchants_key(wanted.home, wanted.keys)
    world = [
        p
        for p in settings.world(wanted, ports, log_url)
        if (page or p.name != PAGE) and (p.name in FIVE or p.name == PAGE)
    ]
    every = (*world, *settings.gateway(wanted, ports, log_url))
    async with asyncio.TaskGroup() as group:
        for program in (p for p in every if p.name in false_starts):
            group.create_task(die_early(program, false_starts[program.name], wanted.home))
    stages = [world, *([program] for program in settings.gateway(wanted, ports, log_url))]
    try:
        for stage in stages:
            for program in stage:
                platform.chronicles[program.name] = Chronicle()
            await supervisor.start([fatal(p, platform.chronicles[p.name]) for p in stage])
        yield platform
    finally:
        await supervisor.stop()
