"""How many payments a second a gateway carries, and what CPU each costs its programs; durability FULL.

Everything runs as `weir up` starts it, on one machine, the client among it, with one API process; once on
SQLite, and once on a PostgreSQL that syncs, its data on the same disk. Callers pay one payment after another
(a token, then one call that creates, confirms and captures), `AT_ONCE` of them. The plan is `scale`; a run in
which more than one answer in a hundred is 401, 403 or 429 counts for nothing.
"""

import asyncio
import os
import ssl
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp
import msgspec

from bench.confirm import card_number, risk_context, sync_times_ms
from bench.record import Figure, figure, record
from dashboards.seconds import percentile
from gateway.backoffice import Backoffice
from gateway.people.merchants import Merchant, MerchantSettings, Plan
from operations.platform import Platform, running
from operations.settings import from_options
from tests.postgres_server import PostgresServer

AT_ONCE = 48
SECONDS = 20
WARM_UP_SECONDS = 5
RUNS = 3
DEADLINE_MS = 2000
"""Not what is measured here: a fallback would spare the payment its decision."""
TURNED_AWAY_SHARE_MAX = 0.01
GOALS_PER_SECOND = {"sqlite": 300.0, "postgresql": 200.0}
"""On PostgreSQL of each API process, of which there is one."""
PLAN: Plan = "scale"


def main() -> None:
    """Several runs on each store, each on a platform of its own."""
    record(
        "capacity",
        [row for store in GOALS_PER_SECOND for row in figures(store, [_run(store) for _ in range(RUNS)])],
    )


def figures(store: str, runs: list[dict[str, float]]) -> list[Figure]:
    """Payments a second, latency under that load, and CPU a payment by program."""
    sync = statistics.median(run["sync_p50"] for run in runs)
    rows = [
        figure(
            f"payments carried, {AT_ONCE} callers, store {store}",
            [run["per_second"] for run in runs],
            "payments/s",
            goal=GOALS_PER_SECOND[store],
            note="token, then create, confirm and capture in one call; plan: scale",
        ),
        figure(
            f"answer under that load, p50, store {store}", [run["p50"] for run in runs], "ms", baseline=sync
        ),
        figure(
            f"answer under that load, p99, store {store}", [run["p99"] for run in runs], "ms", baseline=sync
        ),
        figure(
            f"decided by the fallback, store {store}", [run["fallbacks"] for run in runs], "share of payments"
        ),
        figure(
            f"one write and fdatasync meanwhile, p50, store {store}",
            [run["sync_p50"] for run in runs],
            "ms",
            note="the disk's own, in the same runs",
        ),
    ]
    programs = sorted({name for run in runs for name in run if name.startswith("CPU of ")})
    return rows + [
        figure(f"{name}, store {store}", [run[name] for run in runs], "CPU-ms/payment") for name in programs
    ]


def _run(store: str) -> dict[str, float]:
    with TemporaryDirectory(prefix="weir-bench-") as folder, _server(Path(folder), store) as server:
        return asyncio.run(_measured(Path(folder) / "home", server))


@contextmanager
def _server(folder: Path, store: str) -> Iterator[PostgresServer | None]:
    if store == "sqlite":
        yield None
        return
    folder.chmod(0o755)  # PostgreSQL runs as a user of its own
    server = PostgresServer(folder / "server")
    server.make()
    server.start()
    try:
        server.run("CREATE DATABASE weir")
        yield server
    finally:
        server.stop()


async def _measured(home: Path, server: PostgresServer | None) -> dict[str, float]:
    store = None if server is None else server.url("weir")
    wanted = from_options(home, None, "127.0.0.1", 0, "sqlite", DEADLINE_MS, store=store)
    async with running(wanted, print) as platform:
        _allow_many_requests(home, platform.settings.keys)
        return await _carried(platform, home, server)


def _allow_many_requests(home: Path, keys: Path) -> None:
    def scaled(merchant: Merchant) -> Merchant:
        return msgspec.structs.replace(merchant, settings=MerchantSettings(plan=PLAN))

    Backoffice(home, keys).change_merchant("acct_first", scaled)


