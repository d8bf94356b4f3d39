"""No card number or security code is anywhere that a run leaves something, whatever is sent and whoever dies:
in its files, databases, log records and answers, on loopback (the broker's traffic too), or in the memory or
a core dump of API, risk flow, learner and page.

Allowed is the memory of processor and acquirer alone. A number that a caller wrongly sends to the API is
refused; it is then in that request on loopback, may be in that process's memory (whose core is never dumped),
and nowhere else.
"""

import asyncio
import os
import signal
import ssl
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import httpx2
import pytest

from gateway.backoffice import Backoffice
from tests.e2e.closing import come_to_rest
from tests.e2e.leak_batches import READABLE, batches_by_codec
from tests.e2e.leak_codes import is_code
from tests.e2e.leak_places import (
    Loopback,
    broker_ports,
    cells,
    cores_left,
    dumping_cores,
    files,
    log_records,
    memory,
    values,
)
from tests.e2e.leak_records import is_cell_in_pages
from tests.e2e.leak_search import Planted, Search
from tests.e2e.merchant import Merchant, merchant_of
from tests.e2e.planting import (
    ASTRAY,
    BAD_CODE,
    CODE,
    EVERYTHING,
    LONE_CODE,
    PASSWORD,
    PAY,
    PROPER,
    WRONG_PASSWORD,
    Bad,
    bad_at_api,
    bad_at_processor,
    number,
)
from tests.e2e.platforms import is_alive
from tests.e2e.whole_platform import (
    ACQUIRER,
    API,
    LEARNING,
    PAGE,
    PROCESSOR,
    RISK,
    WholePlatform,
    whole_platform,
)

pytestmark = [pytest.mark.timeout(900), pytest.mark.xdist_group("platform")]

CARDS = 12
DEATHS = {
    PROCESSOR: [
        "processor.token.committed",
        "processor.attempt.committed",
        "processor.authorization.answered",
    ],
    ACQUIRER: ["acquirer.answer.leaving"],
    API: ["gateway.flight.decided"],
}
WITHOUT_CARDS = (API, RISK, LEARNING, PAGE)


