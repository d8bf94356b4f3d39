"""The supervisor, with real processes: small programs written for each test."""

import asyncio
import contextlib
import os
import signal
import sys
import textwrap
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from operations import launch
from operations.errors import ProgramFailedError
from operations.processes import Program
from operations.supervisor import Patience, Supervised, Supervisor

READY = 'print(\'{"ready": "toy", "port": 7}\', flush=True)'
WAITS = "import signal, sys\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(0))\nsignal.pause()"
EAGER = Patience(deaths_max=3, first_pause_seconds=0.01, longest_pause_seconds=0.02)


@pytest.fixture
def toy(tmp_path: Path) -> Callable[..., Program]:
    """A program made of the given source."""

    def write(source: str, name: str = "toy", **more: str) -> Program:
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(source))
        return Program(name, (), {"PYTHONPATH": str(tmp_path), **more}, ready_seconds_max=60)

    return write


def supervising(tmp_path: Path, act: Callable[[Supervisor, list[str]], Awaitable[None]]) -> list[str]:
    """Run `act` with a supervisor that is stopped afterwards; what it reported."""
    reported: list[str] = []

    async def scene() -> None:
        supervisor = Supervisor(tmp_path / "logs", reported.append, EAGER)
        try:
            await act(supervisor, reported)
        finally:
            await supervisor.stop()

    asyncio.run(asyncio.wait_for(scene(), 120))
    return reported


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.02)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return not Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].startswith(" Z")


def programs_of(folder: Path) -> list[str]:
    """The processes alive that were given the folder of toys."""
    found = []
    for environment in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if f"PYTHONPATH={folder}".encode() in environment.read_bytes().split(b"\0"):
                found.append(environment.parent.name)
    return found


def pid_of(each: Supervised) -> int:
    assert each.running is not None
    return each.running.pid


def test_start_returns_what_each_program_said_when_ready(tmp_path: Path, toy: Callable[..., Program]) -> None:
    async def act(supervisor: Supervisor, _: list[str]) -> None:
        told = await supervisor.start([toy(f"{READY}\n{WAITS}")])

        assert told == {"toy": {"ready": "toy", "port": 7}}

    assert supervising(tmp_path, act) == []


def test_a_program_that_is_killed_is_started_again(tmp_path: Path, toy: Callable[..., Program]) -> None:
    async def act(supervisor: Supervisor, reported: list[str]) -> None:
        await supervisor.start([toy(f"{READY}\n{WAITS}")])
        child = supervisor.programs["toy"]
        first = pid_of(child)

        os.kill(first, signal.SIGKILL)
        await until(lambda: child.restarts == 1 and pid_of(child) != first)

        await until(lambda: "toy is ready again" in reported)

        assert alive(pid_of(child))
        assert not supervisor.failed.done()

    assert "toy ended with -9" in supervising(tmp_path, act)[0]


def test_a_program_that_keeps_dying_is_given_up_with_the_end_of_its_log(
    tmp_path: Path, toy: Callable[..., Program]
) -> None:
    async def act(supervisor: Supervisor, _: list[str]) -> None:
        await supervisor.start([toy(f"import sys\n{READY}\nsys.exit('the disk is full')")])

        error = await supervisor.failed

        assert "died 4 times" in str(error)
        assert "the disk is full" in error.tail

    supervising(tmp_path, act)


def test_a_program_that_ends_before_it_is_ready_fails_the_start(
    tmp_path: Path, toy: Callable[..., Program]
) -> None:
    async def act(supervisor: Supervisor, _: list[str]) -> None:
        with pytest.raises(ProgramFailedError, match="ended with 3 before it was ready") as failure:
            await supervisor.start([toy("import sys\nprint('no such key', file=sys.stderr)\nsys.exit(3)")])

        assert "no such key" in failure.value.tail

    supervising(tmp_path, act)


def test_a_program_that_is_never_ready_fails_the_start_and_is_gone(
    tmp_path: Path, toy: Callable[..., Program]
) -> None:
    async def act(supervisor: Supervisor, _: list[str]) -> None:
        slow = toy("import time\ntime.sleep(600)")
        with pytest.raises(ProgramFailedError, match="was not ready, and said nothing"):
            await supervisor.start([Program("toy", (), slow.environment, ready_seconds_max=0.5)])

        pid = pid_of(supervisor.programs["toy"])
        await until(lambda: not alive(pid))

    supervising(tmp_path, act)


def test_a_program_that_says_how_far_it_is_may_take_longer_and_people_are_told(
    tmp_path: Path, toy: Callable[..., Program]
) -> None:
    source = f"""
import sys, time
for number in range(10):
    time.sleep(0.4)
    told = '"share_done": %.1f, "seconds_left": 3' % (number / 10)
    print('{{"event": "catching up with the log", ' + told + "}}", file=sys.stderr, flush=True)
{READY}
{WAITS}
"""

    async def act(supervisor: Supervisor, reported: list[str]) -> None:
        await supervisor.start([Program("toy", (), toy(source).environment, ready_seconds_max=3.0)])

        assert any(line.startswith("toy is catching up with the log: ") for line in reported)
        assert all(line.endswith("0 % done, 3 s left") for line in reported)

    supervising(tmp_path, act)


