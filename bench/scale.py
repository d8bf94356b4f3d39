"""Throughput, latency, memory, disk, start-up and recovery against cards, rules, models and workers.

Each row of the table is a real risk flow in a process of its own (for rules and models: the scorer alone, see
`bench.rules_and_models`), on the embedded log, over a state that was made (`bench.populations`). Steps are
chosen by environment, as the largest takes an hour and 30 GB of disk:

- `WEIR_SCALE_STEPS`: `cards,workers,rules_and_models` (all by default);
- `WEIR_SCALE_CARDS`: `10000,100000,1000000` by default; 10000000 is for a run of its own;
- `WEIR_SCALE_PAYMENTS` (20000 as fast as it goes), `WEIR_SCALE_SECONDS` (20 at 1,000 a second);
- `WEIR_SCALE_FOLDER`: where the homes are made, the system's folder for temporary files by default.

What a step measured replaces its own rows in `bench/results/scale.json`, and the plots in `bench/plots` are
drawn anew from that file.
"""

import os
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import rules_and_models
from bench.flow import requests, trained
from bench.plots import WORKERS_CARDS, draw
from bench.populations import DAYS, PAYMENTS_PER_CARD, Population, live_observations
from bench.record import Figure, figure, record
from bench.risk_programs import (
    MEMORY_BYTES_MAX,
    RiskPrograms,
    disk_bytes,
    fill,
    log_url,
    publish,
    request,
    rescale,
    running,
)
from bench.risk_traffic import await_decisions, paced_latencies_ms, saturated_seconds
from dashboards.seconds import percentile
from events.log import open_log
from events.log.port import Outgoing
from models.observations import ModelSnapshot

CARDS, WORKERS = (10_000, 100_000, 1_000_000), (1, 2)
PAYMENTS, SECONDS, PER_SECOND = 20_000, 20, 1_000
TRAINED_ON = 6_000
GIB, KIB = 2**30, 2**10
THROUGHPUT_RATIO_MIN, CARD_BYTES_MAX, ENTITIES_BYTES_MAX, RECOVERY_SECONDS_MAX = 0.85, 2 * KIB, 6 * KIB, 15.0
WORKERS_RATIO_MIN = 1.6
BIG = 1_000_000
"""The number of cards that the goals of throughput, memory and recovery are for."""
SIZED_CARDS = 10_000
QUANTILES = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999, "maximum": 1.0}
UNITS = {
    "start-up": "s",
    "throughput": "payments/s",
    "CPU": "CPU-µs/payment",
    **dict.fromkeys(QUANTILES, "ms"),
    "memory": "GiB",
    "most memory": "GiB",
    "disk": "GiB",
    "recovery": "s",
}
_LATENCY = f"from the due moment of a request, {PER_SECOND:,} a second, to its decision; both are synced"
NOTES = {
    "start-up": "from the start of the process to its ready line",
    "throughput": "as fast as it goes, from the first request on the log to the last decision",
    "recovery": "from the start of the process, after kill -9 at work, to its ready line",
    "most memory": "the limit is set for the process",
    **dict.fromkeys(QUANTILES, _LATENCY),
}


@dataclass(frozen=True)
class Load:
    """What each population has to bear."""

    payments: int
    seconds: int
    folder: Path | None


@dataclass
class Measured:
    """One row of the table, by name of the column."""

    cards: int
    workers: int
    columns: dict[str, float] = field(default_factory=dict)


def main() -> None:
    """The steps asked for, one after the other, each recorded at once; then the plots."""
    steps: dict[str, Callable[[Load], list[Figure]]] = {
        "cards": _cards,
        "workers": _workers,
        "rules_and_models": _rules_and_models,
    }
    folder = os.environ.get("WEIR_SCALE_FOLDER")
    load = Load(
        int(os.environ.get("WEIR_SCALE_PAYMENTS", PAYMENTS)),
        int(os.environ.get("WEIR_SCALE_SECONDS", SECONDS)),
        Path(folder) if folder else None,
    )
    for name in os.environ.get("WEIR_SCALE_STEPS", ",".join(steps)).split(","):
        path = record("scale", steps[name](load), keep=True)
    draw(path)


def _cards(load: Load) -> list[Figure]:
    asked = os.environ.get("WEIR_SCALE_CARDS")
    counts = [int(count) for count in asked.split(",")] if asked else CARDS
    snapshots = _models()
    rows = [_measured(count, 1, load, snapshots) for count in counts]
    return [*_row_sizes(), *(each for row in rows for each in _figures(row)), *_beside_the_first(rows)]


def _workers(load: Load) -> list[Figure]:
    snapshots = _models()
    rows = [_measured(WORKERS_CARDS, workers, load, snapshots) for workers in WORKERS]
    one = rows[0].columns["throughput"]
    return [
        *(each for row in rows for each in _figures(row)),
        *(
            figure(
                f"throughput of {row.workers} workers over that of one, pinned cores",
                [row.columns["throughput"] / one],
                "times",
                goal=WORKERS_RATIO_MIN,
            )
            for row in rows[1:]
        ),
    ]


