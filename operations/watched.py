"""Where the programs of a platform show their figures: a port for each, written down for who scrapes.

The file is one of Prometheus' own kind (`file_sd_configs`), in the home: a scraper follows restarts of the
platform by it, and `weir top` finds the programs. A program that is started again has the port of before.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from operations import addresses
from operations.processes import Program
from operations.settings import Settings

TARGETS = "metrics.json"

SHOWING = frozenset(
    {
        "dashboards.live",
        "gateway.api",
        "gateway.processor",
        "pipelines.learning",
        "pipelines.risk",
        "simulator.acquirer",
    }
)
"""Programs that take `--metrics-port`."""
TRACING = frozenset({"gateway.api", "pipelines.risk"})
"""Programs that take `--traces`."""


@dataclass(frozen=True)
class Target:
    """One program, and the `HOST:PORT` where it shows its figures."""

    program: str
    address: str


class Watched:
    """Gives programs their options, and remembers what it gave."""

    def __init__(self, wanted: Settings, ports: addresses.Ports) -> None:
        self._wanted = wanted
        self._ports = ports
        self._targets: list[Target] = []

    def told(self, programs: Iterable[Program]) -> list[Program]:
        """The programs with the options that make them show figures, and send spans where that is wanted."""
        programs = list(programs)
        taken = [int(target.address.rpartition(":")[2]) for target in self._targets]
        free = addresses.more_inner(len(programs), self._ports, taken)
        return [self._watched(program, port) for program, port in zip(programs, free, strict=True)]

    def remember(self) -> None:
        """Write down which program is where."""
        listed = [
            {"targets": [target.address], "labels": {"job": "weir", "program": target.program}}
            for target in self._targets
        ]
        path = self._wanted.home / TARGETS
        # Renamed into place, since a scraper reads it whenever it changes.
        making = path.with_suffix(".new")
        making.write_text(json.dumps(listed, indent=2) + "\n")
        making.replace(path)

    def _watched(self, program: Program, port: int) -> Program:
        more: tuple[str, ...] = ()
        if program.name in SHOWING:
            more += ("--metrics-port", str(port))
            self._targets.append(Target(program.label, f"127.0.0.1:{port}"))
        if program.name in TRACING and self._wanted.traces is not None:
            more += ("--traces", self._wanted.traces, "--trace-share", str(self._wanted.trace_share))
        return replace(program, arguments=(*program.arguments, *more))


def targets(home: Path) -> list[Target]:
    """The programs of the platform that runs on a home; none where none does."""
    try:
        listed = json.loads((home / TARGETS).read_text())
        return [Target(entry["labels"]["program"], entry["targets"][0]) for entry in listed]
    except (OSError, ValueError, KeyError, IndexError, TypeError):
        return []


def forget(home: Path) -> None:
    """Nothing is shown any more: a scraper drops what it had."""
    (home / TARGETS).unlink(missing_ok=True)
