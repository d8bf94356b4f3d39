"""What `weir up` was asked for, and the programs that follow from it."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from events.log.finding import LOCAL_BROKER, log_url
from events.program_logs import LogLevel
from events.tracing import SHARE
from gateway.http.proxies import trusted
from gateway.keys.home_keys import keys_of
from gateway.pressure.lateness import LatePolicy
from gateway.rate_limits import MEMORY, require_usable
from gateway.store.finding import chosen_store, require_shareable
from models.labels import HORIZON_DAYS
from operations.addresses import Ports
from operations.defaults import STATE_MEMORY_MB
from operations.processes import Program


@dataclass(frozen=True)
class Settings:
    """One platform on one machine. `log` is `kafka` or a full URL; `live` makes a new home take live payments
    alone, and one that does stays so without; `authorization_days` None: as long as the network grants;
    `store` None: the one that the home has, which `api_processes` share; `risk_flows` share the payments,
    each with `state_memory_mb` for what it knows; `traces`: where spans go by OTLP."""

    home: Path
    keys: Path
    host: str
    port: int
    log: str
    deadline_ms: int
    horizon_days: float = HORIZON_DAYS
    live: bool = False
    authorization_days: float | None = None
    rate_limits: str = MEMORY
    trusted_proxies: tuple[str, ...] = ()
    store: str | None = None
    api_processes: int = 1
    risk_flows: int = 1
    state_memory_mb: int = STATE_MEMORY_MB
    log_level: LogLevel = LogLevel.INFO
    traces: str | None = None
    trace_share: float = SHARE
    late_decisions: LatePolicy = LatePolicy.FALL_BACK

    @property
    def needs_broker(self) -> bool:
        """Whether a local broker is started beside the platform."""
        return self.log == LOCAL_BROKER


def from_options(
    home: Path,
    keys: Path | None,
    host: str,
    port: int,
    log: str,
    deadline_ms: int,
    horizon_days: float = HORIZON_DAYS,
    *,
    live: bool = False,
    authorization_days: float | None = None,
    rate_limits: str = MEMORY,
    trusted_proxies: Sequence[str] = (),
    store: str | None = None,
    api_processes: int = 1,
    risk_flows: int = 1,
    state_memory_mb: int = STATE_MEMORY_MB,
    log_level: LogLevel = LogLevel.INFO,
    traces: str | None = None,
    trace_share: float = SHARE,
    late_decisions: LatePolicy = LatePolicy.FALL_BACK,
) -> Settings:
    """Absolute paths and a full log URL; raises `LogUnusableError`, `HomeError`."""
    home = home.absolute()
    servers = os.environ.get("KAFKA_BOOTSTRAP_SERVERS", "")
    url = log_url(log, home, servers)
    keys = keys_of(home, keys)
    limits = require_usable(rate_limits)
    require_shareable(home, chosen_store(home, store), api_processes)
    return Settings(
        home=home,
        keys=keys,
        host=host,
        port=port,
        log=url,
        deadline_ms=deadline_ms,
        horizon_days=horizon_days,
        live=live,
        authorization_days=authorization_days,
        rate_limits=limits,
        trusted_proxies=tuple(trusted(trusted_proxies).as_texts()),
        store=store,
        api_processes=api_processes,
        risk_flows=risk_flows,
        state_memory_mb=state_memory_mb,
        log_level=log_level,
        traces=traces,
        trace_share=trace_share,
        late_decisions=late_decisions,
    )


def world(settings: Settings, ports: Ports, log: str) -> list[Program]:
    """What must run before the gateway: the acquirer network, the two flows, the page."""
    level = ("--log-level", settings.log_level)
    home = ("--home", str(settings.home), *level)
    return [
        Program(
            "simulator.acquirer",
            (
                *home,
                *("--certificates", str(settings.keys / "acquirer"), "--port", str(ports.acquirer)),
                *("--directory-port", str(ports.directory)),
                *("--pages-host", settings.host, "--pages-port", str(ports.issuer_pages)),
                *("--notify", f"https://{settings.host}:{ports.processor}/rails/notices"),
            ),
        ),
        *(_risk_flow(settings, home, log, flow) for flow in range(settings.risk_flows)),
        Program("pipelines.learning", (*home, "--log", log, "--horizon-days", str(settings.horizon_days))),
        Program(
            "dashboards.live", (*level, "--log", log, "--host", settings.host, "--port", str(ports.page))
        ),
    ]


def rescaling(settings: Settings, log: str) -> Program:
    """What makes the state one for as many risk flows as are wanted; it ends by itself."""
    home = ("--home", str(settings.home), "--log-level", settings.log_level)
    return Program("pipelines.rescale", (*home, "--log", log, "--flows", str(settings.risk_flows)))


def _risk_flow(settings: Settings, home: tuple[str, ...], log: str, flow: int) -> Program:
    flows = settings.risk_flows
    which = ("--flow", str(flow), "--flows", str(flows)) if flows > 1 else ()
    memory = ("--state-memory-mb", str(settings.state_memory_mb))
    return Program("pipelines.risk", (*home, "--log", log, *memory, *which), number=flow + 1)


def gateway(settings: Settings, ports: Ports, log: str) -> list[Program]:
    """The gateway: the processor, and the API's processes."""
    processor = Program(
        "gateway.processor",
        (
            *_places(settings),
            *("--port", str(ports.processor), "--internal-port", str(ports.processor_internal)),
            *("--api", f"127.0.0.1:{ports.api_internal}"),
            *("--acquirer", f"127.0.0.1:{ports.acquirer}"),
            *("--directory", f"https://127.0.0.1:{ports.directory}"),
            *_proxies(settings),
        ),
    )
    numbers = range(1, settings.api_processes + 1)
    return [processor, *(_api(settings, ports, log, number) for number in numbers)]


def _api(settings: Settings, ports: Ports, log: str, number: int) -> Program:
    days = settings.authorization_days
    return Program(
        "gateway.api",
        (
            *_places(settings),
            *("--log", with_kafka_python(log)),
            *("--port", str(ports.api), "--internal-port", str(ports.api_internal)),
            *("--processor", f"127.0.0.1:{ports.processor_internal}"),
            *("--deadline-ms", str(settings.deadline_ms)),
            *("--late-decisions", settings.late_decisions),
            *(() if days is None else ("--authorization-days", str(days))),
            *("--rate-limits", settings.rate_limits),
            *_proxies(settings),
            *("--processes", str(settings.api_processes)),
            *(("--instance", f"api-{number}", "--share-ports") if settings.api_processes > 1 else ()),
        ),
        number=number,
    )


def _proxies(settings: Settings) -> Iterator[str]:
    for network in settings.trusted_proxies:
        yield from ("--trusted-proxy", network)


def _places(settings: Settings) -> tuple[str, ...]:
    places = ("--home", str(settings.home), "--keys", str(settings.keys), "--host", settings.host)
    return (*places, "--log-level", settings.log_level)


def with_kafka_python(log: str) -> str:
    """The same log, where it is Kafka, through kafka-python: the client that the API sends with.

    >>> with_kafka_python("kafka://broker:9092"), with_kafka_python("sqlite:////var/weir/log.sqlite")
    ('kafka+python://broker:9092', 'sqlite:////var/weir/log.sqlite')
    """
    return f"kafka+python://{log.removeprefix('kafka://')}" if log.startswith("kafka://") else log


def broker(settings: Settings) -> Program:
    """The local Kafka broker, its data under the home."""
    return Program(
        "simulator.kafka.broker",
        ("--home", str(settings.home / "kafka"), "--port", "0"),
        ready_seconds_max=300,
    )