async def _carried(platform: Platform, home: Path, server: PostgresServer | None) -> dict[str, float]:
    trusted = ssl.create_default_context(cafile=platform.ca)
    headers = {"Authorization": f"Bearer {platform.test_key}"}
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=trusted, limit=0), headers=headers
    ) as client:
        load = _Load(client, platform)
        await load.go_on(WARM_UP_SECONDS)
        before = _cpu_ms(platform, server)
        load.forget()
        syncing = asyncio.create_task(asyncio.to_thread(sync_times_ms, home, SECONDS))
        started = time.perf_counter()
        await load.go_on(SECONDS)
        seconds = time.perf_counter() - started
        after, syncs = _cpu_ms(platform, server), await syncing
    turned_away = sum(load.statuses[status] for status in (401, 403, 429))
    if turned_away > TURNED_AWAY_SHARE_MAX * load.statuses.total():
        raise SystemExit(f"void: {turned_away} of {load.statuses.total()} answers were 401, 403 or 429")
    paid = len(load.times_ms)
    return {
        "per_second": paid / seconds,
        "p50": percentile(load.times_ms, 0.50),
        "p99": percentile(load.times_ms, 0.99),
        "fallbacks": load.fallbacks / paid,
        "sync_p50": percentile(syncs, 0.50),
        **{f"CPU of {name}": (after[name] - before[name]) / paid for name in after},
    }


class _Load:
    """Callers that pay, again and again; what they were answered."""

    def __init__(self, client: aiohttp.ClientSession, platform: Platform) -> None:
        self._client, self._platform = client, platform
        self._number = 0
        self.forget()

    def forget(self) -> None:
        """Count from here on."""
        self.times_ms: list[float] = []
        self.statuses: Counter[int] = Counter()
        self.fallbacks = 0

    async def go_on(self, seconds: float) -> None:
        """Pay for so long."""
        end = time.perf_counter() + seconds
        await asyncio.gather(*(self._pay_until(end) for _ in range(AT_ONCE)))

    async def _pay_until(self, end: float) -> None:
        while time.perf_counter() < end:
            self._number += 1
            await self._pay(self._number)

    async def _pay(self, number: int) -> None:
        card = {"number": card_number(number), "exp_month": 12, "exp_year": 2031, "cvc": "123"}
        token = await self._posted(f"{self._platform.processor}/v1/tokens", {"card": card})
        body = {"amount": 1000 + number % 5000, "currency": "eur", "risk_context": risk_context(number)}
        started = time.perf_counter()
        paid = await self._posted(
            f"{self._platform.api}/v1/payment_intents",
            {**body, "payment_method": token["id"], "confirm": True},
        )
        self.times_ms.append((time.perf_counter() - started) * 1000)
        intent = paid.get("error", {}).get("payment_intent", paid)
        self.fallbacks += bool(intent["not_assessed"])

    async def _posted(self, url: str, body: dict[str, Any]) -> dict[str, Any]:
        async with self._client.post(url, json=body) as response:
            self.statuses[response.status] += 1
            answer: dict[str, Any] = await response.json(content_type=None)
            if response.status not in (200, 402):
                response.raise_for_status()
            return answer


def _cpu_ms(platform: Platform, server: PostgresServer | None) -> dict[str, float]:
    """User and system time of each program so far; of PostgreSQL, of all its processes that live."""
    running = {name: each.running for name, each in platform.supervisor.programs.items()}
    pids = {name: [program.pid] for name, program in running.items() if program is not None}
    if server is not None:
        pids["PostgreSQL"] = server.pids()
    tick_ms = 1000 / os.sysconf("SC_CLK_TCK")
    return {name: sum(sum(_ticks(pid)) for pid in several) * tick_ms for name, several in pids.items()}


def _ticks(pid: int) -> list[int]:
    """Of /proc: the name of a program may hold spaces, what stands behind it does not."""
    return [int(ticks) for ticks in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]]


if __name__ == "__main__":
    main()
