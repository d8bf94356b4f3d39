"""`weir top`: a running platform in the terminal, looked at each second."""

import sys
import time
from pathlib import Path

import msgspec
from rich.console import Console
from rich.live import Live

from operations.errors import NothingShownError
from operations.figures import Passed, Reading, read
from operations.frame import Frame, frame_of
from operations.top_screen import drawn
from operations.up import complain
from operations.watched import targets

EVERY_SECONDS = 1.0
OVER_READINGS = 5
"""Rates and latencies are of so many seconds: of one alone there would often be nothing."""


def run(home: Path, *, once: bool, as_json: bool) -> int:
    """Exit status: 0 after Ctrl-C, or when one look is told; 1 where nothing runs on the home."""
    console = Console(highlight=False)
    try:
        if not once:
            _watch(home, console)
        elif as_json:
            sys.stdout.write(msgspec.json.format(msgspec.json.encode(_look(home)), indent=2).decode() + "\n")
        else:
            console.print(drawn(_look(home), console.width))
    except NothingShownError as error:
        return complain("weir top", error)
    except KeyboardInterrupt:
        pass
    return 0


def _look(home: Path) -> Frame:
    before = _read(home)
    time.sleep(EVERY_SECONDS)
    return frame_of(Passed(before, _read(home)))


def _watch(home: Path, console: Console) -> None:
    readings = [_read(home)]
    with Live(console=console, screen=console.is_terminal, auto_refresh=False) as live:
        while True:
            time.sleep(EVERY_SECONDS)
            readings = [*readings[-OVER_READINGS:], _read(home)]
            live.update(drawn(frame_of(Passed(readings[0], readings[-1])), console.width), refresh=True)


def _read(home: Path) -> Reading:
    """Where they are is looked up each time: a platform that is started again is followed."""
    reading = read(targets(home), time.monotonic())
    if not reading.rows:
        raise NothingShownError(f"no program of {home} shows anything: start it with `weir up --home {home}`")
    return reading
