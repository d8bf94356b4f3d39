"""`weir topics` and `weir dead-letters`: what flows, and what could not be read."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from events.dead_letters import read_dead_letters, replay
from events.errors import EventsError
from events.topics import TOPICS, Topic
from events.types import DeadLetter

if TYPE_CHECKING:  # the adapters bring Kafka's clients, which `weir --help` need not wait for
    from events.log.port import Log, Position

app = typer.Typer()
dead_letters = typer.Typer(no_args_is_help=True, help="Records that could not be read: list or replay them.")
app.add_typer(dead_letters, name="dead-letters")

LogUrl = Annotated[
    str, typer.Option("--log", help="sqlite:///ABSOLUTE/PATH or kafka://HOST:PORT[,HOST:PORT][/PREFIX].")
]
OneTopic = Annotated[str | None, typer.Option("--topic", help="Only records of this topic.")]


@app.command()
def topics(
    log: Annotated[
        str | None, typer.Option(help="Also show how far each partition of this log reaches.")
    ] = None,
) -> None:
    """Show the declared topics: key, partitions, retention, meaning."""
    if log is None:
        for topic in TOPICS.values():
            typer.echo(_declaration(topic))
        return
    with _opened(log) as opened:
        typer.echo(opened.durability)
        for topic in TOPICS.values():
            typer.echo(_declaration(topic))
            reach = zip(opened.starts(topic.name), opened.ends(topic.name), strict=True)
            typer.echo("    " + "  ".join(f"{n}: {start}–{end}" for n, (start, end) in enumerate(reach)))


@dead_letters.command("list")
def list_dead_letters(log: LogUrl, topic: OneTopic = None) -> None:
    """Show each dead letter: its number, where its record stands, its size and why it was refused."""
    with _opened(log) as opened:
        for position, letter in read_dead_letters(opened):
            if topic in {None, letter.topic}:
                typer.echo(_line(position, letter))


@dead_letters.command("replay")
def replay_dead_letters(
    log: LogUrl,
    numbers: Annotated[list[int] | None, typer.Argument(help="Which, as `list` numbers them.")] = None,
    topic: OneTopic = None,
    everything: Annotated[bool, typer.Option("--all", help="All of them, or all of --topic.")] = False,
) -> None:
    """Append the refused records to their topics again, for a build that can read them."""
    if not numbers and not everything:
        raise typer.BadParameter("name the numbers to replay, or --all")
    with _opened(log) as opened:
        for position, letter in list(read_dead_letters(opened)):
            chosen = everything or position.offset in (numbers or [])
            if chosen and topic in {None, letter.topic}:
                again = replay(opened, letter)
                typer.echo(f"{position.offset}: replayed to {again.topic}/{again.partition}/{again.offset}")


@contextmanager
def _opened(url: str) -> Iterator["Log"]:
    """The log, if it is there; what is wrong with it is told in one line, with exit status 1."""
    from events.log import open_log

    try:
        with closing(open_log(url, create=False)) as opened:
            yield opened
    except EventsError as error:
        typer.echo(f"weir: {error}", err=True)
        raise typer.Exit(1) from None


def _declaration(topic: Topic) -> str:
    kept = "last of each key" if topic.compacted else "for good"
    if topic.retention_days is not None:
        kept = f"{topic.retention_days} days"
    return f"{topic.name:<13} {topic.partitions} × {topic.key:<34} kept {kept:<17} {topic.meaning}"


def _line(position: "Position", letter: DeadLetter) -> str:
    size_bytes = len(letter.key or b"") + len(letter.value or b"")
    size = f"{size_bytes} bytes{' and more' if letter.truncated else ''}"
    place = f"{letter.topic}/{letter.partition}/{letter.offset}"
    return f"{position.offset:>6}  {letter.occurred_at:%Y-%m-%d %H:%M:%S}  {place}  {size}  {letter.reason}"
