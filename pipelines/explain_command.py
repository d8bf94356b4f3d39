"""`weir explain`: a payment, and the decision on it, from the log."""

import os
from typing import Annotated

import typer

from events.options import HOME, GivenLog, Home


def explain(
    payment: Annotated[str, typer.Argument(metavar="PAYMENT", help="Id of the payment, pi_…")],
    home: Home = HOME,
    log: GivenLog = None,
    attempt: Annotated[
        int | None, typer.Option(min=1, help="Which confirm of the payment.", show_default="the latest")
    ] = None,
    features: Annotated[
        bool, typer.Option("--features", help="Also every feature as scored: name, value, unit.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="All of it as JSON, every feature among it.")
    ] = False,
) -> None:
    """Explain a decision: the rule that decided, contributions, versions, and what would have turned it."""
    from contextlib import closing

    from events.errors import EventsError
    from events.log import open_log
    from events.log.finding import find_log
    from models.errors import ModelsError
    from pipelines.errors import PipelinesError
    from pipelines.explain import explain_as_json, explain_payment

    try:
        url = find_log(log, home, os.environ.get("KAFKA_BOOTSTRAP_SERVERS", ""))
        with closing(open_log(url, create=False)) as opened:
            if as_json:
                typer.echo(explain_as_json(opened, payment, attempt))
            else:
                typer.echo(explain_payment(opened, payment, attempt, features=features))
    except (EventsError, ModelsError, PipelinesError) as error:
        typer.echo(f"weir explain: {error}", err=True)
        raise typer.Exit(1) from None
