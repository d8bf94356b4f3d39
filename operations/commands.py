"""`weir up`, `weir demo`, `weir doctor`, `weir top`, `weir surrogate`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import typer

from events.options import HOME
from events.program_logs import ENVIRONMENT, LogLevel
from gateway.pressure.lateness import LatePolicy
from models.labels import HORIZON_DAYS
from operations.defaults import (
    DEFAULT_DEADLINE_MS,
    DEFAULT_PORT,
    DEFAULT_TRACE_SHARE,
    DEMO_DEADLINE_MS,
    DEMO_HORIZON_DAYS,
)

app = typer.Typer()

Home = Annotated[Path, typer.Option(help="Where stores, state and logs are kept.")]
Keys = Annotated[
    Path | None,
    typer.Option(
        help="Where keys and certificates are kept, apart from --home.",
        show_default="the folder that the home belongs to; of a new home HOME-keys",
    ),
]
Host = Annotated[str, typer.Option(help="Address to listen on.")]
Port = Annotated[
    int,
    typer.Option(
        min=0,
        max=65_533,
        metavar="PORT",
        help="API's port; the processor takes the next, the page the one after. 0 picks free ones.",
    ),
]
LogUrl = Annotated[
    str,
    typer.Option(
        "--log",
        help="sqlite, sqlite:///PATH, kafka://HOST:PORT[,HOST:PORT], or kafka: KAFKA_BOOTSTRAP_SERVERS if "
        "set, else a local broker is started.",
    ),
]
StoreUrl = Annotated[
    str | None,
    typer.Option(
        "--store",
        metavar="URL",
        help="Of a new home, for good: sqlite, or postgresql://USER@HOST:PORT/DATABASE, whose password is in "
        "~/.pgpass or PGPASSFILE.",
        show_default="the store that the home has; of a new home sqlite",
    ),
]
HorizonDays = Annotated[
    float,
    typer.Option(
        min=0.1,
        help="A payment that nobody reported within so many days counts as genuine, until someone does.",
    ),
]
AuthorizationDays = Annotated[
    float | None,
    typer.Option(
        min=0.1,
        help="An authorization that is neither captured nor canceled within so many days is voided.",
        show_default="as long as the card's network grants: 7",
    ),
]
LogLevelChoice = Annotated[
    LogLevel,
    typer.Option(
        "--log-level",
        envvar=ENVIRONMENT,
        help="From which level on the programs log; at debug libraries and requests too. Never secrets.",
    ),
]
RateLimitsUrl = Annotated[
    str,
    typer.Option(help="Where requests are counted: memory, each API process its part, or redis://HOST:PORT."),
]
TrustedProxies = Annotated[
    list[str] | None,
    typer.Option(
        metavar="CIDR",
        help="A proxy before API and processor, which is believed for whom it asks (X-Forwarded-For); may be "
        "given several times.",
    ),
]
RiskFlows = Annotated[
    int,
    typer.Option(min=1, max=8, help="How many risk flows share the payments; each needs a core."),
]
LateDecisions = Annotated[
    LatePolicy,
    typer.Option(
        help="What becomes of payments while decisions are late for a while: they fall back to a few rules, "
        "or are refused with 503."
    ),
]
DeadlineMs = Annotated[int, typer.Option(min=1, help="How long a confirm waits for its decision.")]

LiveAlone = Annotated[
    bool,
    typer.Option(
        "--live",
        help="For production: a new home takes live payments alone, from its first start and for good.",
    ),
]
ApiProcesses = Annotated[
    int, typer.Option(min=1, max=16, help="How many API processes share the port, on PostgreSQL.")
]
Traces = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Where spans of requests go, by OTLP over HTTP: http://HOST:4318.",
        show_default="off",
    ),
]
TraceShare = Annotated[
    float, typer.Option(min=0, max=1, help="With --traces: the share of requests that are traced.")
]


class EntityKind(StrEnum):
    """What a list may name by its surrogate."""

    DEVICE = "device"
    IP = "ip"
    EMAIL = "email"
    CUSTOMER = "customer"
    CARD = "card"


@app.command()
def up(
    home: Home = HOME,
    keys: Keys = None,
    host: Host = "127.0.0.1",
    port: Port = DEFAULT_PORT,
    log: LogUrl = "sqlite",
    deadline_ms: DeadlineMs = DEFAULT_DEADLINE_MS,
    horizon_days: HorizonDays = HORIZON_DAYS,
    authorization_days: AuthorizationDays = None,
    live: LiveAlone = False,
    rate_limits: RateLimitsUrl = "memory",
    trusted_proxy: TrustedProxies = None,
    store: StoreUrl = None,
    api_processes: ApiProcesses = 1,
    risk_flows: RiskFlows = 1,
    late_decisions: LateDecisions = LatePolicy.FALL_BACK,
    log_level: LogLevelChoice = LogLevel.INFO,
    traces: Traces = None,
    trace_share: TraceShare = DEFAULT_TRACE_SHARE,
) -> None:
    """Run everything on this machine until Ctrl-C: gateway, risk, learning, acquirer network, page."""
    from operations import settings, up

    raise typer.Exit(
        up.run(
            lambda: settings.from_options(
                home,
                keys,
                host,
                port,
                log,
                deadline_ms,
                horizon_days,
                live=live,
                authorization_days=authorization_days,
                rate_limits=rate_limits,
                trusted_proxies=trusted_proxy or (),
                store=store,
                api_processes=api_processes,
                risk_flows=risk_flows,
                log_level=log_level,
                traces=traces,
                trace_share=trace_share,
                late_decisions=late_decisions,
            )
        )
    )


@app.command()
def demo(
    home: Annotated[
        Path | None, typer.Option(help="As for up; without it a temporary folder that is removed at the end.")
    ] = None,
    keys: Keys = None,
    host: Host = "127.0.0.1",
    port: Port = 0,
    log: LogUrl = "sqlite",
    deadline_ms: DeadlineMs = DEMO_DEADLINE_MS,
    horizon_days: HorizonDays = DEMO_HORIZON_DAYS,
    seconds: Annotated[
        float,
        typer.Option(
            min=1,
            help="In how many seconds the thirty days pass; a slow machine takes up to 2.5 times as long.",
        ),
    ] = 60.0,
    rate: Annotated[
        float | None,
        typer.Option(
            min=0.1, help="Payments a second.", show_default="what this machine carries, measured first"
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed at the same --rate brings the same month.")] = 1,
    risk_flows: RiskFlows = 1,
    log_level: LogLevelChoice = LogLevel.INFO,
) -> None:
    """Run everything, and thirty days of shoppers and fraudsters in a minute; ends by itself.

    Exit status 1 when over 1 % of decisions were fallbacks, or no reported label was learned.
    """
    from operations import demo, settings

    status = demo.run(
        lambda place: settings.from_options(
            place,
            keys,
            host,
            port,
            log,
            deadline_ms,
            horizon_days,
            risk_flows=risk_flows,
            log_level=log_level,
        ),
        home,
        demo.Traffic(seconds, rate, seed),
    )
    raise typer.Exit(status)


@app.command()
def doctor(
    home: Home = HOME,
    keys: Keys = None,
    host: Host = "127.0.0.1",
    port: Port = DEFAULT_PORT,
    log: LogUrl = "sqlite",
    as_json: Annotated[bool, typer.Option("--json", help="Findings as JSON.")] = False,
) -> None:
    """Check the set-up, and say what to mend. Changes nothing; exit status 1 where something is wrong."""
    from operations import doctor, settings

    def wanted() -> settings.Settings:
        return settings.from_options(home, keys, host, port, log, DEFAULT_DEADLINE_MS)

    raise typer.Exit(doctor.run(wanted, as_json=as_json))


@app.command()
def top(
    home: Home = HOME,
    once: Annotated[
        bool, typer.Option("--once", help="Watch for a second, print what was seen, and end.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --once: as JSON.")] = False,
) -> None:
    """Watch a running platform: rates, latencies by hop, lag, outcomes, processes. Ctrl-C ends it."""
    from operations import top as watching

    raise typer.Exit(watching.run(home, once=once or as_json, as_json=as_json))


@app.command()
def surrogate(
    kind: Annotated[EntityKind, typer.Argument(metavar="KIND", help="device, ip, email, customer or card.")],
    value: Annotated[
        str,
        typer.Argument(
            metavar="VALUE",
            help="As the shop sends it; of a card its token (tok_…), of an account pm_….",
        ),
    ],
    home: Home = HOME,
    keys: Keys = None,
    merchant: Annotated[
        str | None, typer.Option(metavar="MERCHANT", help="Whose customer it is; for customers alone.")
    ] = None,
    live: Annotated[bool, typer.Option("--live", help="Live mode; without it, test mode.")] = False,
) -> None:
    """Show what stands for a value in lists (docs/rules.md) and on the log. Only reads."""
    from operations import surrogates, up
    from operations.errors import SurrogateError

    mode: Literal["test", "live"] = "live" if live else "test"
    try:
        found = surrogates.surrogate_of(home, keys, kind.value, value, mode=mode, merchant=merchant)
    except SurrogateError as error:
        raise typer.Exit(up.complain("weir surrogate", error)) from None
    typer.echo(found)
