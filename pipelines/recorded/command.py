"""`weir prove`: the decisions of a home, rescored and replayed."""

import os
from typing import TYPE_CHECKING, Annotated

import typer

from events.options import HOME, GivenLog, Home
from events.programs import spare_what_stays

if TYPE_CHECKING:
    from pipelines.recorded.proof import Difference, Proof


def prove(
    home: Home = HOME,
    log: GivenLog = None,
    as_json: Annotated[bool, typer.Option("--json", help="All figures as JSON.")] = False,
) -> None:
    """Prove that decisions follow from the record: rescore each from its stored vector, and replay all.

    Exit status 1 where one differs, or none leads to it.
    """
    from contextlib import closing

    import msgspec

    from events.errors import EventsError
    from events.log import open_log
    from events.log.finding import find_log
    from pipelines.errors import PipelinesError
    from pipelines.recorded.proof import prove as proved

    spare_what_stays()
    try:
        url = find_log(log, home, os.environ.get("KAFKA_BOOTSTRAP_SERVERS", ""))
        with closing(open_log(url, create=False)) as opened:
            proof = proved(home, opened)
    except (EventsError, PipelinesError) as error:
        typer.echo(f"weir prove: {error}", err=True)
        raise typer.Exit(1) from None
    said = msgspec.to_builtins(proof) | {"holds": proof.holds}
    typer.echo(msgspec.json.encode(said).decode() if as_json else in_words(proof))
    if not proof.holds:
        raise typer.Exit(1)


def in_words(proof: "Proof") -> str:
    """The figures, and the first difference of each way."""
    lines = [
        f"recorded   {proof.orders:,} orders: {proof.batches:,} batches, {proof.records:,} records, "
        f"{proof.requests:,} payments",
        f"rescored   {proof.rescored:,} decisions from their stored vectors: "
        f"{_equal(proof.rescored_different)}",
        f"replayed   {proof.replayed:,} decisions in the recorded order: {_equal(proof.replayed_different)}",
    ]
    for count, words in (
        (proof.gone, "decisions not rescored: a model or control of theirs is in no record"),
        (proof.lost, "payments without a decision, though later ones have theirs"),
        (proof.unrecorded, "decisions on the log that no record leads to"),
        (proof.unanswered, "payments wait for their decision"),
    ):
        if count:
            lines.append(f"           {count:,} {words}")
    rate = proof.replayed / proof.seconds if proof.seconds else 0.0
    lines.append(f"took       {proof.seconds:,.1f} s, {rate:,.0f} decisions/s both ways")
    return "\n".join([*lines, *map(_told, proof.first.values())])


def _equal(different: int) -> str:
    return f"{different:,} DIFFER" if different else "all equal, bit by bit"


def _told(difference: "Difference") -> str:
    return (
        f"the first that differs when {difference.way}: payment {difference.payment_id}, attempt "
        f"{difference.attempt} (assessments/{difference.request_partition} at {difference.request_offset}, "
        f"flow {difference.flow}, batch {difference.batch}), {difference.member}:\n"
        f"  stored {difference.stored}\n  again  {difference.again}"
    )
