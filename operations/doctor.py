"""`weir doctor`: looks at everything Weir needs, and says of each what to mend.

Looking changes nothing: what the first start makes is not made here.
"""

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from events.errors import EventsError
from events.log import open_log
from events.log.port import Log
from gateway.keys.tls import certificate_problems
from gateway.live_home import is_live_home
from gateway.schemas import Schema, SchemaUnreadableError, schemas
from operations import addresses
from operations.addresses import is_free
from operations.errors import HomeInUseError
from operations.home_lock import sole_supervisor
from operations.settings import Settings
from operations.up import EXPECTED, complain

PYTHONS = ((3, 11), (3, 12))
FREE_BYTES_MIN = 200_000_000
FREE_BYTES_GOOD = 2_000_000_000

State = Literal["ok", "note", "wrong"]


@dataclass(frozen=True)
class Finding:
    """One look. `note` is worth knowing, `wrong` keeps Weir from working; `mend` says what to do."""

    check: str
    state: State
    finding: str
    mend: str = ""


def run(options: Callable[[], Settings], *, as_json: bool) -> int:
    """Print the findings; exit status 1 where anything is wrong."""
    try:
        findings = examine(options())
    except EXPECTED as error:
        return complain("weir doctor", error)
    if as_json:
        sys.stdout.write(json.dumps([asdict(finding) for finding in findings], indent=2) + "\n")
    else:
        Console(highlight=False).print(_table(findings))
    return int(any(finding.state == "wrong" for finding in findings))


def examine(wanted: Settings) -> list[Finding]:
    """All findings, in the order in which they matter."""
    running = _is_running(wanted.home)
    checks: tuple[Callable[[], Iterator[Finding]], ...] = (
        lambda: python_version(sys.version_info[:2]),
        lambda: places(wanted.home, wanted.keys),
        lambda: disk(wanted.home, shutil.disk_usage(_existing(wanted.home)).free),
        lambda: ports(wanted, running=running),
        lambda: keys(wanted.keys),
        lambda: payments(wanted.home),
        lambda: log(wanted),
        lambda: databases(wanted.home),
        lambda: kafka_tools(needed=wanted.needs_broker),
        browser,
    )
    return [finding for check in checks for finding in check()]


def python_version(version: tuple[int, ...]) -> Iterator[Finding]:
    """Whether this Python is one that Weir runs on."""
    text = ".".join(str(part) for part in version)
    if version in PYTHONS:
        yield Finding("python", "ok", text)
    else:
        yield Finding(
            "python", "wrong", text, "Use Python 3.11 or 3.12: some libraries have no other builds."
        )


def places(*folders: Path) -> Iterator[Finding]:
    """Whether home and keys can be written, or made."""
    for folder in folders:
        place = _existing(folder)
        room_bytes = shutil.disk_usage(place).total  # none in /proc and its like, where root may write, too
        if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK) or not room_bytes:
            mend = "Give another folder (--home, --keys), or make this one writable."
            yield Finding("folders", "wrong", f"{folder} cannot be written", mend)


def disk(home: Path, free_bytes: int) -> Iterator[Finding]:
    """Whether there is room where the home is."""
    text = f"{free_bytes / 1e9:.1f} GB free for {home}"
    if free_bytes < FREE_BYTES_MIN:
        yield Finding("disk", "wrong", text, "Free some space, or give another --home: the log needs room.")
    elif free_bytes < FREE_BYTES_GOOD:
        yield Finding("disk", "note", text, "Enough for a demo; a month of real traffic needs more.")
    else:
        yield Finding("disk", "ok", text)


def ports(wanted: Settings, *, running: bool) -> Iterator[Finding]:
    """Whether the ports that people see can be opened."""
    if running and (where := addresses.remembered(wanted.home)):
        yield Finding("ports", "ok", f"Weir is running on this home: {where}")
        return
    if wanted.port == 0:
        yield Finding("ports", "ok", "free ones are picked at each start")
        return
    numbers = range(wanted.port, wanted.port + 3)
    taken = [str(number) for number in numbers if not is_free(wanted.host, number)]
    text = f"{wanted.host} {numbers.start}–{numbers.stop - 1}"
    if not taken:
        yield Finding("ports", "ok", f"{text} are free")
    elif running:
        yield Finding("ports", "ok", f"{text}: Weir is running on this home")
    else:
        mend = "Stop what listens there, or give another --port (0 picks free ones)."
        yield Finding("ports", "wrong", f"{', '.join(taken)} in use by another program", mend)


