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
    from pipelines.controls.files import Draft

app = typer.Typer(
    no_args_is_help=True,
    help="Rules, lists, costs, policy, rates: check, publish, list, show, remove, restore; features to name "
    "(docs/rules.md).",
)

File = Annotated[Path, typer.Argument(metavar="FILE", help="JSON: one control, or a list of them.")]
Words = Annotated[list[str] | None, typer.Argument(metavar="WORD …", help="Such as: card failed 7d.")]
Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the control.")]


@app.command()
def check(file: File) -> None:
    """Check a file as the engine would; nothing is published."""
    with _told():
        from models.controls import Controls
        from pipelines.controls.cautions import cautions, refuse_raw_values
        from pipelines.controls.files import checked, read_drafts, titled

        drafts = read_drafts(file)
        controls = checked(Controls.builtin(), drafts, str(file))
        refuse_raw_values(controls, drafts, str(file))
    for caution in cautions(controls, drafts, elsewhere=True):
        _caution(caution)
    for draft in drafts:
        typer.echo(f"{titled(draft.kind, draft.name)}: good")


@app.command()
def publish(file: File, home: Home = HOME, log: GivenLog = None) -> None:
    """Put a file's controls in force: the risk flow takes them up at once, without a restart."""
    with _told():
        from pipelines.controls.files import read_drafts

        drafts = read_drafts(file)
        with _opened(log, home) as opened:
            _publish(opened, drafts, str(file))


@app.command("list")
def list_controls(home: Home = HOME, log: GivenLog = None) -> None:
    """Show what is in force, with versions; version 0 is what the build ships."""
    with _told(), _opened(log, home) as opened:
        from pipelines.controls.log import in_force
        from pipelines.controls.text import lines

        typer.echo("\n".join(lines(in_force(opened))))


@app.command()
def features(words: Words = None) -> None:
    """Show what rules may compare: all features, or those whose name or meaning holds every WORD."""
    with _told():
        from pipelines.controls.text import feature_lines
        from pipelines.errors import ControlFileError

        found = list(feature_lines(words or ()))
        if not found:
            raise ControlFileError(f"no feature speaks of {' and '.join(words or ())}")
        typer.echo("\n".join(found))


@app.command()
def show(name: Name, home: Home = HOME, log: GivenLog = None) -> None:
    """Print a control as it is in force, as JSON to change and publish: also the entries of a list."""
    with _told(), _opened(log, home) as opened:
        from pipelines.controls.log import in_force
        from pipelines.controls.text import as_json
        from pipelines.errors import ControlFileError

        controls = in_force(opened)
        if name not in controls.versions:
            raise ControlFileError(f"no control is called {name}: see `weir rules list`")
        typer.echo(as_json(controls, name))


@app.command()
def remove(name: Name, home: Home = HOME, log: GivenLog = None) -> None:
    """Take a control out of force; costs, decision and rates fall back to what the build ships."""
    with _told(), _opened(log, home) as opened:
        from models.builtin_controls import BUILTIN_RULES
        from models.controls import SETTINGS
        from pipelines.controls.files import Draft
        from pipelines.controls.log import in_force
        from pipelines.errors import ControlFileError

        controls = in_force(opened)
        kinds = {entry.name: entry.kind for entry in controls.entries if entry.body is not None}
        if name in SETTINGS and (name not in kinds or not controls.versions[name]):
            typer.echo(f"{name}: the one that the build ships is in force; there is nothing to remove")
            return
        if name not in kinds:
            raise ControlFileError(f"no control is called {name}: see `weir rules list`")
        _publish(opened, [Draft(name=name, kind=kinds[name], body=None)], name)
        if name in BUILTIN_RULES:
            typer.echo(f"This rule is shipped with the build: `weir rules restore {name}` brings it back.")


@app.command()
def restore(name: Name, home: Home = HOME, log: GivenLog = None) -> None:
    """Put a shipped rule in force again as the build ships it, after it was removed or changed."""
    with _told(), _opened(log, home) as opened:
        from models.builtin_controls import BUILTIN_RULES
        from pipelines.controls.files import Draft
        from pipelines.errors import ControlFileError

        if name not in BUILTIN_RULES:
            raise ControlFileError(
                f"no shipped rule is called {name}: they are {', '.join(sorted(BUILTIN_RULES))} "
                "(costs, decision and rates come back by `weir rules remove`)"
            )
        _publish(opened, [Draft(name=name, body=BUILTIN_RULES[name])], name)


def _publish(log: "Log", drafts: "list[Draft]", source: str) -> None:
    import secrets
    from datetime import UTC, datetime

    from pipelines.controls.cautions import cautions
    from pipelines.controls.files import titled
    from pipelines.controls.log import in_force, publish

    for change in publish(log, drafts, source, datetime.now(UTC), secrets.token_bytes):
        done = "removed" if change.body is None else "published"
        typer.echo(f"{titled(change.kind, change.name)}: {done} as version {change.version}")
    for caution in cautions(in_force(log), drafts):
        _caution(caution)


def _caution(caution: str) -> None:
    typer.echo(f"weir rules: note: {caution}", err=True)


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
