"""Recorded figures: what was measured, on which machine, with which versions, when, and beside what."""

import json
import os
import platform
import statistics
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from models import COMPILED

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("bytewax", "river", "scikit-learn", "numpy", "polars", "confluent-kafka", "kafka-python")


class Figure(msgspec.Struct, kw_only=True):
    """One measured figure; `figure` is the median of `runs`, `ratio` is figure / baseline.

    `runs` are measurements of their own. What is deterministic has one, and its `note` says so.

    `goal` None: a first figure without a goal. `met` says whether the goal is reached (None without a goal).
    With `at_most` less is better.
    """

    name: str
    figure: float
    unit: str
    runs: list[float]
    goal: float | None = None
    at_most: bool = False
    met: bool | None = None
    baseline: float | None = None
    ratio: float | None = None
    note: str = ""


def figure(
    name: str,
    runs: Sequence[float],
    unit: str,
    *,
    goal: float | None = None,
    at_most: bool = False,
    baseline: float | None = None,
    note: str = "",
) -> Figure:
    """The median of the runs, its ratio to the baseline, and whether it reaches the goal."""
    median = statistics.median(runs)
    return Figure(
        name=name,
        figure=median,
        unit=unit,
        runs=list(runs),
        goal=goal,
        at_most=at_most,
        met=None if goal is None else (median <= goal if at_most else median >= goal),
        baseline=baseline,
        ratio=None if baseline is None else median / baseline,
        note=note,
    )


def record(name: str, figures: Sequence[Figure], *, keep: bool = False) -> Path:
    """Write `bench/results/NAME.json` anew and print each figure in a line.

    With `keep` what the file holds under other names stays, as it was measured then.
    """
    about: dict[str, Any] = {
        "machine": machine(),
        "versions": {"python": platform.python_version()}
        | {package: version(package) for package in PACKAGES},
        "compiled": COMPILED,
        "date": datetime.now(UTC).date().isoformat(),
    }
    rows = [msgspec.to_builtins(each) | about for each in figures]
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    if keep and path.exists():
        names = {each.name for each in figures}
        rows = [*(row for row in json.loads(path.read_text()) if row["name"] not in names), *rows]
    path.write_text(json.dumps(rows, indent=1) + "\n")
    for each in figures:
        print(line(each))
    return path


def line(each: Figure) -> str:
    """A figure for people: value, unit, ratio to its baseline, goal."""
    parts = [f"{each.name}: {each.figure:.4g} {each.unit}"]
    if each.ratio is not None:
        parts.append(f"{each.ratio:.3f} of its baseline {each.baseline:.4g}")
    if each.goal is not None:
        parts.append(
            f"goal {'at most ' if each.at_most else ''}{each.goal:g} {'met' if each.met else 'MISSED'}"
        )
    return ", ".join(parts)


def machine() -> str:
    """Processor, cores, memory, and how busy it was when the figures were written."""
    model = next(
        (row.partition(":")[2].strip() for row in _rows("/proc/cpuinfo") if row.startswith("model name")),
        platform.machine(),
    )
    memory = next((row.split()[1] for row in _rows("/proc/meminfo") if row.startswith("MemTotal")), "0")
    load = os.getloadavg()[1]
    return f"{model}, {os.cpu_count()} cores, {int(memory) // 2**20} GiB, load {load:.1f} at the end"


def _rows(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []
