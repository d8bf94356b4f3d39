"""No card number, code, password, key or personal detail is anywhere that a run leaves something, logging at
debug, whatever is sent and whoever dies: in its files, databases, log records and answers, on loopback (to a
broker, PostgreSQL and Redis too), or in the memory or a core dump of a program that can do without it; nor in
the memory of those servers.

What may be where stands with what is planted (`held_by` in `planting.py`): card numbers and security codes in
the memory of processor and acquirer alone, one-time codes in that of the issuers, which are the acquirer's
program. A number that a caller wrongly sends to the API is refused; it is then in that request on loopback,
may be in that process's memory (whose core is never dumped), and nowhere else.
"""

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from events.program_logs import LogLevel
from gateway.rate_limits import MEMORY
from tests.e2e.closing import come_to_rest
from tests.e2e.leak_batches import READABLE, batches
from tests.e2e.leak_codes import is_code
from tests.e2e.leak_places import (
    Loopback,
    broker_memory,
    broker_ports,
    cells,
    cores_left,
    dumping_cores,
    files,
    is_tls,
    log_records,
    memory,
    values,
)
from tests.e2e.leak_records import is_cell_in_pages
from tests.e2e.leak_search import Planted, Search
from tests.e2e.leak_servers import Servers, is_cell_in_heap, servers
from tests.e2e.leak_traffic import Traffic, tls_ports
from tests.e2e.planting import ACCOUNTS, EVERYTHING, LONE_CODES, POISON, PROPER
from tests.e2e.platforms import is_alive
from tests.e2e.whole_platform import (
    ACQUIRER,
    API,
    FIVE,
    LEARNING,
    PAGE,
    PROCESSOR,
    RISK,
    WholePlatform,
    whole_platform,
)

pytestmark = pytest.mark.timeout(900)

WITHOUT_CARDS = (API, RISK, LEARNING, PAGE)
CLOCK_SECONDS = 2.0
"""More than a file's time is behind the clock."""
LOG_FILES_MAX = 3
"""Of one program: with a fourth a line may have been dropped before it was searched."""


@dataclass(frozen=True)
class Surroundings:
    """Where a run leaves something: its folder, its log, the broker's folders of it, and its servers."""

    folder: Path
    log_url: str
    partitions: list[Path]
    servers: Servers | None


@pytest.fixture
def surroundings(
    tmp_path: Path,
    log_url: str,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Surroundings]:
    """The embedded log with SQLite, or Kafka with PostgreSQL and Redis; temporary files go to the folder."""
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    if log_url.startswith("sqlite"):
        yield Surroundings(tmp_path, log_url, [], None)
        return
    base = tmp_path_factory.getbasetemp()
    home = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "kafka" / "data"
    partitions = [] if "KAFKA_BOOTSTRAP_SERVERS" in os.environ else [home / log_url.rpartition("/")[2]]
    with servers(tmp_path) as made:
        yield Surroundings(tmp_path, log_url, partitions, made)


def test_no_secret_is_left_where_it_need_not_be(surroundings: Surroundings) -> None:
    assert os.geteuid() == 0, "this test reads process memory and loopback: run it as root"

    found = asyncio.run(_run(surroundings))

    assert not found, "\n".join(found)


async def _run(here: Surroundings) -> list[str]:
    with dumping_cores() as has_cores:
        return await _run_with(here, has_cores=has_cores)


