"""`python -m bench [NAME …]`: measure, print and record; without a name, everything."""

import argparse
from collections.abc import Callable

from bench import (
    budget,
    capacity,
    chaos,
    confirm,
    detection,
    flow,
    flows,
    fuzz,
    long_run,
    pressure,
    recorded,
    replay,
    rules_and_models,
    scale,
    scoring,
    simulation,
)
from bench.first import beside_first

BENCHES: dict[str, Callable[[], None]] = {
    "flow": flow.main,
    "flows": flows.main,
    "scoring": scoring.main,
    "rules_and_models": rules_and_models.main,
    "confirm": confirm.main,
    "budget": budget.main,
    "capacity": capacity.main,
    "pressure": pressure.main,
    "replay": replay.main,
    "recorded": recorded.main,
    "detection": detection.main,
    "simulation": simulation.main,
    "chaos": chaos.main,
    "fuzz": fuzz.main,
    "scale": scale.main,
    "long_run": long_run.main,
}


def main() -> None:
    """Run the benches asked for, in turn."""
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="Measure, and record in bench/results."
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"any of {', '.join(BENCHES)}; all by default"
    )
    parser.add_argument(
        "--beside-first",
        action="store_true",
        help="run what first recorded each bench, too, and write its figures beside today's",
    )
    given = parser.parse_args()
    names = given.names
    unknown = set(names) - set(BENCHES)
    if unknown:
        parser.error(f"no bench named {', '.join(sorted(unknown))}; there are {', '.join(BENCHES)}")
    for name in names or BENCHES:
        BENCHES[name]()
        if given.beside_first:
            print("\n".join(beside_first(name)))


if __name__ == "__main__":
    main()
