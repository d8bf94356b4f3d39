"""A real PostgreSQL for tests: made in a folder, started on a free port, stopped, killed.

`python -m tests.postgres_server --folder DIR --while-alive PID` runs one until that process ends, and says
`{"port": N}` when it takes connections. It syncs as in production; in memory, where the machine has some to
spare, that costs nothing.
"""

import argparse
import ctypes
import json
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg

MEMORY = Path("/dev/shm")
START_SECONDS_MAX = 60.0
_PR_SET_PDEATHSIG = 1
_prctl = ctypes.CDLL(None).prctl


class PostgresServer:
    """One server on `127.0.0.1`, whose user `weir` needs no password."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def make(self) -> None:
        """Make the data folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if os.getuid() == 0:
            shutil.chown(self.folder, *_owner())
        data = self.folder / "data"
        command: list[str | Path] = [
            program("initdb"),
            "-D",
            data,
            "-U",
            "weir",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C.UTF-8",
        ]
        subprocess.run([*command, "--no-sync"], check=True, capture_output=True, cwd="/", **_as_owner())

    def start(self, **settings: str) -> None:
        """Start on the same port as before, and return when it takes connections."""
        given = {"max_connections": "60", "shared_buffers": "32MB", "dynamic_shared_memory_type": "mmap"}
        given["deadlock_timeout"] = "20ms"
        options = [f"-c{name}={value}" for name, value in {**given, **settings}.items()]
        places: list[str | Path] = [
            "-D",
            self.folder / "data",
            "-h",
            "127.0.0.1",
            "-p",
            str(self.port),
            "-k",
            self.folder,
        ]
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [program("postgres"), *places, *options],
                stdout=log,
                stderr=log,
                cwd="/",
                preexec_fn=_die_with_parent,
                **_as_owner(),
            )
        give_up_at = time.monotonic() + START_SECONDS_MAX
        while not self._answers():
            assert time.monotonic() < give_up_at, (self.folder / "server.log").read_text()
            time.sleep(0.02)

    def stop(self, how: int = signal.SIGINT) -> None:
        """Stop: SIGINT breaks connections off, SIGQUIT is as good as a crash."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(60)
            self._process = None

    def pause(self) -> None:
        """Let no part of it go on: connections stay, and nobody answers."""
        self._signal_all(signal.SIGSTOP)

    def go_on(self) -> None:
        """Go on after a pause."""
        self._signal_all(signal.SIGCONT)

    def url(self, database: str) -> str:
        """Where a database is."""
        return f"postgresql://weir@127.0.0.1:{self.port}/{database}"

    def run(self, statement: str, database: str = "postgres") -> list[tuple[object, ...]]:
        """Run one statement by itself."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            done = connection.execute(statement)
            return done.fetchall() if done.description else []

    def _answers(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, (self.folder / "server.log").read_text()
        try:
            self.run("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def pids(self) -> list[int]:
        """All its processes."""
        assert self._process is not None
        found = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(self._process.pid)], capture_output=True, text=True
        )
        return [self._process.pid, *map(int, found.stdout.split())]

    def _signal_all(self, number: int) -> None:
        for pid in self.pids():
            with suppress(ProcessLookupError):  # one that had just been forked may have ended
                os.kill(pid, number)


def folder_in_memory() -> Path:
    """A new folder, in memory where there is some, that another user may enter."""
    place = MEMORY if MEMORY.is_dir() and shutil.disk_usage(MEMORY).free > 2_000_000_000 else None
    folder = Path(tempfile.mkdtemp(prefix="weir-postgres-", dir=place))
    folder.chmod(0o755)
    return folder


def program(name: str) -> str:
    """Where a program of PostgreSQL is: Debian keeps them apart. Raises `FileNotFoundError`."""
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    path = os.pathsep.join([*map(str, places), os.environ.get("PATH", "")])
    found = shutil.which(name, path=path)
    if found is None:
        raise FileNotFoundError(f"the PostgreSQL tests need {name}: `make system`, as root")
    return found


def _owner() -> tuple[int, int]:
    # PostgreSQL refuses to run as root.
    for name in ("postgres", "nobody"):
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        return found.pw_uid, found.pw_gid
    raise FileNotFoundError("no user to run PostgreSQL as")


def _as_owner() -> dict[str, Any]:
    if os.getuid() != 0:
        return {}
    user, group = _owner()
    return {"user": user, "group": group}


def _die_with_parent() -> None:
    _prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def main(folder: Path, owner_pid: int) -> None:
    """Run a server for as long as `owner_pid` lives."""
    server = PostgresServer(folder)
    server.make()
    server.start()
    sys.stdout.write(json.dumps({"port": server.port}) + "\n")
    sys.stdout.flush()
    try:
        while Path(f"/proc/{owner_pid}").exists():
            time.sleep(0.5)
    finally:
        server.stop(signal.SIGQUIT)
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--while-alive", type=int, required=True)
    given = parser.parse_args()
    main(given.folder, given.while_alive)
