"""Progress of a replay: a bar in a terminal, else a line now and then."""

import time

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from pipelines.replay.cost import Cost
from pipelines.replay.direct import DirectRun
from pipelines.replay.flow import FlowRun
from pipelines.replay.source import Outcomes

LINE_SECONDS = 10.0


def run_watched(run: DirectRun | FlowRun, total: int, console: Console) -> tuple[Outcomes, Cost]:
    """Run over `total` payments, and show how far it is; says so too where it is stopped with Ctrl-C."""
    try:
        return _watched(run, total, console)
    except KeyboardInterrupt:
        done = run.cost.payments
        console.print(f"Stopped after {done:,} of {total:,} rows; no result was written.", highlight=False)
        raise


def _watched(run: DirectRun | FlowRun, total: int, console: Console) -> tuple[Outcomes, Cost]:
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
    """Progress where nothing can be redrawn."""

    def __init__(self, console: Console, total: int) -> None:
        self._console, self._total, self._done = console, total, 0
        self._told, self._done_when_told = time.monotonic(), 0

    def tell(self, count: int) -> None:
        """So many payments more are assessed."""
        self._done += count
        now = time.monotonic()
        if now - self._told < LINE_SECONDS:
            return
        # By the latest speed: it falls as profiles and what waits for labels fill.
        speed = (self._done - self._done_when_told) / (now - self._told)
        self._told, self._done_when_told = now, self._done
        left_seconds = (self._total - self._done) / speed if speed else 0.0
        self._console.print(
            f"replay     {self._done:,} of {self._total:,}, {speed:,.0f}/s, about {left_seconds:,.0f} s left"
        )