def test_a_clean_stop_lets_the_program_finish(tmp_path: Path, toy: Callable[..., Program]) -> None:
    source = f"""
    import pathlib, signal, sys
    def finish(*_):
        pathlib.Path({str(tmp_path / "finished")!r}).touch()
        sys.exit(0)
    signal.signal(signal.SIGTERM, finish)
    {READY}
    signal.pause()
    """

    async def act(supervisor: Supervisor, _: list[str]) -> None:
        await supervisor.start([toy(source)])

    assert supervising(tmp_path, act) == []
    assert (tmp_path / "finished").exists()


def test_a_program_that_is_just_being_started_again_does_not_outlive_the_stop(
    tmp_path: Path, toy: Callable[..., Program]
) -> None:
    slow_to_stop = WAITS.replace("sys.exit(0)", "__import__('time').sleep(1) or sys.exit(0)")

    async def act(supervisor: Supervisor, _: list[str]) -> None:
        await supervisor.start([toy(f"{READY}\n{WAITS}"), toy(f"{READY}\n{slow_to_stop}", name="slow")])
        child = supervisor.programs["toy"]
        first = pid_of(child)
        os.kill(first, signal.SIGKILL)
        while child.restarts == 0:
            await asyncio.sleep(0)
        assert pid_of(child) == first

        await supervisor.stop()

        assert programs_of(tmp_path) == []

    supervising(tmp_path, act)


def test_a_program_that_is_started_for_the_first_time_does_not_outlive_the_stop(
    tmp_path: Path, toy: Callable[..., Program]
) -> None:
    async def act(supervisor: Supervisor, _: list[str]) -> None:
        starting = asyncio.create_task(supervisor.start([toy(f"{READY}\n{WAITS}")]))
        while not programs_of(tmp_path):
            await asyncio.sleep(0)
        assert supervisor.programs["toy"].running is None

        await supervisor.stop()

        assert programs_of(tmp_path) == []
        with pytest.raises(asyncio.CancelledError):
            await starting

    supervising(tmp_path, act)


def test_a_program_deaf_to_the_stop_is_killed_with_its_own_children(
    tmp_path: Path, toy: Callable[..., Program]
) -> None:
    source = f"""
    import pathlib, signal, subprocess, sys
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    pathlib.Path({str(tmp_path / "grandchild")!r}).write_text(str(child.pid))
    {READY}
    while True:
        signal.pause()
    """

    async def act(supervisor: Supervisor, _: list[str]) -> None:
        await supervisor.start([toy(source)])
        running = supervisor.programs["toy"].running
        assert running is not None

        assert not await running.stop(seconds_max=0.3)

        grandchild = int((tmp_path / "grandchild").read_text())
        await until(lambda: not alive(grandchild))

    supervising(tmp_path, act)


def test_a_secret_in_the_environment_reaches_no_program(
    tmp_path: Path, toy: Callable[..., Program], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_PASSWORD", "not-for-everyone")
    program = toy(
        f"import os, pathlib\npathlib.Path({str(tmp_path / 'seen')!r}).write_text(str(dict(os.environ)))\n"
        f"{READY}\n{WAITS}",
        OWN="given",
    )

    async def act(supervisor: Supervisor, _: list[str]) -> None:
        await supervisor.start([program])

    supervising(tmp_path, act)
    seen = (tmp_path / "seen").read_text()
    assert "not-for-everyone" not in seen
    assert "given" in seen


def test_what_a_program_writes_is_in_its_own_logs_in_turn_even_a_line_without_end(
    tmp_path: Path, toy: Callable[..., Program]
) -> None:
    program = toy(f"import sys\nsys.stderr.write('x' * 7_000_000)\nsys.stderr.flush()\n{READY}\n{WAITS}")

    async def act(supervisor: Supervisor, _: list[str]) -> None:
        await supervisor.start([program])

    supervising(tmp_path, act)
    files = list((tmp_path / "logs").glob("toy.log*"))
    assert sum(path.read_text().count("x") for path in files) == 7_000_000
    assert len(files) > 1


def test_programs_die_with_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    async def scene() -> None:
        supervisor = (
            "import subprocess, sys, os, time\n"
            f"child = subprocess.Popen([sys.executable, '-I', '-S', {launch.__file__!r}, str(os.getpid()), "
            "sys.executable, '-c', 'import time; time.sleep(600)'])\n"
            "print(child.pid, flush=True)\ntime.sleep(600)"
        )
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-c", supervisor, stdout=asyncio.subprocess.PIPE
        )
        assert process.stdout is not None
        child = int(await process.stdout.readline())
        # The launcher has become the program when it is Python with the sleep and nothing else.
        await until(lambda: b"launch.py" not in Path(f"/proc/{child}/cmdline").read_bytes())

        process.kill()
        await process.wait()

        await until(lambda: not alive(child))

    asyncio.run(asyncio.wait_for(scene(), 60))
