"""Outcomes beside the truth: how much fraud was caught, by count and by amount, and at what false alarms."""

from collections.abc import Mapping

import msgspec
import polars as pl
from rich.table import Table

from models.rates import Rates
from models.windows import DAY_US
from pipelines.replay.source import Outcomes

OUTCOMES = ("allow", "review", "block")


class ByOutcome(msgspec.Struct, frozen=True):
    """Payments of one truth by outcome. `amounts_minor` is None where the amounts have no sum."""

    counts: dict[str, int]
    amounts_minor: dict[str, float] | None

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
    """What became of fraud and of genuine payments. `summed_in`: the currency of sums over several."""

    fraud: ByOutcome
    genuine: ByOutcome
    summed_in: str | None = None


def truth_of(frame: pl.DataFrame, outcomes: Outcomes, first_day: int, rates: Rates | None = None) -> Truth:
    """Count over the payments from a day on whose truth is known.

    Amounts of several currencies are summed by `rates`, where each of them has one.
    """
    known = (
        frame.select("at_us", "amount_minor", "currency", "label")
        .with_columns(outcome=pl.Series(outcomes.outcomes, dtype=pl.String))
        .filter(pl.col("at_us") // DAY_US >= first_day)
        .drop_nulls("label")
    )
    several = known["currency"].n_unique() > 1
    if several:
        known = known.with_columns(amount_minor=_reference_minor(known, rates))
    has_sum = not known["amount_minor"].null_count()
    fraud, genuine = (_row(known.filter(pl.col("label") == fraud), has_sum) for fraud in (True, False))
    return Truth(fraud, genuine, rates.reference if several and has_sum and rates else None)


def _reference_minor(payments: pl.DataFrame, rates: Rates | None) -> pl.Series:
    """Amounts in the reference currency, null where there is no rate."""
    told = payments.select("amount_minor", "currency", "at_us").iter_rows()
    return pl.Series([rates and rates.reference_minor(*row) for row in told], dtype=pl.Float64)


def _row(payments: pl.DataFrame, has_sum: bool) -> ByOutcome:
    amounts = {name: payments.filter(pl.col("outcome") == name).select("amount_minor") for name in OUTCOMES}
    return ByOutcome(
        {name: chosen.height for name, chosen in amounts.items()},
        {name: chosen.sum().item() or 0 for name, chosen in amounts.items()} if has_sum else None,
    )


def _stopped(by_outcome: Mapping[str, float]) -> float | None:
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
    """How amounts of several currencies were summed, or why they have no share."""
    if truth.fraud.amounts_minor is None:
        return "by amount  no figure: amounts of several currencies have no sum where not each has a rate"
    if truth.summed_in is None:
        return None
    return (
        f"by amount  of several currencies: summed in {truth.summed_in}, each amount at the rate of its day"
    )


def _percent(share: float | None, digits: int = 1) -> str:
    return "-" if share is None else f"{share:.{digits}%}"