def keys(folder: Path) -> Iterator[Finding]:
    """Whether keys and certificates have the right modes and are still valid."""
    if not folder.exists():
        if not list(places(folder)):
            yield Finding("keys", "ok", f"{folder} is made at the first start")
        return
    problems = certificate_problems(folder, datetime.now(UTC))
    for problem in problems:
        yield Finding("keys", "wrong", problem.finding, problem.mend)
    if not problems:
        yield Finding("keys", "ok", f"{folder}: modes and certificates are in order")


def payments(home: Path) -> Iterator[Finding]:
    """Which payments the home takes."""
    if is_live_home(home):
        yield Finding("payments", "ok", "live ones alone")
    else:
        yield Finding("payments", "ok", "test and live ones; for production start a new home with --live")


def log(wanted: Settings) -> Iterator[Finding]:
    """Whether the log can be opened, and what its acknowledgements survive."""
    if wanted.needs_broker:
        yield Finding("log", "ok", "a local Kafka broker is started with Weir")
        return
    if (
        wanted.log.startswith("sqlite:")
        and not Path(wanted.log.removeprefix("sqlite:///").partition("?")[0]).exists()
    ):
        yield Finding("log", "ok", f"{wanted.log} is made at the first start")
        return
    try:
        with closing(open_log(wanted.log, create=False)) as opened:
            opened.ends("payments")
            yield _durability(opened)
    except EventsError as error:
        mend = "Start the broker, or give another --log." if "kafka" in wanted.log else "Restore the file."
        yield Finding("log", "wrong", f"{wanted.log}: {error}", mend)


def databases(home: Path) -> Iterator[Finding]:
    """Whether this build knows the schema of each database."""
    for schema in schemas(home):
        yield _database(schema)


def kafka_tools(*, needed: bool) -> Iterator[Finding]:
    """Whether a local broker could be started."""
    missing = [program for program in ("java", "mvn") if shutil.which(program) is None]
    if not missing:
        yield Finding("kafka", "ok", "Java and Maven are there for a local broker")
        return
    mend = "Install Java 17 and Maven (`make system`, as root), or use --log sqlite or a broker of your own."
    yield Finding("kafka", "wrong" if needed else "note", f"{' and '.join(missing)} not found", mend)


def browser() -> Iterator[Finding]:
    """Whether the pages can be tested."""
    if any(shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome")):
        yield Finding("browser", "ok", "Chromium is there for the tests of the pages")
    else:
        yield Finding("browser", "note", "no Chromium", "Only the tests need it: `make system`, as root.")


def _database(schema: Schema) -> Finding:
    name = schema.name
    try:
        found = schema.found()
    except SchemaUnreadableError as error:
        mend = "Restore it from a back-up."
        if name.startswith("postgresql:"):
            mend = "Start the server, or mend its settings or the password file."
        return Finding("database", "wrong", f"{name}: {error}", mend)
    if found is None:
        return Finding("database", "ok", f"{name} is made at the first start")
    if found == schema.newest:
        return Finding("database", "ok", f"{name} has the newest schema ({found})")
    if found in schema.known:
        return Finding("database", "note", f"{name} has schema {found}", "The next start migrates it.")
    mend = "It was written by a newer Weir: run that one, or restore a back-up."
    return Finding("database", "wrong", f"{name} has the unknown schema {found}", mend)


def _durability(log: Log) -> Finding:
    words, is_weak = log.durability
    if is_weak:
        return Finding("log", "note", words, "Use three brokers for what must not be lost.")
    return Finding("log", "ok", words)


def _is_running(home: Path) -> bool:
    if not (home / "supervisor.lock").exists():
        return False
    try:
        with sole_supervisor(home):
            return False
    except HomeInUseError:
        return True


def _existing(path: Path) -> Path:
    """The path, or what is there of it."""
    return next(folder for folder in (path, *path.parents) if folder.exists())


def _table(findings: list[Finding]) -> Table:
    colors = {"ok": "green", "note": "yellow", "wrong": "bold red"}
    table = Table(show_header=False, box=None)
    for finding in findings:
        text = escape(finding.finding) + (f"\n[dim]{escape(finding.mend)}[/]" if finding.mend else "")
        table.add_row(f"[{colors[finding.state]}]{finding.state}[/]", finding.check, text)
    return table
