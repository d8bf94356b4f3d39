"""Options that several commands of `weir` have, with their types, bounds and help."""

from pathlib import Path
from typing import Annotated

import typer

from events.program_logs import ENVIRONMENT, LogLevel
from gateway.pressure.lateness import LatePolicy

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
StateMemoryMb = Annotated[
    int,
    typer.Option(
        min=1,
        help="Memory of each risk flow for profiles and payments; the rest is on disk, and looked up there.",
    ),
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
