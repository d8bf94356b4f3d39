"""What a replay prints: both protocols by week and in all, calibration, outcomes, speed and cost."""

from datetime import UTC, datetime

import msgspec
import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table

from models import evaluation
from models.evaluation import Fold, Quality, Scores
from models.rates import Rates
from models.windows import DAY_US, SECOND_US
from pipelines.replay.cost import Cost
from pipelines.replay.source import Outcomes
from pipelines.replay.truth import Truth, amount_note, sentence, truth_of
from pipelines.replay.truth import table as truth_table

WARM_UP_DAYS = 30
"""Where nothing else is said, figures count from the 30th day on: labels came, and a boosting was fitted."""


class Report(msgspec.Struct, frozen=True):
    """Figures of a run. `all_payments` counts from `first_day`, `handbook` is the mean over `folds`."""

    first_day: int
    all_payments: Quality
    handbook: Fold | None
    folds: list[tuple[int, Fold]]
    weeks: list[tuple[int, Quality]]
    calibration: list[evaluation.Bucket]
    truth: Truth


def report_of(
    frame: pl.DataFrame, outcomes: Outcomes, evaluate_from: datetime | None, rates: Rates | None = None
) -> Report:
    """Evaluate what a replay gave, over payments whose truth the file knows; `rates` as in `truth_of`."""
    given = _scores(frame, outcomes)
    first_day = _first_day(frame, evaluate_from)
    counted = given.only(given.days >= first_day)
    last_day = evaluation.day_of(int(frame["at_us"][-1]))
    mean, folds = evaluation.handbook(given, [s for s in evaluation.fold_starts(last_day) if s >= first_day])
    return Report(
        first_day=first_day,
        all_payments=evaluation.quality(counted),
        handbook=mean,
        folds=folds,
        weeks=evaluation.by_week(counted, first_day),
        calibration=evaluation.calibration(counted),
        truth=truth_of(frame, outcomes, first_day, rates),
    )


