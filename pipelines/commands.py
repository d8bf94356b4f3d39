"""`weir replay`, `weir explain` and `weir rules`."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from events.options import HOME, GivenLog, Home
from pipelines import rule_commands

app = typer.Typer()
app.add_typer(rule_commands.app, name="rules")


Words = Annotated[
    list[str], typer.Argument(metavar="FILE", help="CSV or Parquet of historical transactions.")
]
Map = Annotated[
    list[str],
    typer.Option(
        "--map",
        metavar="FIELD=COLUMN …",
        help="Which column is which: pairs such as id=TX_ID time=TX_TIME amount=TX_AMOUNT card=PAN_HASH, "
        'a TOML file of lines such as id = "TX_ID", or a shipped mapping (handbook).',
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
Currency = Annotated[str | None, typer.Option(help="Currency of rows that name none.")]
EvaluateFrom = Annotated[str | None, typer.Option(help="Day from which figures count.")]
EngineChoice = Annotated[str, typer.Option(help="direct: a loop; flow: through the log and Bytewax.")]
Out = Annotated[
    Path | None,
    typer.Option(
        help="File (.parquet or .csv) for one row per transaction: transaction_id, score, risk_score, "
        "outcome, reasons."
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
    horizon: Horizon = "30d",
    verdicts: Verdicts = 0,
    currency: Currency = None,
    evaluate_from: EvaluateFrom = None,
    engine: EngineChoice = "direct",
    out: Out = None,
    rejected: Rejected = None,
    rules: Rules = None,
) -> None:
    """Replay historical transactions through the engine, and report how good and how fast it was."""
    from rich.console import Console

    from pipelines.errors import ControlFileError, ReplayError
    from pipelines.replay_command import ReplayOptions
    from pipelines.replay_command import replay as run

    # `--map a=b c=d` leaves c=d among the arguments: a file's name has no equals sign.
    files = [word for word in words if "=" not in word]
    pairs = [word for word in words if "=" in word]
    if len(files) != 1:
        raise typer.BadParameter("give one FILE, and pairs FIELD=COLUMN after --map", param_hint="FILE")
    try:
        run(
            ReplayOptions(
                file=Path(files[0]),
                map_words=[*map_words, *pairs],
                label_delay=label_delay,
                horizon=horizon,
                verdicts=verdicts,
                currency=currency,
                evaluate_from=evaluate_from,
                engine=engine,
                out=out,
                rejected=rejected,
                rules=rules or (),
            ),
            Console(),
        )
    except (ReplayError, ControlFileError) as error:
        typer.echo(f"replay: {error}", err=True)
        sys.exit(2)


@app.command()
def explain(
    payment: Annotated[str, typer.Argument(help="Id of the payment, pi_…")],
    home: Home = HOME,
    log: GivenLog = None,
    attempt: Annotated[
        int | None, typer.Option(min=1, help="Which confirm of the payment.", show_default="the latest")
    ] = None,
) -> None:
    """Explain a decision: features, contributions, versions, and what would have turned it."""
    from contextlib import closing

    from events.errors import EventsError
    from events.log import open_log
    from events.log.finding import find_log
    from models.errors import ModelsError
    from pipelines.errors import PipelinesError
    from pipelines.explain import explain_payment

    try:
        url = find_log(log, home, os.environ.get("KAFKA_BOOTSTRAP_SERVERS", ""))
        with closing(open_log(url, create=False)) as opened:
            typer.echo(explain_payment(opened, payment, attempt))
    except (EventsError, ModelsError, PipelinesError) as error:
        typer.echo(f"explain: {error}", err=True)
        sys.exit(1)
