"""Outcomes beside the truth: how much fraud was caught, by count and by amount, and at what false alarms."""

import msgspec
import polars as pl
from rich.table import Table

from models.windows import DAY_US
from pipelines.replay.source import Outcomes

OUTCOMES = ("allow", "review", "block")


class ByOutcome(msgspec.Struct, frozen=True):
    """Payments of one truth by outcome. `amounts_minor` is None where the file has several currencies."""

    counts: dict[str, int]
    amounts_minor: dict[str, int] | None

    @property
    def total(self) -> int:
        """All payments of this truth."""
        return sum(self.counts.values())

    @property
    def stopped_share(self) -> float | None:
        """The share that was held or blocked, by count."""
        return _stopped(self.counts)

    @property
    def stopped_amount_share(self) -> float | None:
        """The same by amount."""
        return None if self.amounts_minor is None else _stopped(self.amounts_minor)


class Truth(msgspec.Struct, frozen=True):
    """What became of fraud and of genuine payments."""

    fraud: ByOutcome
    genuine: ByOutcome


def truth_of(frame: pl.DataFrame, outcomes: Outcomes, first_day: int) -> Truth:
    """Count over the payments from a day on whose truth is known."""
    known = (
        frame.select("at_us", "amount_minor", "currency", "label")
        .with_columns(outcome=pl.Series(outcomes.outcomes, dtype=pl.String))
        .filter(pl.col("at_us") // DAY_US >= first_day)
        .drop_nulls("label")
    )
    one_currency = known["currency"].n_unique() <= 1
    return Truth(*(_row(known.filter(pl.col("label") == fraud), one_currency) for fraud in (True, False)))


def _row(payments: pl.DataFrame, one_currency: bool) -> ByOutcome:
    amounts = {name: payments.filter(pl.col("outcome") == name).select("amount_minor") for name in OUTCOMES}
    return ByOutcome(
        {name: chosen.height for name, chosen in amounts.items()},
        {name: int(chosen.sum().item() or 0) for name, chosen in amounts.items()} if one_currency else None,
    )


def _stopped(by_outcome: dict[str, int]) -> float | None:
    total = sum(by_outcome.values())
    return (total - by_outcome["allow"]) / total if total else None


def table(truth: Truth) -> Table:
    """Truth by outcome."""
    shown = Table(title="Outcomes and truth", title_justify="left")
    for heading in ("in truth", *OUTCOMES, "held or blocked", "by amount"):
        shown.add_column(heading, justify="left" if heading == "in truth" else "right")
    for name, row in (("fraud", truth.fraud), ("genuine", truth.genuine)):
        counts = (f"{row.counts[outcome]:,}" for outcome in OUTCOMES)
        shown.add_row(name, *counts, _percent(row.stopped_share), _percent(row.stopped_amount_share))
    return shown


def sentence(truth: Truth) -> str:
    """The same in a line."""
    by_amount = _percent(truth.fraud.stopped_amount_share)
    amount = "" if truth.fraud.amounts_minor is None else f", {by_amount} of its amount"
    return (
        f"caught     {_percent(truth.fraud.stopped_share)} of fraud{amount}; false alarms: "
        f"{_percent(truth.genuine.stopped_share, 2)} of genuine payments"
    )


def amount_note(truth: Truth) -> str | None:
    """Why there is no share by amount, where there is none."""
    if truth.fraud.amounts_minor is not None:
        return None
    return "by amount  no figure: amounts of several currencies have no sum"


def _percent(share: float | None, digits: int = 1) -> str:
    return "-" if share is None else f"{share:.{digits}%}"
