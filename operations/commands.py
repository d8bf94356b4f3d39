"""`weir up`, `weir demo`, `weir doctor`."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer()

Home = Annotated[Path, typer.Option(help="Where stores, state and logs are kept.")]
Keys = Annotated[
    Path | None,
    typer.Option(help="Where keys and certificates are kept, apart from --home.", show_default="HOME-keys"),
]
Host = Annotated[str, typer.Option(help="Address to listen on.")]
Port = Annotated[
    int,
    typer.Option(help="API's port; the processor takes the next, the page the one after. 0 picks free ones."),
]
LogUrl = Annotated[
    str,
    typer.Option(
        "--log",
        help="sqlite, sqlite:///PATH, kafka://HOST:PORT[,HOST:PORT], or kafka: KAFKA_BOOTSTRAP_SERVERS if "
        "set, else a local broker is started.",
    ),
]
HOME = Path(".weir/home")


@app.command()
def up(
    home: Home = HOME,
    keys: Keys = None,
    host: Host = "127.0.0.1",
    port: Port = 8400,
    log: LogUrl = "sqlite",
    deadline_ms: Annotated[
        int, typer.Option(min=10, help="How long a confirm waits for its decision.")
    ] = 250,
) -> None:
    """Run everything on this machine until Ctrl-C: gateway, risk, learning, acquirer network, page."""
    from operations import settings, up

    raise typer.Exit(up.run(lambda: settings.settle(home, keys, host, port, log, deadline_ms)))
