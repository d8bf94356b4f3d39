"""The API process: `python -m gateway.api --home DIR --keys DIR --log URL --processor HOST:PORT …`."""

import argparse
import asyncio
import secrets
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import structlog
import uvloop

from events.clock import SystemClock
from events.errors import LogUnavailableError
from events.log.lag import lag_of, length_of
from events.log.opening import open_log
from events.log.port import Log
from events.metrics import add_metrics_port, free_bytes_of, serve_metrics
from events.program_logs import LogLevel, add_log_level, log_as_json
from events.programs import announce, leave, spare_what_stays
from events.tracing import add_tracing, start_tracing, stop_tracing
from gateway.api.application import make_application
from gateway.api.internal import internal_methods
from gateway.errors import StoreUnavailableError, StoreUnsafeError
from gateway.geo import Geography
from gateway.hardening import allow_open_files, forbid_core_dumps
from gateway.http.listening import Listener, bind, serve_until
from gateway.http.proxies import add_trusted_proxy, trusted
from gateway.keys.keyring import open_keyring
from gateway.keys.tls import client_context, ensure_certificates, server_context
from gateway.link.answering import LinkListener
from gateway.live_home import is_live_home
from gateway.outbox import backlog
from gateway.payments.lifetimes import Lifetimes
from gateway.pressure.lateness import LatePolicy
from gateway.pressure.measuring import Gauge, Outside, Regulator
from gateway.processor_client import LinkedProcessor
from gateway.rate_limits import MEMORY, open_limiter
from gateway.scheduling import ThreadScheduling, run_for_good
from gateway.store.opening import open_store
from gateway.store.writer import Store
from gateway.surroundings import Surroundings
from gateway.wiring import Gateway

START_SECONDS_MAX = 60.0
"""How long a start waits for PostgreSQL and the broker together: less than its supervisor gives it."""

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """The program's arguments."""

    home: Path
    keys: Path
    log: str
    host: str
    port: int
    internal_port: int
    processor: str
    deadline_ms: int
    authorization_days: float | None
    addresses: Path | None
    bins: Path | None
    late_decisions: LatePolicy
    rate_limits: str
    trusted_proxy: list[str]
    instance: str
    share_ports: bool
    processes: int
    log_level: LogLevel
    metrics_port: int | None
    traces: str | None
    trace_share: float


def parse(arguments: list[str]) -> Settings:
    """The options of the command line."""
    parser = argparse.ArgumentParser(prog="python -m gateway.api", description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="where the operational store is kept")
    parser.add_argument("--keys", type=Path, required=True, help="where secrets and certificates are kept")
    parser.add_argument("--log", required=True, help="sqlite:///PATH or kafka://HOST:PORT")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--internal-port", type=int, default=0)
    parser.add_argument("--processor", required=True, help="HOST:PORT of the processor's internal listener")
    parser.add_argument(
        "--deadline-ms", type=int, required=True, help="how long a confirm waits for a decision"
    )
    parser.add_argument(
        "--late-decisions",
        type=LatePolicy,
        choices=list(LatePolicy),
        default=LatePolicy.FALL_BACK,
        help="what becomes of payments while decisions are late for a while",
    )
    parser.add_argument(
        "--authorization-days",
        type=float,
        help="how long an authorization holds at most; the network's, unless given",
    )
    parser.add_argument(
        "--instance", default="api", help="a name that no other process on the same store has"
    )
    parser.add_argument(
        "--share-ports", action="store_true", help="let several of these processes listen on the same ports"
    )
    parser.add_argument(
        "--processes", type=int, default=1, help="how many of these there are: each counts its part of limits"
    )
    parser.add_argument("--addresses", type=Path, help="CSV: first,last,country of IP addresses")
    parser.add_argument("--bins", type=Path, help="CSV: first,last,country of card prefixes")
    parser.add_argument("--rate-limits", default=MEMORY, help="memory, or redis://HOST:PORT[/DB]")
    add_trusted_proxy(parser)
    add_log_level(parser)
    add_metrics_port(parser)
    add_tracing(parser)
    return Settings(**vars(parser.parse_args(arguments)))


