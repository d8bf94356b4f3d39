"""The payment life cycle under faults, seed by seed: how many seeds run clean, and how many a minute.

`WEIR_SEEDS` seeds from 0 on (100,000 where it is not set), on all cores; the seeds are the same every time.
"""

import json
import os
import subprocess
import sys

from bench.record import Figure, figure, record

SEEDS = 100_000
SEEDS_PER_MINUTE_GOAL = 2_000


def main() -> None:
    """One run, recorded only where no seed shows a violation."""
    seeds = int(os.environ.get("WEIR_SEEDS", SEEDS))
    command = [sys.executable, "-m", "tests.simulation", "--seeds", str(seeds), "--json"]
    played = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if played.returncode:
        raise SystemExit(f"the simulation has found something:\n{played.stdout}")
    record("simulation", figures(json.loads(played.stdout)))


def figures(summary: dict[str, float]) -> list[Figure]:
    """Seeds that ran, and seeds a minute, as the clock and as the processors count it."""
    seeds, cores = summary["seeds"], os.cpu_count() or 1
    return [
        figure("simulation_seeds_without_violation", [seeds], "seeds", goal=SEEDS),
        figure(
            "simulation_seeds_per_minute",
            [seeds * 60 / summary["seconds"]],
            "seeds/min",
            goal=SEEDS_PER_MINUTE_GOAL,
            note=f"on {cores} cores, with whatever else ran on them",
        ),
        figure(
            "simulation_seeds_per_cpu_minute", [seeds * 60 / summary["cpu_seconds"]], "seeds/min of one core"
        ),
    ]
