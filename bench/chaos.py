"""kill -9 of every program, and PostgreSQL, Redis and the broker away, under load: each gap in service.

On both stores and both logs, a platform for each. A run counts only where nothing was lost or doubled and
every failure was a clear one. `WEIR_KILLS` and `WEIR_OUTAGES` change how often (10 of each program, 3 of each
kind).
"""

import json
import os
import subprocess
import sys
from collections import defaultdict
from statistics import median
from typing import Any

from bench.record import Figure, figure, record

PLACES = [(store, log) for store in ("sqlite", "postgresql") for log in ("sqlite", "kafka")]
KILLS, OUTAGES = "10", "3"


def main() -> None:
    """One run on each store and log, recorded where none shows a fault."""
    record("chaos", [row for place in PLACES for row in figures(*place, _gaps(*place))])


def figures(store: str, log: str, gaps: list[dict[str, Any]]) -> list[Figure]:
    """The longest time without a payment, by trouble; what else was seen stands in the note."""
    by_trouble = defaultdict(list)
    for gap in gaps:
        by_trouble[gap["trouble"]].append(gap)
    return [
        figure(
            f"{trouble}, store {store}, log {log}: longest time without a payment",
            [gap["payments"] for gap in seen],
            "s",
            note=_note(seen),
        )
        for trouble, seen in by_trouble.items()
    ]


def _note(seen: list[dict[str, Any]]) -> str:
    """The largest, and medians with the largest of the rest."""
    longest = f"at most {max(gap['payments'] for gap in seen):.1f} s"
    rest = {
        "the trouble itself": "lasted",
        "without a decision in time": "decisions",
        "longest wait for an answer": "answer",
    }
    return "; ".join([longest, *(f"{what} {_spread(seen, name)}" for what, name in rest.items())])


def _spread(seen: list[dict[str, Any]], name: str) -> str:
    values = [gap[name] for gap in seen]
    return f"{median(values):.1f} s, at most {max(values):.1f} s"


def _gaps(store: str, log: str) -> list[dict[str, Any]]:
    times = [
        "--kills",
        os.environ.get("WEIR_KILLS", KILLS),
        "--outages",
        os.environ.get("WEIR_OUTAGES", OUTAGES),
    ]
    command = [sys.executable, "-m", "tests.chaos", "--store", store, "--log", log, *times]
    ran = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if ran.returncode:
        raise SystemExit(f"troubles on {store}, log {log}, were not endured: {ran.stdout[-2000:]}")
    found: list[dict[str, Any]] = json.loads(ran.stdout)["gaps"]
    return found
