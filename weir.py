"""Front door: the `weir` command. It only dispatches; each folder's `commands.py` holds its commands.

A `commands.py` exposes `app`, a Typer whose commands appear here, and imports what is heavy inside them.
"""

import importlib
import importlib.util
from typing import Annotated

import typer

from events.programs import leave

FOLDERS = ("operations", "gateway", "pipelines", "events")
"""In the order in which `weir --help` shows their commands."""

app = typer.Typer(
    name="weir",
    help="Streaming payments fraud-and-risk platform. Start with: weir demo",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _tell_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"weir {version('weir')}")
        raise typer.Exit


@app.callback()
def front_door(
    version: Annotated[
        bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Hold what belongs to no command."""


for folder in FOLDERS:
    if importlib.util.find_spec(f"{folder}.commands"):
        app.add_typer(importlib.import_module(f"{folder}.commands").app)


def main() -> None:
    """Entry point of the console script."""
    try:
        app()
    except SystemExit as end:
        if isinstance(end.code, str):  # words for standard error, which the interpreter writes
            raise
        leave(end.code or 0)


if __name__ == "__main__":
    main()
