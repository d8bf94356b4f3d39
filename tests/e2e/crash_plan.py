"""Which program dies at which crash point, in which log mode."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Literal

from tests.e2e.whole_platform import ACQUIRER, API, LEARNING, PROCESSOR, RISK

ROOT = Path(__file__).parents[2]

OWNERS: dict[str, tuple[str, ...]] = {
    "gateway.": (API,),
    "processor.": (PROCESSOR,),
    "acquirer.": (ACQUIRER,),
    "rails.": (ACQUIRER,),
    "issuers.": (ACQUIRER,),
    "risk.": (RISK,),
    "learning.": (LEARNING,),
    "state.file.": (RISK, LEARNING),
    "state.": (RISK,),
    "log.sqlite.": (API, RISK, LEARNING),
    "log.kafka.": (API, RISK, LEARNING),
    "keys.": (PROCESSOR,),
}
"""First part of a point's name → the programs that pass it."""

AT_FIRST_START = (
    "log.sqlite.lanes_writing",
    "log.sqlite.lanes_committed",
    "acquirer.tables.writing",
    "acquirer.tables.committed",
    "acquirer.secret.synced",
    "acquirer.secret.renamed",
    "processor.migration.writing",
    "processor.migration.committed",
    "keys.file.synced",
    "keys.file.renamed",
    "state.file.making",
    "state.file.made",
    "gateway.migration.writing",
    "gateway.migration.committed",
    "gateway.instance.joined",
)
"""Passed before a program is ready, in this order: its false starts, for which no shopper has to wait."""

ON_A_SHARED_STORE = frozenset({"gateway.instance.beat", "gateway.instance.inherited"})
"""Passed where API processes share a store: `tests/integration/test_several_gateways.py` dies there."""

AT_RESCALING = frozenset(
    {
        "rescale.plan.writing",
        "rescale.plan.written",
        "rescale.copy.made",
        "rescale.home.freed",
        "rescale.home.taken",
    }
)
"""Passed where the number of risk flows changes: `tests/integration/test_rescaling.py` dies there."""

AT_REBUILDING = frozenset({"state.aside.moving", "state.aside.moved", "state.filling.writing"})
"""Passed where a flow's state cannot be used, or is made up: `tests/integration/test_rebuilding.py`."""

AT_ROTATION = ("processor.rotation.",)
"""Passed where the vault's keys are rotated, which a start does when it is asked to."""
ROTATES = "--rotate-vault-keys"

AT_BLOCK = ("processor.tombstone.",)
"""Passed where the API has died over a payment that is then blocked, and asks the processor to make sure."""
API_DIES_AT = "gateway.flight.decided"

Stage = Literal["first start", "others", "api", "block", "rotation"]
STAGES: tuple[Stage, ...] = ("others", "api", "block", "rotation")
"""After the first starts: four programs die side by side while the API lives, which they all need to reach
their points; then the API; then both of them, where every payment is blocked; then whoever rotates."""
KINDS: dict[Stage, tuple[str, ...]] = {"block": ("blocked",)}
"""Which payments a stage has, where it does not have all kinds."""

LATER = {
    "log.sqlite.lanes_": 1,
    "risk.state.": 3,
    "gateway.store.": 9,
    "processor.store.": 9,
    "acquirer.books.": 5,
    "rails.books.": 3,
    "issuers.challenges.": 3,
    "log.": 3,
}
"""Points that a start itself passes, and in which passing to die instead: under traffic.

Lanes are looked after at each opening of a log, and nowhere else."""

_EVERY_MODULE = """
import importlib, json, pkgutil, sys
from events.crash import CRASH_POINTS
for folder in ("operations", "dashboards", "gateway", "pipelines", "models", "events", "simulator"):
    package = importlib.import_module(folder)
    for module in pkgutil.walk_packages(package.__path__, folder + "."):
        if ".migrations" not in module.name:
            importlib.import_module(module.name)
json.dump(sorted(CRASH_POINTS), sys.stdout)
"""


@cache
def declared() -> frozenset[str]:
    """Every point that any module of Weir declares, found by importing them all."""
    environment = {name: value for name, value in os.environ.items() if name != "WEIR_CRASH_AT"}
    found = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _EVERY_MODULE],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return frozenset(json.loads(found.stdout))


def of_log(kind: str) -> frozenset[str]:
    """The points that a platform with one API process, on this kind of log, can pass."""
    other = {"sqlite": "log.kafka.", "kafka": "log.sqlite."}[kind]
    return frozenset(
        point
        for point in declared() - ON_A_SHARED_STORE - AT_RESCALING - AT_REBUILDING
        if not point.startswith(other)
    )


def owners(point: str) -> tuple[str, ...]:
    return next(
        (programs for prefix, programs in OWNERS.items() if point.startswith(prefix)),
        (),
    )


def fate(point: str) -> str:
    """What a life is told: the point, and in which passing."""
    passing = next((number for prefix, number in LATER.items() if point.startswith(prefix)), 1)
    return f"{point}:{passing}"


def plan(points: Iterable[str], stage: Stage) -> dict[str, list[str]]:
    """Program → the fates of its lives in one stage of a run."""
    planned: dict[str, list[str]] = {}
    chosen = set(points)
    for point in (*AT_FIRST_START, *sorted(chosen.difference(AT_FIRST_START))):
        for program in owners(point):
            if point in chosen and stage == _stage(point, program):
                planned.setdefault(program, []).append(fate(point))
    if stage == "block" and planned:
        planned[API] = [fate(API_DIES_AT)]
    return planned


def _stage(point: str, program: str) -> Stage:
    if point in AT_FIRST_START:
        return "first start"
    if point.startswith(AT_BLOCK):
        return "block"
    if point.startswith(AT_ROTATION):
        return "rotation"
    return "api" if program == API else "others"