async def _run_with(here: Surroundings, *, has_cores: bool) -> list[str]:
    store, limits = (here.servers.store, here.servers.redis.url) if here.servers else (None, MEMORY)
    async with whole_platform(
        here.folder, here.log_url, page=True, store=store, rate_limits=limits, log_level=LogLevel.DEBUG
    ) as platform:
        brokers = broker_ports(here.log_url)
        others = [*brokers, *(here.servers.ports if here.servers else [])]
        loopback = Loopback(*vars(platform.ports).values(), *others)
        loopback.start()
        traffic = Traffic(platform)
        await traffic.pass_by()
        await _at_rest(platform, here)
        loopback.stop()
        assert loopback.lost == 0, "frames were lost: what was in them is unknown"
        planted = (*EVERYTHING, *traffic.credentials)
        found = [*_on_loopback(platform, loopback, traffic, planted), *_batches(loopback, brokers)]
        assert {port for packet in loopback.packets for port in (packet.source, packet.target)} >= {*others}
        found += [*_in_memory(platform, planted), *_at_servers(here, planted)]
        looked_at = time.time() - CLOCK_SECONDS
        found += _written(here, planted)
        found += await _in_core_dumps(platform, planted, has_cores=has_cores)
    # A clean stop writes once more; what nobody changed since it was looked at is as it was.
    return found + _written(here, planted, since=looked_at) + _in_logs(here)


async def _at_rest(platform: WholePlatform, here: Surroundings) -> None:
    if here.servers is None:
        await come_to_rest(platform)
        return
    await platform.until_ready(*FIVE)
    await platform.until(here.servers.is_quiet, "quiet")


def _on_loopback(
    platform: WholePlatform, loopback: Loopback, traffic: Traffic, planted: tuple[Planted, ...]
) -> Iterator[str]:
    """Inner listeners say and hear TLS alone; what others do holds nothing but what their program must."""
    secured, search = set(tls_ports(platform)), Search(*planted, codes=LONE_CODES)
    of_api = Search(*_forbidden_to(API, planted), codes=LONE_CODES[:1])
    seen = set[int]()
    for source, target, content in loopback.streams():
        if target in traffic.rude | secured and source in traffic.rude | secured:
            seen |= {target} - traffic.rude
            if source in traffic.rude:
                continue  # a caller who says in the clear what it should not
        if {source, target} & secured:
            if not is_tls(content):
                yield f"loopback from {source} to {target}: something outside TLS"
            continue
        is_api = platform.ports.api in (source, target)
        yield from _told(
            f"loopback from {source} to {target}", (of_api if is_api else search).deeply(content)
        )
    assert seen == secured, "not every inner listener was knocked at"


def _batches(loopback: Loopback, brokers: list[int]) -> Iterator[str]:
    """What no search can read is told with where it passed and what stood before it, the topic's name too."""
    found: Counter[str] = Counter()
    for source, target, content in loopback.streams():
        for codec, at in batches(content):
            found[codec] += 1
            if codec not in READABLE:
                before = content[max(0, at - 80) : at]
                yield f"loopback from {source} to {target}: records compressed with {codec}, after {before!r}"
    assert bool(found) == bool(brokers), "the broker's traffic was not looked into"


def _in_memory(platform: WholePlatform, planted: tuple[Planted, ...]) -> Iterator[str]:
    """In the processor's memory a card must be found: that shows that memory is really searched."""
    seen = Search(PROPER)
    assert any(seen.plainly(region) for region in memory(platform.pid(PROCESSOR))), "memory is not seen"
    for name in (*WITHOUT_CARDS, PROCESSOR, ACQUIRER):
        without_cards = LONE_CODES[: 1 if name == API else 2] if name in WITHOUT_CARDS else ()
        search = Search(*_forbidden_to(name, planted), codes=without_cards)
        found = set().union(*(search.plainly(region) for region in memory(platform.pid(name))))
        yield from _told(f"memory of {name}", found)


def _forbidden_to(name: str, planted: tuple[Planted, ...]) -> list[Planted]:
    """What a program has no business with."""
    return [each for each in planted if name not in each.held_by]


def _at_servers(here: Surroundings, planted: tuple[Planted, ...]) -> Iterator[str]:
    search = Search(*planted, codes=LONE_CODES)
    found = {
        f"{place}: {what}" for place, content in _server_memory(here) for what in search.plainly(content)
    }
    yield from sorted(found)