def _rules_and_models(_: Load) -> list[Figure]:
    return rules_and_models.figures_of(*rules_and_models.measured())


def _models() -> list[ModelSnapshot]:
    return trained([each.value for each in requests(TRAINED_ON) if each.value is not None])


def _measured(cards: int, workers: int, load: Load, snapshots: Sequence[ModelSnapshot]) -> Measured:
    population = Population(cards)
    row = Measured(cards, workers)
    asked = [
        request(seen) for seen in live_observations(population, load.payments * 2 + load.seconds * PER_SECOND)
    ]
    fast, slow, last = asked[: load.payments], asked[load.payments : -load.payments], asked[-load.payments :]
    with TemporaryDirectory(prefix="weir-scale-", dir=load.folder) as folder:
        home = Path(folder)
        fill(home, population)
        publish(home, snapshots)
        if workers > 1:
            rescale(home, workers)
        with running(home, workers) as programs:
            row.columns["start-up"] = programs.start_seconds
            _under_load(row, home, programs, fast, slow)
            made = killed_amidst(home, last, programs)
        row.columns["disk"] = disk_bytes(home / "risk") / GIB
        with running(home, workers) as programs:
            row.columns["recovery"] = programs.start_seconds
            with closing(open_log(log_url(home))) as log:
                await_decisions(log, made)
    return row


def _under_load(
    row: Measured, home: Path, programs: RiskPrograms, fast: Sequence[Outgoing], slow: Sequence[Outgoing]
) -> None:
    cpu_seconds = programs.cpu_seconds
    row.columns["throughput"] = len(fast) / saturated_seconds(home, fast)
    row.columns["CPU"] = (programs.cpu_seconds - cpu_seconds) / len(fast) * 1e6
    times = paced_latencies_ms(home, slow, PER_SECOND)
    for name, share in QUANTILES.items():
        row.columns[name] = percentile(times, share)
    row.columns["memory"] = programs.memory_bytes / GIB
    row.columns["most memory"] = programs.memory_bytes_max / GIB


def killed_amidst(home: Path, requests: Sequence[Outgoing], programs: RiskPrograms) -> int:
    """kill -9 while the flows work on these requests; how many decisions there are once all are made."""
    with closing(open_log(log_url(home))) as log:
        before = sum(log.ends("decisions"))
        log.append(requests)
        await_decisions(log, before + 1)
        programs.kill()
        return before + len(requests)


def _row_sizes() -> list[Figure]:
    """Of the row of a card, and of all rows of a card, its device, address and email; keys included."""
    sizes: Counter[str] = Counter()
    for key, value in Population(SIZED_CARDS).rows(payments=False):
        sizes[key.partition("/")[0]] += len(key) + len(value)
    own = sum(sizes[kind] for kind in ("card", "device", "ip", "customer")) / SIZED_CARDS
    note = f"{PAYMENTS_PER_CARD} payments in {DAYS} days; packed, key and value"
    return [
        figure(
            "bytes of a live card's row",
            [sizes["card"] / SIZED_CARDS],
            "bytes",
            goal=CARD_BYTES_MAX,
            at_most=True,
            note=note,
        ),
        figure(
            "bytes of all rows of a live card",
            [own],
            "bytes",
            goal=ENTITIES_BYTES_MAX,
            at_most=True,
            note=note,
        ),
    ]


def _figures(row: Measured) -> list[Figure]:
    """One figure for each column of the row."""
    workers = "1 worker" if row.workers == 1 else f"{row.workers} workers"
    goals = {"most memory": MEMORY_BYTES_MAX / GIB}
    if row.cards == BIG:
        goals["recovery"] = RECOVERY_SECONDS_MAX
    return [
        figure(
            f"{name}, {row.cards:,} cards, {workers}",
            [value],
            UNITS[name],
            goal=goals.get(name),
            at_most=name in goals,
            note=NOTES.get(name, ""),
        )
        for name, value in row.columns.items()
    ]


def _beside_the_first(rows: Sequence[Measured]) -> list[Figure]:
    """Throughput, and what a card more takes of memory, against the smallest population of the run."""
    first = rows[0]
    found: list[Figure] = []
    for row in rows[1:]:
        ratio = row.columns["throughput"] / first.columns["throughput"]
        name = f"throughput with {row.cards:,} cards over that with {first.cards:,}"
        goal = THROUGHPUT_RATIO_MIN if row.cards == BIG else None
        found.append(figure(name, [ratio], "times", goal=goal))
        more = (row.columns["memory"] - first.columns["memory"]) * GIB / (row.cards - first.cards)
        name = f"memory of a flow for each card more, {row.cards:,} cards"
        goal = ENTITIES_BYTES_MAX if row.cards == BIG else None
        found.append(figure(name, [more], "bytes", goal=goal, at_most=True))
    return found