def _scores(frame: pl.DataFrame, outcomes: Outcomes) -> Scores:
    known = frame.with_columns(
        score=pl.Series(outcomes.scores, dtype=pl.Float64),
        card_number=pl.col("card").rank("dense").cast(pl.Int64).fill_null(-1),
    ).drop_nulls("label")
    return Scores(
        (known["at_us"] // DAY_US).to_numpy(),
        known["card_number"].to_numpy(),
        known["score"].to_numpy(),
        known["label"].to_numpy().astype(np.bool_),
    )


def _first_day(frame: pl.DataFrame, evaluate_from: datetime | None) -> int:
    if evaluate_from is not None:
        return int(evaluate_from.timestamp()) * SECOND_US // DAY_US
    first, last = (evaluation.day_of(int(frame["at_us"][place])) for place in (0, -1))
    return min(first + WARM_UP_DAYS, first + (last - first) // 2)


def printed(
    console: Console,
    report: Report,
    outcomes: Outcomes,
    cost: Cost,
    engine: str,
    figures: str,
    *,
    labels_given: bool,
) -> None:
    """Print everything.

    `figures` says which payments the figures count (`figures_line`), `labels_given` whether the file has a
    column of labels.
    """
    if report.all_payments.payments:
        _print_figures(console, report, figures)
    counts = {name: outcomes.outcomes.count(name) for name in ("allow", "review", "block")}
    console.print("outcomes   " + "  ".join(f"{name} {count:,}" for name, count in counts.items()))
    if report.all_payments.payments:
        for line in (sentence(report.truth), *_summary(report)):
            console.print(line)
    else:
        console.print(f"truth      {_no_truth(labels_given)}: nothing to compare outcomes with")
    console.print(
        f"speed      {cost.payments_per_second:,.0f} payments/s with engine {engine}: {cost.payments:,} in "
        f"{cost.wall_seconds:,.1f} s{_cpu(cost)}"
    )


def figures_line(first_day: int, first_label_us: int | None, *, day_given: bool) -> str:
    """Which payments the figures count, and whether the model that scored them could have learned."""
    start = f"figures    count from {_date(first_day)} on"
    if first_label_us is None:
        return f"{start}; no label arrived within this file: the figures are of an untrained model"
    if evaluation.day_of(first_label_us) >= first_day:
        first = _date(evaluation.day_of(first_label_us))
        return f"{start}; no label arrived before {first}: until then they are of an untrained model"
    if day_given:
        return f"{start}, as asked for"
    return f"{start}: before, too few labels had come to learn from (--evaluate-from sets the day)"


def _cpu(cost: Cost) -> str:
    """Where CPU went, if that was measured: the flows of the other engine are not parted so."""
    if not cost.cpu_seconds["scoring"]:
        return ""
    spent = ", ".join(f"{part} {seconds:,.1f}" for part, seconds in cost.cpu_seconds.items())
    return f" ({cost.payments_per_second_without_refits:,.0f}/s without refits); CPU-seconds: {spent}"


def _print_figures(console: Console, report: Report, figures: str) -> None:
    console.print(figures)
    console.print(_weeks(report))
    if report.folds:
        console.print(_folds(report))
    if report.calibration:
        console.print(_calibration(report))
    console.print(truth_table(report.truth))
    if (note := amount_note(report.truth)) is not None:
        console.print(note)


def _no_truth(labels_given: bool) -> str:
    return "no label among the days that count" if labels_given else "no label column given"


def _summary(report: Report) -> list[str]:
    every, mean = report.all_payments, report.handbook
    lines = [
        f"all        AP {_figure(every.average_precision)}  AUC {_figure(every.roc_auc)}  over "
        f"{every.payments:,} payments from {_date(report.first_day)} on, {every.frauds:,} of them fraud"
    ]
    if mean is not None:
        starts = ", ".join(_date(start) for start, _ in report.folds)
        lines.append(
            f"handbook   AP {mean.average_precision:.4f}  AUC {mean.roc_auc:.4f}  CP@100 "
            f"{mean.card_precision:.4f}  by the protocol of the Fraud Detection Handbook, "
            f"mean over folds {starts}"
        )
    return lines


def _weeks(report: Report) -> Table:
    table = Table(title="By week", title_justify="left")
    for heading in ("week from", "payments", "fraud", "AP", "AUC", "Brier"):
        table.add_column(heading, justify="left" if heading == "week from" else "right")
    for day, week in report.weeks:
        share = week.frauds / week.payments if week.payments else 0.0
        figures = (_figure(week.average_precision), _figure(week.roc_auc), _figure(week.brier, 5))
        table.add_row(_date(day), f"{week.payments:,}", f"{share:.2%}", *figures)
    return table


def _folds(report: Report) -> Table:
    table = Table(title="By fold of the Fraud Detection Handbook's protocol", title_justify="left")
    for heading in ("fold from", "AP", "AUC", "CP@100"):
        table.add_column(heading, justify="left" if heading == "fold from" else "right")
    for start, fold in report.folds:
        figures = (fold.average_precision, fold.roc_auc, fold.card_precision)
        table.add_row(_date(start), *(_figure(value) for value in figures))
    return table


def _calibration(report: Report) -> Table:
    table = Table(title="Calibration", title_justify="left")
    for heading in ("score", "payments", "mean score", "share of fraud"):
        table.add_column(heading, justify="left" if heading == "score" else "right")
    for bucket in report.calibration:
        table.add_row(
            f"{bucket.low:g} - {bucket.high:g}",
            f"{bucket.payments:,}",
            f"{bucket.mean_score:.5f}",
            f"{bucket.fraud_share:.5f}",
        )
    return table


def _figure(value: float | None, digits: int = 4) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _date(day: int) -> str:
    return datetime.fromtimestamp(day * 86_400, UTC).date().isoformat()
