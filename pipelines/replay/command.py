"""`weir replay`: read, run, print, write."""

from collections.abc import Sequence
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from rich.console import Console

from models.controls import Controls
from models.labels import HORIZON_DAYS
from models.learning import Schedule
from models.windows import DAY_US
from pipelines.controls.files import checked, read_drafts
from pipelines.errors import ReplayError
from pipelines.replay import notices
from pipelines.replay.decisions import DecisionFile
from pipelines.replay.direct import DirectRun
from pipelines.replay.durations import duration_us
from pipelines.replay.file import read_history
from pipelines.replay.flow import FlowRun
from pipelines.replay.mapping import Mapping, check_currency, mapping_of
from pipelines.replay.outputs import check_outputs, rejected_beside
from pipelines.replay.progress import run_watched
from pipelines.replay.report import Report, figures_line, printed, report_of
from pipelines.replay.source import ReplaySettings, ReplaySource
from pipelines.replay.times import check_format


class ReplayOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line says."""

    file: Path
    map_words: Sequence[str]
    label_delay: str = "7d"
    horizon: str = f"{HORIZON_DAYS}d"
    verdicts: int = 0
    currency: str | None = None
    time_format: str | None = None
    evaluate_from: str | None = None
    engine: str = "direct"
    out: Path | None = None
    rejected: Path | None = None
    rules: Sequence[Path] = ()


def replay(options: ReplayOptions, console: Console) -> Report:
    """Run the command; raises `ReplayError` or `ControlFileError` with what to mend."""
    maps = [Path(word) for word in options.map_words if "=" not in word]
    check_outputs([options.file, *options.rules, *maps], options.out, options.rejected)
    controls = _controls(options.rules)
    mapping = _mapping(options)
    since = _evaluated_from(options, mapping)
    schedule = Schedule(horizon_days=duration_us(options.horizon) / DAY_US)
    settings = _settings(options, schedule)
    history = read_history(options.file, mapping, options.rejected or rejected_beside(options.file))
    _tell(console, (*notices.reading(history, mapping), *notices.broken(history, mapping.time_format)))
    if not history.frame.height:
        raise ReplayError(f"no row of {options.file.name} can be used")
    _tell(console, (notices.verdicts(history.frame, options.verdicts),))
    with ExitStack() as opened:
        decisions = None
        if options.out is not None:
            decisions = opened.enter_context(closing(DecisionFile(options.out, history.frame["original_id"])))
        source = ReplaySource(history.frame, settings, decisions)
        run = _runner(options.engine, source, schedule, controls)
        outcomes, cost = run_watched(run, history.frame.height, console)
    report = report_of(history.frame, outcomes, since, controls.rates)
    learned = figures_line(report.first_day, source.first_label_us, day_given=since is not None)
    printed(console, report, outcomes, cost, options.engine, learned, labels_given="label" in mapping.columns)
    _tell(console, (notices.left_out(history),))
    if options.out is not None:
        console.print(f"written    {history.frame.height:,} rows to {options.out}")
    notices.check_most_is_left(history)
    return report


def _tell(console: Console, lines: Sequence[str | None]) -> None:
    for line in lines:
        if line is not None:
            console.print(line, markup=False)


def _mapping(options: ReplayOptions) -> Mapping:
    mapping = mapping_of(options.map_words)
    if options.currency is not None:
        check_currency(options.currency, "--currency")
        defaults = {**mapping.defaults, "currency": options.currency}
        mapping = msgspec.structs.replace(mapping, defaults=defaults)
    if options.time_format is not None:
        check_format(options.time_format)
        mapping = msgspec.structs.replace(mapping, time_format=options.time_format)
    return mapping


def _controls(files: Sequence[Path]) -> Controls:
    """What the build ships, and on top what the files say."""
    controls = Controls.builtin()
    for file in files:
        controls = checked(controls, read_drafts(file), str(file))
    return controls


def _settings(options: ReplayOptions, schedule: Schedule) -> ReplaySettings:
    return ReplaySettings(
        cut_us=schedule.cut_us,
        label_delay_us=duration_us(options.label_delay),
        horizon_us=duration_us(options.horizon),
        verdicts=options.verdicts,
    )


def _evaluated_from(options: ReplayOptions, mapping: Mapping) -> datetime | None:
    if options.evaluate_from is None:
        return mapping.evaluated_from()
    try:
        return datetime.fromisoformat(options.evaluate_from).replace(tzinfo=UTC)
    except ValueError:
        raise ReplayError("--evaluate-from is not a date such as 2026-01-31") from None


def _runner(engine: str, source: ReplaySource, schedule: Schedule, controls: Controls) -> DirectRun | FlowRun:
    if engine == "direct":
        return DirectRun(source, schedule, controls=controls)
    if engine == "flow":
        return FlowRun(source, schedule, controls=controls)
    raise ReplayError(f"no engine is called {engine!r}: choose direct or flow")
