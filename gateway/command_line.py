"""What the gateway's commands have in common: options, JSON lines, and how a refusal is told."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

Home = Annotated[Path, typer.Option(help="Where the operational store is kept.")]
Keys = Annotated[
    Path | None,
    typer.Option(
        help="Where keys and certificates are kept, apart from --home.",
        show_default="the folder that the home belongs to; of a new home HOME-keys",
    ),
]
MerchantId = Annotated[
    str, typer.Argument(metavar="MERCHANT", help="Id of the merchant, such as acct_first.")
]
Live = Annotated[
    bool,
    typer.Option("--live", help="Live mode; without it, test mode, which a home of live payments has not."),
]


def run(
    command: str,
    home: Path,
    keys: Path | None,
    work: Callable[[Any], Iterable[Any]],
    *,
    may_make: bool = False,
) -> None:
    """Do it and print what comes of it; a refusal is one line and exit status 1."""
    import msgspec

    from gateway.backoffice import Backoffice
    from gateway.errors import GatewayError
    from gateway.keys.home_keys import ensure_keys, find_keys

    try:
        folder = ensure_keys(home, keys, datetime.now(UTC)) if may_make else find_keys(home, keys)
        for answer in work(Backoffice(home, folder)):
            typer.echo(msgspec.json.encode(answer).decode())
    except GatewayError as error:
        typer.echo(f"weir {command}: {error.message}", err=True)
        raise typer.Exit(1) from None
    except OSError as error:  # a folder that cannot be written, a disk that is full
        typer.echo(f"weir {command}: {error}", err=True)
        raise typer.Exit(1) from None
