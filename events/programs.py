"""What every program does alike: says when it is ready, and ends at once."""

import contextlib
import gc
import os
import sys
from typing import NoReturn

import msgspec

GARBAGE_OBJECTS = 10_000
"""So many more objects made than freed begin a look for cycles among them: a few megabytes."""


def announce(program: str, **told: int) -> None:
    """Say on standard output, in one line of JSON, that the program is ready, and where it listens."""
    sys.stdout.write(msgspec.json.encode({"ready": program, **told}).decode() + "\n")
    sys.stdout.flush()


def spare_what_stays() -> None:
    """Have the collector of cycles look at what was made since the start alone, and not as often.

    Modules, routes and statements stay for good, and requests leave few cycles behind.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE_OBJECTS, 20, 20)


def spare_survivors() -> None:
    """Have the collector of cycles never look again at what is alive now, once young cycles are collected.

    For programs whose state grows for good and holds no cycles: each look at all of it would stop them for
    as long as it is large. A look at what was made since the last call is all that is left.
    """
    gc.collect(1)
    gc.freeze()


def leave(status: int = 0) -> NoReturn:
    """End the process, when all that it held is closed.

    The interpreter would take every module apart first, which is a second of work for nothing.
    """
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # whoever read it is gone, or it is closed
            stream.flush()
    os._exit(status)
