"""Plots of what was measured, drawn into `bench/plots`."""

import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")  # draws into files; there may be no screen

from matplotlib import pyplot  # after its back end is chosen

PLOTS = Path(__file__).parent / "plots"
DPI = 110
WORKERS_CARDS = 10_000
"""The number of cards at which numbers of workers are compared."""
PANELS: Sequence[tuple[str, str, Sequence[str]]] = (
    ("Throughput", "payments/s", ("throughput",)),
    ("Latency at 1,000/s", "ms", ("p50", "p99", "p99.9")),
    ("Memory of the flow", "GiB", ("memory", "most memory")),
    ("Disk of the state", "GiB", ("disk",)),
    ("Start-up and recovery", "s", ("start-up", "recovery")),
    ("CPU", "µs/payment", ("CPU",)),
)
OF_SCORER = ("rules", "models")
_BY_NUMBER = re.compile(r"(?P<number>\d+) (?P<what>rules|models)(?P<how>, one by one)?$")
_OF_CARDS = re.compile(r"(?P<column>[^,]+), (?P<cards>[\d,]+) cards, (?P<workers>\d+) workers?$")

Points = Mapping[str, Sequence[tuple[int, float]]]


def draw(results: Path) -> None:
    """What `bench/results/scale.json` holds: against cards, workers, and the numbers of rules and models."""
    rows: list[dict[str, Any]] = json.loads(results.read_text())
    by_cards, by_workers = _found(), _found()
    for row in rows:
        found = _OF_CARDS.match(row["name"])
        if found is None:
            continue
        cards, workers = int(found["cards"].replace(",", "")), int(found["workers"])
        if workers == 1:
            by_cards[found["column"]].append((cards, row["figure"]))
        if cards == WORKERS_CARDS:
            by_workers[found["column"]].append((workers, row["figure"]))
    PLOTS.mkdir(exist_ok=True)
    if by_cards:
        _panels(by_cards, "cards", PLOTS / "scale_cards.png", logarithmic=True)
    if any(workers > 1 for workers, _ in by_workers["throughput"]):
        _panels(by_workers, "workers", PLOTS / "scale_workers.png", logarithmic=False)
    _scorer(rows, PLOTS / "scale_scorer.png")


def _scorer(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    drawn, places = pyplot.subplots(1, 2, figsize=(10, 4), layout="constrained")
    for what, place in zip(OF_SCORER, places.flat, strict=True):
        several = _found()
        for row in rows:
            found = _BY_NUMBER.match(row["name"])
            if found is not None and found["what"] == what:
                label = "one by one" if found["how"] else "as they run"
                several[label].append((int(found["number"]), row["figure"]))
        if not several:
            pyplot.close(drawn)
            return
        for label, points in several.items():
            place.plot(*zip(*sorted(points), strict=True), marker="o", label=label)
        place.set(title=f"Active {what}", ylabel="CPU-µs/payment", xlabel=what)
        place.set_ylim(bottom=0.0)
        place.grid(alpha=0.3)
        place.legend()
    drawn.savefig(path, dpi=DPI)
    pyplot.close(drawn)


def lines(name: str, title: str, unit: str, several: Mapping[str, Sequence[tuple[float, float]]]) -> Path:
    """`bench/plots/NAME.png`: a line for each, against seconds."""
    PLOTS.mkdir(exist_ok=True)
    drawn, place = pyplot.subplots(figsize=(10, 5), layout="constrained")
    for label, points in several.items():
        if points:
            place.plot(*zip(*points, strict=True), label=label)
    place.set(title=title, ylabel=unit, xlabel="seconds")
    place.set_ylim(bottom=0.0)
    place.grid(alpha=0.3)
    place.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    path = PLOTS / f"{name}.png"
    drawn.savefig(path, dpi=DPI)
    pyplot.close(drawn)
    return path


def _found() -> dict[str, list[tuple[int, float]]]:
    return defaultdict(list)


def _panels(points: Points, against: str, path: Path, *, logarithmic: bool) -> None:
    drawn, places = pyplot.subplots(2, 3, figsize=(12, 6.5), layout="constrained")
    for place, (title, unit, columns) in zip(places.flat, PANELS, strict=True):
        for column in columns:
            several = sorted(points.get(column, ()))
            if several:
                place.plot(*zip(*several, strict=True), marker="o", label=column)
        place.set(title=title, ylabel=unit, xlabel=against)
        place.set_ylim(bottom=0.0, top=place.dataLim.y1 * 1.1 if place.lines else 1.0)
        if logarithmic:
            place.set_xscale("log")
        else:
            place.xaxis.get_major_locator().set_params(integer=True)
        place.grid(alpha=0.3)
        if len(columns) > 1:
            place.legend()
    drawn.savefig(path, dpi=DPI)
    pyplot.close(drawn)
