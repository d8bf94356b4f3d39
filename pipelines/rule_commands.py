"""`weir rules`: check, publish, list and remove rules and the other controls, beside a running platform."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from events.options import HOME, GivenLog, Home

if TYPE_CHECKING:  # `weir --help` need not wait for these
    from events.log.port import Log
    from models.controls import Control, Controls
    from pipelines.control_files import Draft

app = typer.Typer(
    no_args_is_help=True, help="Rules, lists, costs and policy: check, publish, list, remove (docs/rules.md)."
)

File = Annotated[Path, typer.Argument(help="JSON: one control, or a list of them.")]


@app.command()
def check(file: File) -> None:
    """Check a file as the engine would; nothing is published."""
    with _told():
        from models.controls import Controls
        from pipelines.control_files import checked, read_drafts

        drafts = read_drafts(file)
        checked(Controls.builtin(), drafts, str(file))
    for draft in drafts:
        typer.echo(f"{draft.kind} {draft.name}: good")


@app.command()
def publish(file: File, home: Home = HOME, log: GivenLog = None) -> None:
    """Put a file's controls in force: the risk flow takes them up at once, without a restart."""
    with _told():
        from pipelines.control_files import read_drafts

        drafts = read_drafts(file)
        with _opened(log, home) as opened:
            _publish(opened, drafts, str(file))


@app.command("list")
def list_controls(home: Home = HOME, log: GivenLog = None) -> None:
    """Show what is in force, with versions; version 0 is what the build ships."""
    with _told(), _opened(log, home) as opened:
        from pipelines.control_log import in_force

        controls = in_force(opened)
        for control in sorted(controls.entries, key=lambda entry: (entry.kind != "rule", entry.name)):
            if control.name in controls.versions:
                typer.echo(_line(control, controls))


@app.command()
def remove(
    name: Annotated[str, typer.Argument(help="Name of the control.")],
    home: Home = HOME,
    log: GivenLog = None,
) -> None:
    """Take a control out of force; costs, decision and rates fall back to what the build ships."""
    with _told(), _opened(log, home) as opened:
        from pipelines.control_files import Draft
        from pipelines.control_log import in_force
        from pipelines.errors import ControlFileError

        kinds = {entry.name: entry.kind for entry in in_force(opened).entries if entry.body is not None}
        if name not in kinds:
            raise ControlFileError(f"no control is called {name}: see `weir rules list`")
        _publish(opened, [Draft(name=name, kind=kinds[name], body=None)], name)


def _publish(log: "Log", drafts: "list[Draft]", source: str) -> None:
    import secrets
    from datetime import UTC, datetime

    from pipelines.control_log import publish

    for change in publish(log, drafts, source, datetime.now(UTC), secrets.token_bytes):
        done = "removed" if change.body is None else "published"
        typer.echo(f"{change.kind} {change.name}: {done} as version {change.version}")


def _line(control: "Control", controls: "Controls") -> str:
    told = ""
    for rule in controls.rules:
        if control.kind == "rule" and rule.name == control.name:
            told = f"{rule.action:<6}  {rule.when}"
    if control.kind == "list":
        told = f"{len((control.body or {})['entries'])} entries"
    return f"{control.kind:<6}  {control.name:<34}  {control.version:>3}  {told}".rstrip()


@contextmanager
def _opened(log: str | None, home: Path) -> "Iterator[Log]":
    from contextlib import closing

    from events.log import open_log
    from events.log.finding import find_log

    url = find_log(log, home, os.environ.get("KAFKA_BOOTSTRAP_SERVERS", ""))
    with closing(open_log(url, create=False)) as opened:
        yield opened


@contextmanager
def _told() -> Iterator[None]:
    """What is wrong is told in one line, with exit status 1."""
    from events.errors import EventsError
    from pipelines.errors import PipelinesError

    try:
        yield
    except (EventsError, PipelinesError) as error:
        typer.echo(f"weir rules: {error}", err=True)
        raise typer.Exit(1) from None
