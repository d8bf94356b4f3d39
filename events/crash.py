"""Crash points: named places before and after every durable write and every send.

A test sets `WEIR_CRASH_AT=NAME` (or `NAME:3`, the third passing) in a process's environment, and the process
dies there as under `kill -9`: no clean-up, no flush. Without the variable a point costs one look-up.
Every point is declared in `CRASH_POINTS`; passing an undeclared one raises, so that none goes untested.
A simulation, in which several processes are parts of one thread, watches the points instead (`watched`).
"""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager

CRASH_POINTS: dict[str, str] = {}
"""Name → what is durable, and what is not yet, when a process dies there."""


def declare(points: dict[str, str]) -> None:
    """Register a module's points; a name belongs to one module."""
    for name, meaning in points.items():
        if CRASH_POINTS.get(name, meaning) != meaning:
            raise ValueError(f"crash point {name!r} is declared twice")
        CRASH_POINTS[name] = meaning


def _plan() -> tuple[str | None, int]:
    name, _, passing = os.environ.get("WEIR_CRASH_AT", "").partition(":")
    return name or None, int(passing or 1)


_name, _remaining = _plan()
_watcher: Callable[[str], None] | None = None


def crash_point(name: str) -> None:
    """Die here if the environment says so."""
    global _remaining
    if name not in CRASH_POINTS:
        raise ValueError(f"crash point {name!r} is not declared in events.crash.CRASH_POINTS")
    if _watcher is not None:
        _watcher(name)
    if name == _name:
        _remaining -= 1
        if _remaining == 0:
            os.kill(os.getpid(), signal.SIGKILL)


@contextmanager
def watched(watcher: Callable[[str], None]) -> Iterator[None]:
    """Tell `watcher` of every point that is passed within; what it raises ends the work that passed it."""
    global _watcher
    before, _watcher = _watcher, watcher
    try:
        yield
    finally:
        _watcher = before
