"""`weir topics` and `weir dead-letters`: what flows, and what could not be read."""

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from events.dead_letters import read_dead_letters, replay
from events.errors import EventsError
from events.options import HOME, GivenLog, Home
from events.topics import TOPICS, Topic
from events.types import DeadLetter

if TYPE_CHECKING:  # the adapters bring Kafka's clients, which `weir --help` need not wait for
    from events.log.port import Log, Position

app = typer.Typer()
dead_letters = typer.Typer(no_args_is_help=True, help="Records that could not be read: list or replay them.")
app.add_typer(dead_letters, name="dead-letters")

OneTopic = Annotated[str | None, typer.Option("--topic", help="Only records of this topic.")]


@app.command()
def topics(
    home: Annotated[
        Path | None, typer.Option(help="Home of `weir up`: also show how far its log reaches.")
    ] = None,
    log: Annotated[
        str | None,
        typer.Option(help="The same of this log: sqlite, sqlite:///PATH, kafka or kafka://HOST:PORT."),
    ] = None,
) -> None:
    """Show the declared topics: key, partitions, retention, meaning."""
    typer.echo(f"{'topic':<13} {'partitions × key':<38} {'retention':<22} meaning")
    if home is None and log is None:
        for topic in TOPICS.values():
            typer.echo(_declaration(topic))
        return
    with _opened("topics", log, home or HOME) as opened:
        durable = opened.durability.words
        durable = f"{durable[:1].upper()}{durable[1:]}."
        typer.echo(f"Below each topic, by partition: first offset–next offset. {durable}")
        for topic in TOPICS.values():
            typer.echo(_declaration(topic))
            reach = zip(opened.starts(topic.name), opened.ends(topic.name), strict=True)
            typer.echo("    " + "  ".join(f"{n}: {start}–{end}" for n, (start, end) in enumerate(reach)))


@dead_letters.command("list")
def list_dead_letters(home: Home = HOME, log: GivenLog = None, topic: OneTopic = None) -> None:
    """Show each dead letter: its number, where its record stands, its size and why it was refused."""
    with _opened("dead-letters", log, home) as opened:
        lines = [_line(position, letter) for position, letter in _letters(opened, topic)]
        typer.echo("\n".join(lines) or "No dead letters.")


@dead_letters.command("replay")
def replay_dead_letters(
    numbers: Annotated[
        list[int] | None, typer.Argument(metavar="[NUMBER]...", help="Which, as `list` numbers them.")
    ] = None,
    home: Home = HOME,
    log: GivenLog = None,
    topic: OneTopic = None,
    everything: Annotated[bool, typer.Option("--all", help="All of them, or all of --topic.")] = False,
) -> None:
    """Append the refused records to their topics again, for a build that can read them."""
    if not numbers and not everything:
        raise typer.BadParameter("name the numbers to replay, or --all")
    with _opened("dead-letters", log, home) as opened:
        letters = {position.offset: letter for position, letter in _letters(opened, topic)}
        if unknown := sorted(set(numbers or ()) - set(letters)):
            numbered = ", ".join(map(str, unknown))
            _refuse("dead-letters", f"no dead letter has number {numbered}: see `weir dead-letters list`")
        chosen = sorted(letters if everything else set(numbers or ()))
        for number in chosen:
            again = replay(opened, letters[number])
            typer.echo(f"{number}: replayed to {again.topic}/{again.partition}/{again.offset}")
        if not chosen:
            typer.echo("No dead letters.")


@contextmanager
def _opened(command: str, log: str | None, home: Path) -> Iterator["Log"]:
    """The log, if it is there; what is wrong with it is told in one line, with exit status 1."""
    from events.log import open_log
    from events.log.finding import find_log

    try:
        url = find_log(log, home, os.environ.get("KAFKA_BOOTSTRAP_SERVERS", ""))
        with closing(open_log(url, create=False)) as opened:
            yield opened
    except EventsError as error:
        _refuse(command, str(error))


def _refuse(command: str, why: str) -> NoReturn:
    typer.echo(f"weir {command}: {why}", err=True)
    raise typer.Exit(1) from None


def _letters(log: "Log", topic: str | None) -> list[tuple["Position", DeadLetter]]:
    return [found for found in read_dead_letters(log) if topic in {None, found[1].topic}]


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
