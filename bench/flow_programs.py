"""Flows as programs of their own, for benches: ready when they are given, told to stop at the end."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def program(
    module: str, home: Path, url: str, *more: str, core: int | None = None
) -> Iterator[subprocess.Popen[str]]:
    """A program that is ready, on one core alone where one is given.

    Raises `RuntimeError` where it does not start.
    """
    command = [sys.executable, "-m", module, "--home", str(home), "--log", url, *more]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        if core is not None:
            # Before it has other threads: those that come have the same core.
            os.sched_setaffinity(process.pid, {core})
        assert process.stdout is not None  # it was asked for
        if not process.stdout.readline():
            raise RuntimeError(f"{module} did not start")
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.wait()


@contextmanager
def flow_program(
    home: Path, url: str, flow: int, flows: int, core: int | None = None
) -> Iterator[subprocess.Popen[str]]:
    """One of so many risk flows."""
    told = ("--flow", str(flow), "--flows", str(flows))
    with program("pipelines.risk", home, url, *told, core=core) as process:
        yield process
