"""`weir replay`, `weir explain`, `weir prove` and `weir rules`."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from events.programs import spare_what_stays
from models.labels import HORIZON_DAYS
from pipelines import explain_command
from pipelines.controls import rule_commands
from pipelines.recorded import command as recorded_command

app = typer.Typer()
app.add_typer(rule_commands.app, name="rules")


Words = Annotated[
    list[str],
    typer.Argument(
        metavar="FILE",
        help="One CSV or Parquet file of historical transactions, with at least an id, a time and an amount. "
        "Separators (comma, semicolon, tab, bar) and decimal commas are found out.",
    ),
]
Map = Annotated[
    list[str],
    typer.Option(
        "--map",
        metavar="FIELD=COLUMN …",
        help="Which column is which: pairs such as id=TX_ID time=TX_TIME amount=TX_AMOUNT card=PAN_HASH, "
        'a TOML file of lines such as id = "TX_ID", or a shipped mapping (handbook). '
        "amount is in major units (12.34), amount_minor in minor units (1234).",
    ),
]
LabelDelay = Annotated[
    str, typer.Option(help="When labels arrive, if no column label_time says it: 12h, 7d.")
]
Horizon = Annotated[
    str, typer.Option(help="After so long without a report a payment counts as genuine, revocably.")
]
Verdicts = Annotated[
    int, typer.Option(min=0, help="Investigate so many of yesterday's top cards each night, from day 30.")
]
Currency = Annotated[str | None, typer.Option(help="Currency of rows that name none: EUR.")]
TimeFormat = Annotated[
    str | None,
    typer.Option(
        metavar="FORM",
        help="How times are written, such as '%d/%m/%Y %H:%M', or milliseconds (since 1970). Without it: "
        "2026-01-31, 2026-01-31 10:00 or 10:00:00.5 (or with a T), each with a zone or in UTC, and seconds "
        "since 1970.",
    ),
]
EvaluateFrom = Annotated[str | None, typer.Option(help="Day from which figures count.")]
EngineChoice = Annotated[str, typer.Option(help="direct: a loop; flow: through the log and Bytewax.")]
Out = Annotated[
    Path | None,
    typer.Option(
        help="File (.parquet or .csv) for one row per transaction: transaction_id, score, risk_score, "
        "outcome, reasons, and all else of the decision."
    ),
]
Rules = Annotated[
    list[Path] | None,
    typer.Option("--rules", help="JSON of rules and other controls to try (docs/rules.md); may come again."),
]
Rejected = Annotated[Path | None, typer.Option(help="CSV for broken rows.", show_default="FILE.rejected.csv")]


@app.command()
def replay(
    words: Words,
    map_words: Map,
    label_delay: LabelDelay = "7d",
    horizon: Horizon = f"{HORIZON_DAYS}d",
    verdicts: Verdicts = 0,
    currency: Currency = None,
    time_format: TimeFormat = None,
    evaluate_from: EvaluateFrom = None,
    engine: EngineChoice = "direct",
    out: Out = None,
    rejected: Rejected = None,
    rules: Rules = None,
) -> None:
    """Replay historical transactions through the engine, and report how good and how fast it was."""
    from rich.console import Console

    from pipelines.errors import ControlFileError, ReplayError
    from pipelines.replay.command import ReplayOptions
    from pipelines.replay.command import replay as run

    # `--map a=b c=d` leaves c=d among the arguments: a file's name has no equals sign.
    files = [word for word in words if "=" not in word]
    pairs = [word for word in words if "=" in word]
    if len(files) != 1:
        given = f"not {len(files)} ({', '.join(files)})" if files else "and none is given"
        raise typer.BadParameter(
            f"one FILE is replayed, {given}; FIELD=COLUMN go after --map", param_hint="FILE"
        )
    spare_what_stays()
    try:
        run(
            ReplayOptions(
                file=Path(files[0]),
                map_words=[*map_words, *pairs],
                label_delay=label_delay,
                horizon=horizon,
                verdicts=verdicts,
                currency=currency,
                time_format=time_format,
                evaluate_from=evaluate_from,
                engine=engine,
                out=out,
                rejected=rejected,
                rules=rules or (),
            ),
            Console(),
        )
    except (ReplayError, ControlFileError) as error:
        typer.echo(f"weir replay: {error}", err=True)
        sys.exit(2)


app.command()(explain_command.explain)
app.command()(recorded_command.prove)