async def serve(settings: Settings) -> None:
    """Run until SIGTERM or SIGINT."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    settings.home.mkdir(parents=True, exist_ok=True)
    ensure_certificates(settings.keys, datetime.now(UTC))
    clock, scheduling = SystemClock(), ThreadScheduling()
    give_up_at = time.monotonic() + START_SECONDS_MAX
    log = await waited_for("log", lambda: open_log(settings.log), give_up_at)
    processor = LinkedProcessor(settings.processor, client_context(settings.keys, "api", "internal"))
    store = Store(await waited_for("store", lambda: open_store(settings.home), give_up_at), scheduling)
    gateway = Gateway(
        Surroundings(
            clock=clock,
            entropy=secrets.token_bytes,
            scheduling=scheduling,
            store=store,
            log=log,
            processor=processor,
            keyring=open_keyring(settings.keys),
            geography=Geography(settings.addresses, settings.bins),
            instance_name=settings.instance,
            deadline_seconds=settings.deadline_ms / 1000,
            live_alone=is_live_home(settings.home),
            lifetimes=Lifetimes(settings.authorization_days),
            limiter=open_limiter(settings.rate_limits, settings.keys, clock, settings.processes),
            late_policy=settings.late_decisions,
        )
    )
    failed = asyncio.Event()

    def give_up() -> None:
        failed.set()
        stop.set()

    show_figures(settings, gateway, log)
    await gateway.start(give_up)
    run_for_good(scheduling, _regulator(gateway, processor, store, scheduling).run(), "pressure", give_up)
    try:
        await listen(gateway, settings, stop)
    finally:
        await gateway.stop()
        await processor.close()
        log.close()
    if failed.is_set():
        raise SystemExit("gateway.api: what moves payments on has failed (see above); start it again")


def show_figures(settings: Settings, gateway: Gateway, log: Log) -> None:
    """Serve this process's figures; those of one name read alike in every program."""
    consumer = settings.instance
    serve_metrics(
        settings.metrics_port,
        lag_of(log, consumer, lambda: gateway.decisions.reached),
        length_of(log, "dead-letters"),
        free_bytes_of(settings.home),
    )


def _regulator(
    gateway: Gateway, processor: LinkedProcessor, store: Store, scheduling: ThreadScheduling
) -> Regulator:
    outside = Outside(processor.delay, lambda: store.read(backlog))
    return Regulator(gateway.admission, Gauge(scheduling, store.delays), outside, scheduling)


async def waited_for(what: str, open_it: Callable[[], T], give_up_at: float) -> T:
    """What is opened; whose server is away is waited for, as a supervisor gives up who dies too often.

    Until `give_up_at` (monotonic), one for all that a start waits for: the supervisor counts the whole.
    """
    while True:
        try:
            return await asyncio.to_thread(open_it)
        except (StoreUnavailableError, LogUnavailableError) as error:
            if isinstance(error, StoreUnsafeError) or time.monotonic() >= give_up_at:
                raise
            structlog.get_logger("gateway").warning(f"the {what} is waited for", error=type(error).__name__)
            await asyncio.sleep(1.0)


async def listen(gateway: Gateway, settings: Settings, stop: asyncio.Event) -> None:
    """Open both listeners, say so, and close them when asked to stop."""
    public = Listener(
        make_application(gateway),
        bind(settings.host, settings.port, shared=settings.share_ports),
        proxies=trusted(settings.trusted_proxy),
        door=gateway.gatekeeper.knock,
    )
    internal = LinkListener(
        internal_methods(gateway),
        bind(settings.host, settings.internal_port, shared=settings.share_ports),
        server_context(settings.keys, "api", "internal"),
    )
    spare_what_stays()
    await serve_until(
        stop,
        (public, internal),
        lambda: announce("gateway.api", port=public.port, internal_port=internal.port),
    )


def main(arguments: list[str]) -> None:
    """Run the API until it is asked to stop."""
    settings = parse(arguments)
    forbid_core_dumps()
    allow_open_files()
    log_as_json(settings.log_level)
    start_tracing("gateway.api", settings.traces, settings.trace_share)
    uvloop.run(serve(settings))


if __name__ == "__main__":
    main(sys.argv[1:])
    stop_tracing()
    leave()