def _server_memory(here: Surroundings) -> Iterator[tuple[str, bytes]]:
    """Of PostgreSQL, Redis and a broker of this machine: what they were sent is there long afterwards."""
    if here.servers is None:
        return
    yield from here.servers.memory()
    yield from broker_memory(here.log_url)


async def _in_core_dumps(
    platform: WholePlatform, planted: tuple[Planted, ...], *, has_cores: bool
) -> list[str]:
    """Every program aborts: the gateway's two and the acquirer leave no core, the others' are searched.

    Not for lone codes, which take most of the time, and were looked for in the memory.
    """
    found, names = list[str](), (*WITHOUT_CARDS, PROCESSOR, ACQUIRER)
    for name in names:
        pid, search = platform.pid(name), Search(*_forbidden_to(name, planted))
        folder = Path(f"/proc/{pid}/cwd").resolve()
        os.kill(pid, signal.SIGABRT)
        await platform.until(lambda pid=pid: not is_alive(pid), f"{name} to abort")
        cores = list(cores_left(folder))
        assert len(cores) == (has_cores and name not in (API, PROCESSOR, ACQUIRER)), name
        found += [what for core in cores for what in _told(f"core of {name}", search.plainly(core))]
    await platform.until_ready(*names)
    return found


def _written(here: Surroundings, planted: tuple[Planted, ...], since: float = 0.0) -> list[str]:
    search = Search(*planted, codes=LONE_CODES)
    paths = [path for prefix in here.partitions for path in prefix.parent.glob(f"{prefix.name}.*")]
    places: Iterable[tuple[str, bytes]] = (
        *files(here.folder, *paths, since=since),
        *cells(here.folder, since=since),
        *log_records(here.log_url),
    )
    at_server = [*here.servers.files(since)] if here.servers else []
    server_cells = [*here.servers.cells()] if here.servers else []
    single = [*values(here.log_url, here.folder, since=since), *server_cells]
    whole = b"\n".join(cell if isinstance(cell, bytes) else str(cell).encode() for _, cell in server_cells)
    found = [
        what
        for place, content in (*places, *at_server, ("the servers' cells", whole))
        for what in _told(place, search.deeply(content))
        # The rails' books are the banks', and know whose account it is.
        if not ("rails.sqlite" in place and ACCOUNTS.name in what)
    ]
    for code in LONE_CODES:
        found += [f"{place}: a security code alone" for place, value in single if is_code(code, value)]
        found += [
            f"{place}: a security code in a record"
            for place, content in places
            if ".sqlite" in place and is_cell_in_pages(code, content)
        ]
        found += [
            f"{place}: a code in a row" for place, content in at_server if is_cell_in_heap(code, content)
        ]
    assert not here.partitions or paths, "the broker's files are not where they were looked for"
    return found


def _in_logs(here: Surroundings) -> list[str]:
    """Programs log at debug, have dropped no line, and quote no record that they cannot read."""
    logs = dict(files(here.folder / "home" / "logs"))
    assert b'"level": "debug"' in b"".join(logs.values())
    assert not [name for name in logs if name.endswith(f".log.{LOG_FILES_MAX}")], "lines were dropped"
    return [what for name, content in logs.items() for what in _told(name, Search(POISON).deeply(content))]


def _told(place: str, found: set[str]) -> list[str]:
    return [f"{place}: {what}" for what in sorted(found)]


async def _limits(platform: WholePlatform) -> dict[str, str]:
    return {
        name: Path(f"/proc/{platform.pid(name)}/limits").read_text() for name in (API, PROCESSOR, ACQUIRER)
    }


def test_programs_that_may_hold_a_card_number_dump_no_core(tmp_path: Path, sqlite_url: str) -> None:
    async def scene() -> dict[str, str]:
        async with whole_platform(tmp_path, sqlite_url) as platform:
            return await _limits(platform)

    for name, limits in asyncio.run(scene()).items():
        (line,) = (line for line in limits.splitlines() if line.startswith("Max core file size"))
        assert line.split()[4:6] == ["0", "0"], name