@pytest.fixture
def broker_data(log_url: str, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The folders of this log's partitions at the run's own broker; none for the embedded log."""
    if log_url.startswith("sqlite") or "KAFKA_BOOTSTRAP_SERVERS" in os.environ:
        return []
    base = tmp_path_factory.getbasetemp()
    home = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "kafka" / "data"
    return [home / log_url.rpartition("/")[2]]


def test_no_card_number_or_security_code_leaves_the_processor(
    tmp_path: Path, log_url: str, broker_data: list[Path]
) -> None:
    assert os.geteuid() == 0, "this test reads process memory and loopback: run it as root"

    found = asyncio.run(_run(tmp_path, log_url, broker_data))

    assert found == []


async def _run(folder: Path, log_url: str, broker_data: list[Path]) -> list[str]:
    with dumping_cores() as has_cores:
        return await _run_with(folder, log_url, broker_data, has_cores=has_cores)


async def _run_with(folder: Path, log_url: str, broker_data: list[Path], *, has_cores: bool) -> list[str]:
    async with whole_platform(folder, log_url, page=True) as platform:
        brokers = broker_ports(log_url)
        loopback = Loopback(*vars(platform.ports).values(), *brokers)
        loopback.start()
        await _traffic(platform)
        await come_to_rest(platform)
        loopback.stop()
        assert loopback.lost == 0, "frames were lost: what was in them is unknown"
        found = [*_on_loopback(platform, loopback, brokers), *_in_memory(platform)]
        found += _written(folder, log_url, broker_data)
        found += await _in_core_dumps(platform, has_cores=has_cores)
    # A clean stop writes once more.
    return found + _written(folder, log_url, broker_data)


async def _traffic(platform: WholePlatform) -> None:
    """Good and bad requests, before, while and after programs die with card data in hand."""
    async with merchant_of(platform) as merchant, _strangers_client(platform) as client:
        await _send_bad(platform, client)
        await _sign_in_and_pay(platform, client)
        platform.condemn(DEATHS)
        for which in range(CARDS):
            await _pay(merchant, which)
        await platform.until(
            lambda: not any(each.fated for each in platform.chronicles.values()), "the programs to die"
        )
        await platform.until_ready(API, PROCESSOR, ACQUIRER)
        await _send_bad(platform, client)
        assert merchant.notebook.faults == []


async def _sign_in_and_pay(platform: WholePlatform, client: httpx2.AsyncClient) -> None:
    office = Backoffice(platform.home, platform.keys)
    office.add_user("ada", "acct_tried", "test", PASSWORD.digits)
    await asyncio.sleep(1.1)  # the wrong ones before are of the last second
    signed_in = await client.post(
        f"{platform.api}/signin", json={"username": "ada", "password": PASSWORD.digits}
    )
    bearer = {"authorization": f"Bearer {signed_in.json()['token']}"}
    card = {"number": number(PROPER, 95), "expiry": "12/34", "cvv": CODE}
    paid = await client.post(f"{platform.processor}/pay", json={**PAY, "card": card}, headers=bearer)
    assert paid.json()["status"] == "approved", paid.text


async def _pay(merchant: Merchant, which: int) -> None:
    body = {"amount": 2_000 + which, "currency": "eur", "capture_method": ("automatic", "manual")[which % 2]}
    payment = await merchant.create(body)
    await merchant.confirm(payment, await merchant.token(number(PROPER, which), CODE))
    await merchant.label(payment, "confirmed_genuine")


def _strangers_client(platform: WholePlatform) -> httpx2.AsyncClient:
    trusted = ssl.create_default_context(cafile=str(platform.keys / "ca.pem"))
    bearer = {"authorization": f"Bearer {platform.test_key}"}
    return httpx2.AsyncClient(verify=trusted, timeout=60, trust_env=False, headers=bearer)


async def _send_bad(platform: WholePlatform, client: httpx2.AsyncClient) -> None:
    """Each must be refused, and no answer may hold what it was asked."""
    search = Search(*EVERYTHING, codes=(LONE_CODE,))
    for base, requests in ((platform.processor, bad_at_processor()), (platform.api, bad_at_api())):
        for bad in requests:
            answer = await _sent(client, base, bad)
            assert 400 <= answer.status_code < 500, (bad.method, bad.path, answer.status_code)
            told = answer.content + repr(answer.headers).encode()
            assert not search.deeply(told), (bad.method, bad.path, "the answer quotes the request")


async def _sent(client: httpx2.AsyncClient, base: str, bad: Bad) -> httpx2.Response:
    return await client.request(bad.method, base + bad.path, content=bad.body, headers=bad.headers)


def _on_loopback(platform: WholePlatform, loopback: Loopback, brokers: list[int]) -> Iterator[str]:
    search = Search(*EVERYTHING, codes=(LONE_CODE,))
    talking = {port for source, target, _ in loopback.streams() for port in (source, target)}
    assert talking >= {platform.ports.processor, *brokers}
    batches = sum((batches_by_codec(content) for _, _, content in loopback.streams()), Counter())
    assert bool(batches) == bool(brokers), "the broker's traffic was not looked into"
    yield from _told("loopback to or from the broker: records compressed with", set(batches) - READABLE)
    for source, target, content in loopback.streams():
        if target == platform.ports.api:
            assert not Search(PROPER).plainly(content)
            continue  # callers' own requests, with numbers that they should not have sent
        yield from _told(f"loopback from {source} to {target}", search.deeply(content))


def _in_memory(platform: WholePlatform) -> Iterator[str]:
    """In the processor's memory it must be found: that shows that memory is really searched."""
    assert _remembered(platform, PROCESSOR, PROPER), "the search does not even see the processor's memory"
    for name in WITHOUT_CARDS:
        astray = () if name == API else (ASTRAY, BAD_CODE, PASSWORD, WRONG_PASSWORD)
        yield from _told(f"memory of {name}", _remembered(platform, name, PROPER, *astray))


async def _in_core_dumps(platform: WholePlatform, *, has_cores: bool) -> list[str]:
    """Every program aborts: the gateway's two leave no core, the others' are searched."""
    search, found = Search(PROPER, ASTRAY, BAD_CODE), list[str]()
    for name in (API, PROCESSOR, RISK, LEARNING, PAGE):
        pid = platform.pid(name)
        folder = Path(f"/proc/{pid}/cwd").resolve()
        os.kill(pid, signal.SIGABRT)
        await platform.until(lambda pid=pid: not is_alive(pid), f"{name} to abort")
        cores = list(cores_left(folder))
        assert len(cores) == (has_cores and name not in (API, PROCESSOR)), name
        found += [what for core in cores for what in _told(f"core of {name}", search.plainly(core))]
    await platform.until_ready(API, PROCESSOR, RISK, LEARNING, PAGE)
    return found


def _remembered(platform: WholePlatform, name: str, *planted: Planted) -> set[str]:
    search = Search(*planted)
    found: set[str] = set()
    for region in memory(platform.pid(name)):
        found |= search.plainly(region)
    return found


def _written(folder: Path, log_url: str, broker_data: list[Path]) -> list[str]:
    search = Search(*EVERYTHING, codes=(LONE_CODE,))
    partitions = [path for prefix in broker_data for path in prefix.parent.glob(f"{prefix.name}.*")]
    places: Iterable[tuple[str, bytes]] = (
        *files(folder, *partitions),
        *cells(folder),
        *log_records(log_url),
    )
    found = [what for place, content in places for what in _told(place, search.deeply(content))]
    found += [
        f"{place}: a security code alone"
        for place, value in values(log_url, folder)
        if is_code(LONE_CODE, value)
    ]
    found += [
        f"{place}: a security code in a record"
        for place, content in places
        if ".sqlite" in place and is_cell_in_pages(LONE_CODE, content)
    ]
    assert not broker_data or partitions, "the broker's files are not where they were looked for"
    return found


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
