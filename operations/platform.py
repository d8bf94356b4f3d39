"""One running platform: composed, started in order, and stopped."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from datetime import UTC, datetime

from events.log.finding import remember_log
from events.log.opening import open_log
from gateway.backoffice import Backoffice
from gateway.keys.home_keys import ensure_keys
from gateway.live_home import is_live_home
from gateway.store.opening import adopt_store
from operations import addresses, merchants, processes, settings
from operations.errors import ProgramFailedError
from operations.home_lock import sole_supervisor
from operations.settings import Settings
from operations.supervisor import Supervisor
from operations.watched import Watched, forget
from pipelines.flow_homes import is_ready_for

Report = Callable[[str], None]


@dataclass(frozen=True)
class Platform:
    """Where a running platform is; `test_key` is None where it takes live payments alone."""

    settings: Settings
    supervisor: Supervisor
    log: str
    api: str
    processor: str
    page: str
    ca: str
    test_key: str | None


@asynccontextmanager
async def running(wanted: Settings, report: Report) -> AsyncIterator[Platform]:
    """The platform, ready to take payments; stopped when the block ends, however it ends.

    Raises `HomeError`, `HomeInUseError`, `HomeUnusableError`, `AddressInUseError`, `AddressUnusableError`,
    `LogUnavailableError`, `LogUnusableError`, `ProgramFailedError`.
    """
    if not wanted.home.exists():
        addresses.choose(wanted.host, wanted.port)  # a refusal leaves no home behind
    with sole_supervisor(wanted.home):
        ports = addresses.choose(wanted.host, wanted.port, wanted.home)
        supervisor = Supervisor(wanted.home / "logs", report)
        try:
            test_key = await asyncio.to_thread(_prepared, wanted)
            log = await _log(wanted, supervisor, report)
            if log.startswith("kafka") and not wanted.needs_broker:
                await asyncio.to_thread(_look_at, log)
            remember_log(wanted.home, log)
            watched = Watched(wanted, ports)
            addresses.remember(wanted.home, wanted.host, ports)
            await _rescaled(wanted, log, report)
            report("Starting the acquirer network, the risk flow, the learner and the page")
            await supervisor.start(watched.told(settings.world(wanted, ports, log)))
            report("Starting the processor and the API")
            for program in watched.told(settings.gateway(wanted, ports, log)):
                await supervisor.start([program])
            watched.remember()
            yield Platform(
                settings=wanted,
                supervisor=supervisor,
                log=log,
                api=f"http://{wanted.host}:{ports.api}",
                processor=f"https://{wanted.host}:{ports.processor}",
                page=f"http://{wanted.host}:{ports.page}/",
                ca=str(wanted.keys / "ca.pem"),
                test_key=test_key,
            )
        finally:
            forget(wanted.home)
            await asyncio.shield(supervisor.stop())


def _prepared(wanted: Settings) -> str | None:
    """Make what the programs expect to find: certificates, the store's tables, a first test key."""
    ensure_keys(wanted.home, wanted.keys, datetime.now(UTC), hosts=(wanted.host,))
    adopt_store(wanted.home, wanted.store)
    if wanted.live:
        Backoffice(wanted.home, wanted.keys).take_live_alone()
    return None if is_live_home(wanted.home) else merchants.first_key(wanted.home, wanted.keys)


def _look_at(log: str) -> None:
    """Open it once: the programs wait for one that is away, which who mistyped it should not have to."""
    with closing(open_log(log)):
        pass


async def _rescaled(wanted: Settings, log: str, report: Report) -> None:
    """The state, made one for as many risk flows as are wanted, where it is for another number."""
    if is_ready_for(wanted.home, wanted.risk_flows):
        return
    report(f"Making the risk flow's state one for {wanted.risk_flows} flows")
    program = settings.rescaling(wanted, log)
    file = processes.LogFile(wanted.home / "logs" / f"{program.label}.log")
    try:
        running = await processes.start(program, file)
        try:
            status = await running.wait()
        except asyncio.CancelledError:
            await running.stop()
            raise
    finally:
        file.close()
    if status:
        tail = "\n".join(f"  {line}" for line in file.tail)
        raise ProgramFailedError(program.label, f"ended with {status}", tail)


async def _log(wanted: Settings, supervisor: Supervisor, report: Report) -> str:
    if not wanted.needs_broker:
        return wanted.log
    report("Starting a local Kafka broker")
    told = await supervisor.start([settings.broker(wanted)])
    return f"kafka://127.0.0.1:{told['simulator.kafka.broker']['port']}"
