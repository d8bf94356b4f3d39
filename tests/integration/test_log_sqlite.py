"""The embedded log where it meets the machine: full disks, long-held locks, damaged files, shared syncs."""

import json
import os
import sqlite3
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from events.errors import LogUnavailableError, LogUnusableError
from events.log import open_log
from events.log.port import Outgoing, TopicPartition
from tests.full_disk_process import APPEND_SECONDS_MAX

ROOT = Path(__file__).parents[2]
WAL_HEADER_BYTES = 32
FRAME_BYTES = 24 + 4096


def record(value: bytes = b"value") -> Outgoing:
    return Outgoing("payments", b"card", value)


def path_of(url: str) -> Path:
    return Path(url.removeprefix("sqlite://"))


@contextmanager
def held_lock(path: Path) -> Iterator[None]:
    """Another process's write transaction, as the log sees it."""
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield
        other.execute("ROLLBACK")


def on_a_small_disk(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command with a file system of 3 MB at `folder`, in a mount namespace that ends with it."""
    rights = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    script = 'mount -t tmpfs -o size=3m tmpfs "$0" && exec "$@"'
    return subprocess.run(
        ["unshare", "--mount", *rights, "sh", "-c", script, str(folder), *command],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_full_disk_is_reported_within_the_deadline_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    ended = on_a_small_disk(tmp_path, sys.executable, "-m", "tests.full_disk_process", str(tmp_path))

    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    assert "is full" in told["said"]
    assert told["seconds"] < APPEND_SECONDS_MAX
    assert told["pairs"] > 3
    whole = sorted(f"{number}/{half}" for number in range(told["pairs"]) for half in (0, 1))
    assert told["after_failure"] == whole
    one_more = sorted([*whole, f"{told['pairs']}/0", f"{told['pairs']}/1"])
    assert told["after_clearing"] == told["after_restart"] == one_more


def test_opening_a_log_on_a_full_disk_is_refused_and_works_once_there_is_room(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib\n"
        "from events.log import open_log\n"
        "from events.errors import LogUnavailableError\n"
        "ballast = pathlib.Path(sys.argv[1]) / 'ballast'\n"
        "try:\n"
        "    ballast.write_bytes(bytes(4_000_000))\n"
        "except OSError:\n"
        "    pass\n"
        "url = f'sqlite://{sys.argv[1]}/log.sqlite'\n"
        "try:\n"
        "    open_log(url)\n"
        "except LogUnavailableError as error:\n"
        "    print(error)\n"
        "ballast.unlink()\n"
        "print(open_log(url).ends('audit'))\n"
    )

    ended = on_a_small_disk(tmp_path, sys.executable, "-c", program, str(tmp_path))

    refused, reached = ended.stdout.splitlines()
    assert str(tmp_path) in refused
    assert reached == "[0]"


def test_a_lock_held_too_long_by_another_process_is_reported_within_the_deadline(sqlite_url: str) -> None:
    with closing(open_log(sqlite_url, append_seconds_max=0.5)) as log:
        with held_lock(path_of(sqlite_url)):
            begun = time.monotonic()
            with pytest.raises(LogUnavailableError, match="another process held"):
                log.append([record()])
            assert time.monotonic() - begun >= 0.5
        assert log.ends("payments") == [0] * 8

        log.append([record()])

        assert sum(log.ends("payments")) == 1


def test_appends_that_wait_together_are_committed_together(sqlite_url: str) -> None:
    appenders = 12
    with closing(open_log(sqlite_url, append_seconds_max=60)) as log, ThreadPoolExecutor(appenders) as pool:
        commits_before = commits(path_of(sqlite_url))
        with held_lock(path_of(sqlite_url)):
            waiting = [pool.submit(log.append, [record(str(n).encode())]) for n in range(appenders)]
            wait_until(lambda: appends_waiting() == appenders)
        positions = {position for each in waiting for position in each.result()}

        assert len(positions) == appenders
        # The first to come holds its turn while the others gather behind it.
        assert commits(path_of(sqlite_url)) - commits_before <= 2


def appends_waiting() -> int:
    """How many threads are inside `append`, waiting for the lock or for whoever holds the turn."""
    stacks = [
        {each.f_code.co_name for each, _ in traceback.walk_stack(frame)}
        for frame in sys._current_frames().values()
    ]
    return sum(1 for names in stacks if "append" in names and names & {"wait", "patiently"})


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def commits(path: Path) -> int:
    """Transactions in the write-ahead log: their last frame alone names the size of the database."""
    frames = path.with_name(path.name + "-wal").read_bytes()[WAL_HEADER_BYTES:]
    return sum(1 for start in range(0, len(frames), FRAME_BYTES) if any(frames[start + 4 : start + 8]))


@pytest.mark.parametrize(
    "content", [b"this is no database, only a text " * 200, b"SQLite format 3\0" + bytes(9000)]
)
def test_a_file_that_is_no_log_is_refused_and_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "log.sqlite"
    path.write_bytes(content)

    with pytest.raises(LogUnusableError, match="damaged or no log"):
        open_log(f"sqlite://{path}")

    assert path.read_bytes() == content


def test_a_log_with_other_partitions_than_declared_is_refused(sqlite_url: str) -> None:
    open_log(sqlite_url).close()
    with closing(sqlite3.connect(path_of(sqlite_url))) as connection, connection:
        connection.execute("DELETE FROM lanes WHERE topic = 'payments' AND partition = 7")

    with pytest.raises(LogUnusableError, match="7 partitions of payments, declared are 8"):
        open_log(sqlite_url)


def test_a_place_where_no_file_can_be_made_is_reported_as_out_of_reach(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file where a folder should be")

    with pytest.raises(LogUnavailableError, match="cannot be reached"):
        open_log(f"sqlite://{tmp_path}/file/log.sqlite")
    with pytest.raises(LogUnavailableError):
        open_log(f"sqlite://{tmp_path}")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "sqlite",
        "sqlite:///",
        "sqlite://host/path",
        "sqlite:///tmp/x?synchronous=MAYBE",
        "postgresql://host/log",
        "kafka://",
        "kafka://host",
        "kafka://host:port",
        "kafka://host:1,",
        "kafka://host:1/a b",
    ],
)
def test_a_url_that_names_no_log_is_refused(url: str) -> None:
    with pytest.raises(LogUnusableError):
        open_log(url)


def test_a_closed_log_takes_no_more_records(sqlite_url: str) -> None:
    log = open_log(sqlite_url)
    log.close()

    with pytest.raises(LogUnavailableError, match="closed"):
        log.append([record()])


def test_a_reader_sees_what_is_appended_while_many_threads_append(sqlite_url: str) -> None:
    seen: list[int] = []
    with (
        closing(open_log(sqlite_url, append_seconds_max=60)) as log,
        closing(log.reader({TopicPartition("payments", 0): 0})) as reader,
        ThreadPoolExecutor(4) as pool,
    ):
        five = [Outgoing("payments", b"card", b"value", 0)] * 5
        appended = [pool.submit(log.append, five) for _ in range(40)]
        deadline = time.monotonic() + 60
        while len(seen) < 200 and time.monotonic() < deadline:
            seen += [each.offset for each in reader.poll(7, 0.1)]
        placed = sorted(position.offset for each in appended for position in each.result())

    assert seen == placed == list(range(200))
