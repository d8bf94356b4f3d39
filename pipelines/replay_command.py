"""`weir replay`: read, run, print, write."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from models.controls import Controls
from models.learning import Schedule
from models.windows import DAY_US
from pipelines.control_files import checked, read_drafts
from pipelines.durations import duration_us
from pipelines.errors import ReplayError
from pipelines.flow_replay import FlowRun
from pipelines.replay import Cost, DirectRun, write_outcomes
from pipelines.replay_file import History, read_history
from pipelines.replay_mapping import DEFAULT_CURRENCY, Mapping, mapping_of
from pipelines.replay_report import Report, printed, report_of
from pipelines.replay_source import Outcomes, ReplaySettings, ReplaySource

OUT_SUFFIXES = (".parquet", ".csv")
LINE_SECONDS = 10.0


class ReplayOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line says."""

    file: Path
    map_words: Sequence[str]
    label_delay: str = "7d"
    horizon: str = "30d"
    verdicts: int = 0
    currency: str | None = None
    evaluate_from: str | None = None
    engine: str = "direct"
    out: Path | None = None
    rejected: Path | None = None
    rules: Sequence[Path] = ()


def replay(options: ReplayOptions, console: Console) -> Report:
    """Run the command; raises `ReplayError` or `ControlFileError` with what to mend."""
    if options.out is not None and options.out.suffix.lower() not in OUT_SUFFIXES:
        raise ReplayError(f"--out {options.out} must end in {' or '.join(OUT_SUFFIXES)}")
    controls = _controls(options.rules)
    mapping = _mapping(options)
    since = _evaluated_from(options, mapping)
    schedule = Schedule(horizon_days=duration_us(options.horizon) / DAY_US)
    settings = ReplaySettings(
        cut_us=schedule.cut_us,
        label_delay_us=duration_us(options.label_delay),
        horizon_us=duration_us(options.horizon),
        verdicts=options.verdicts,
    )
    history = read_history(options.file, mapping, options.rejected or _beside(options.file))
    if mapping.currency_is_assumed:
        console.print(f"currency   no column and no --currency: amounts are taken as {DEFAULT_CURRENCY}")
    _tell_broken(console, history)
    if not history.frame.height:
        raise ReplayError(f"no row of {options.file.name} can be used")
    source = ReplaySource(history.frame, settings)
    run = _runner(options.engine, source, schedule, controls)
    outcomes, cost = _run(run, history.frame.height, console)
    report = report_of(history.frame, outcomes, since)
    printed(console, report, outcomes, cost, options.engine, labels_given="label" in mapping.columns)
    if options.out is not None:
        write_outcomes(history.frame, outcomes, options.out)
        console.print(f"written    {history.frame.height:,} rows to {options.out}")
    return report


def _mapping(options: ReplayOptions) -> Mapping:
    mapping = mapping_of(options.map_words)
    if options.currency is None:
        return mapping
    return msgspec.structs.replace(mapping, defaults={**mapping.defaults, "currency": options.currency})


def _controls(files: Sequence[Path]) -> Controls:
    """What the build ships, and on top what the files say."""
    controls = Controls.builtin()
    for file in files:
        controls = checked(controls, read_drafts(file), str(file))
    return controls


def _evaluated_from(options: ReplayOptions, mapping: Mapping) -> datetime | None:
    if options.evaluate_from is None:
        return mapping.evaluated_from()
    try:
        return datetime.fromisoformat(options.evaluate_from).replace(tzinfo=UTC)
    except ValueError:
        raise ReplayError("--evaluate-from is not a date such as 2026-01-31") from None


def _beside(path: Path) -> Path:
    return path.with_name(path.name + ".rejected.csv")


def _tell_broken(console: Console, history: History) -> None:
    if history.rejected_path is not None:
        total = sum(history.broken.values())
        console.print(f"broken     {total:,} rows left out, written to {history.rejected_path}:")
        for reason, count in history.broken.items():
            console.print(f"           {count:,} × {reason}")


def _run(run: DirectRun | FlowRun, total: int, console: Console) -> tuple[Outcomes, Cost]:
    if not console.is_terminal:
        return run.run(_Lines(console, total).tell), run.cost
    columns = (
        TextColumn("replay"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[speed]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("replay", total=total, speed="")

        def progress(count: int) -> None:
            bar.advance(task, count)
            speed = bar.tasks[0].finished_speed or bar.tasks[0].speed
            bar.update(task, speed=f"{speed:,.0f}/s" if speed else "")

        return run.run(progress), run.cost


class _Lines:
    """Progress where nothing can be redrawn: a line now and then."""

    def __init__(self, console: Console, total: int) -> None:
        self._console, self._total, self._done = console, total, 0
        self._started = self._told = time.monotonic()

    def tell(self, count: int) -> None:
        """So many payments more are assessed."""
        self._done += count
        now = time.monotonic()
        if now - self._told < LINE_SECONDS:
            return
        self._told = now
        speed = self._done / (now - self._started)
        left_seconds = (self._total - self._done) / speed if speed else 0.0
        self._console.print(
            f"replay     {self._done:,} of {self._total:,}, {speed:,.0f}/s, about {left_seconds:,.0f} s left"
        )


def _runner(engine: str, source: ReplaySource, schedule: Schedule, controls: Controls) -> DirectRun | FlowRun:
    if engine == "direct":
        return DirectRun(source, schedule, controls=controls)
    if engine == "flow":
        return FlowRun(source, schedule, controls=controls)
    raise ReplayError(f"no engine is called {engine!r}: choose direct or flow")
