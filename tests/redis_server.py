"""A real Redis for tests: started on a port of its own, stopped, killed, silenced. It keeps nothing."""

import os
import shutil
import signal
import socket
import subprocess
from pathlib import Path


class RedisServer:
    """One server on `127.0.0.1`, always at the same port."""

    def __init__(self, folder: Path, port: int | None = None) -> None:
        self.port = port or _free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._folder = folder
        self._process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start, and return when it takes connections."""
        program = shutil.which("redis-server")
        assert program, "redis-server is missing: run `make system`"
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self._folder)]
        self._process = subprocess.Popen([program, *options], stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        while "Ready to accept connections" not in self._process.stdout.readline():
            assert self._process.poll() is None, "redis-server did not start"

    def stop(self, how: int = signal.SIGTERM) -> None:
        """Stop it; SIGKILL gives it no time for farewells."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.communicate(timeout=20)
            self._process = None

    def pause(self) -> None:
        """Let it be there and answer nobody."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Go on after a pause."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        assert self._process is not None
        os.kill(self._process.pid, number)


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        return int(bound.getsockname()[1])
