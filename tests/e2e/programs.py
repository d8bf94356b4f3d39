"""Starting one program of Weir as the supervisor would, for tests."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from operations import launch

READY_SECONDS_MAX = 120
STOP_SECONDS_MAX = 30


@contextmanager
def started(module: str, *arguments: str) -> Iterator[dict[str, Any]]:
    """The program, ready; what its ready line said. Stopped with SIGTERM, after which it must end with 0."""
    process = subprocess.Popen(
        [sys.executable, launch.__file__, str(os.getpid()), sys.executable, "-m", module, *arguments],
        stdout=subprocess.PIPE,
        text=True,
    )
    watchdog = threading.Timer(READY_SECONDS_MAX, process.kill)
    watchdog.start()
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, f"{module} ended before it was ready"
        yield json.loads(line)
        process.terminate()
        assert process.wait(STOP_SECONDS_MAX) == 0
    finally:
        watchdog.cancel()
        process.kill()
        process.wait()
        process.stdout.close()
