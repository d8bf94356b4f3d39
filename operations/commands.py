"""`weir up`, `weir demo`, `weir doctor`, `weir top`, `weir surrogate`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import typer

from events.options import HOME
from events.program_logs import LogLevel
from gateway.pressure.lateness import LatePolicy
from models.labels import HORIZON_DAYS
from operations.defaults import (
    DEFAULT_DEADLINE_MS,
    DEFAULT_PORT,
    DEFAULT_TRACE_SHARE,
    DEMO_DEADLINE_MS,
    DEMO_HORIZON_DAYS,
    STATE_MEMORY_MB,
)
from operations.options import (
    ApiProcesses,
    AuthorizationDays,
    DeadlineMs,
    Home,
    HorizonDays,
    Host,
    Keys,
    LateDecisions,
    LiveAlone,
    LogLevelChoice,
    LogUrl,
    Port,
    RateLimitsUrl,
    RiskFlows,
    StateMemoryMb,
    StoreUrl,
    Traces,
    TraceShare,
    TrustedProxies,
)

app = typer.Typer()


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
    state_memory_mb: StateMemoryMb = STATE_MEMORY_MB,
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
                state_memory_mb=state_memory_mb,
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
