"""Latency of `POST /v1/payment_intents/{id}/confirm` to its answer, everything running, recovery on.

An open loop: each payment's token and intent are made `AHEAD_SECONDS` before its confirm is due, all at the
rate that is measured, and a confirm is timed from its place in the schedule (`bench.open_loop`). Beside them,
in the same run and on the same disk, a file is written and synced. Three ways to keep what is acknowledged:

- `full`: SQLite with `synchronous=FULL`, the default;
- `weaker`: the same programs with their home in memory, where no commit waits for a disk;
- `kafka_postgresql`: a local broker that syncs every message, and a PostgreSQL that syncs every commit.

`WEIR_CONFIRM_SECONDS` (600), `WEIR_CONFIRM_RATE` (100 a second), `WEIR_CONFIRM_RUNS` (1 of each way) and
`WEIR_CONFIRM_WAYS` (all, by their names with commas) make it shorter. Each way has a results file of its own.
"""

import asyncio
import os
import ssl
import statistics
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp
import msgspec

from bench.open_loop import paced
from bench.record import Figure, figure, record
from dashboards.seconds import percentile
from gateway.backoffice import Backoffice
from gateway.people.merchants import Merchant, Plan
from operations.merchants import FIRST
from operations.platform import Platform, running
from operations.settings import from_options
from tests.postgres_server import MEMORY, PostgresServer

SECONDS, RATE_PER_SECOND, RUNS = 600.0, 100.0, 1
WARM_UP_SECONDS = 5
AHEAD_SECONDS = 5.0
PLAN: Plan = "scale"  # of the merchant: none of its requests is refused for how many there are
DEADLINE_MS = 250
CONNECTIONS_MAX = 1000  # a confirm is sent on time, whatever is still unanswered
QUANTILES = {"p50": 0.5, "p99": 0.99, "p99.9": 0.999, "maximum": 1.0}
MODEL_SHARE_MIN = 0.9999
SYNCS, SYNCS_MORE_MS = 3, 8.0
"""As many syncs as lie one behind the other on the way of a confirm, and what the rest may take."""


@dataclass(frozen=True)
class Way:
    """One way to keep what is acknowledged, in words, and its goals in milliseconds."""

    words: str
    goals_ms: dict[str, float]
    log: str = "sqlite"
    in_memory: bool = False
    postgresql: bool = False


WAYS = {
    "full": Way("durability FULL", {"p50": 20.0, "p99": 80.0, "p99.9": 150.0}),
    "weaker": Way("no commit waits for a disk", {"p50": 10.0, "p99": 40.0}, in_memory=True),
    "kafka_postgresql": Way(
        "Kafka and PostgreSQL, both syncing", {"p50": 30.0, "p99": 100.0}, log="kafka", postgresql=True
    ),
}


@dataclass(frozen=True)
class Load:
    """How fast, for how long, how often."""

    per_second: float
    seconds: float
    runs: int


def main() -> None:
    """Each way asked for, each run on a platform of its own."""
    asked = os.environ.get("WEIR_CONFIRM_WAYS", ",".join(WAYS)).split(",")
    load = Load(
        float(os.environ.get("WEIR_CONFIRM_RATE", RATE_PER_SECOND)),
        float(os.environ.get("WEIR_CONFIRM_SECONDS", SECONDS)),
        int(os.environ.get("WEIR_CONFIRM_RUNS", RUNS)),
    )
    for name in asked:
        runs = [asyncio.run(_measured(WAYS[name], load)) for _ in range(load.runs)]
        record("confirm" if name == "full" else f"confirm_{name}", figures(WAYS[name], load, runs))


def figures(way: Way, load: Load, runs: list[dict[str, float]]) -> list[Figure]:
    """Quantiles beside the disk's own sync; the share that the model decided in time."""
    rows = []
    for name in QUANTILES:
        sync = statistics.median(run[f"sync {name}"] for run in runs)
        rows.append(
            figure(
                f"confirm to answer at {load.per_second:g}/s for {load.seconds:g} s, {name}, {way.words}",
                [run[name] for run in runs],
                "ms",
                goal=way.goals_ms.get(name),
                at_most=True,
                baseline=sync,
                note=f"baseline: one write and fdatasync on the same disk in the same runs; plan {PLAN}",
            )
        )
    if not way.in_memory:
        allowed = [run["p50"] / (SYNCS * run["sync p50"] + SYNCS_MORE_MS) for run in runs]
        of = f"{SYNCS} × the disk's sync + {SYNCS_MORE_MS:g} ms"
        rows.append(figure(f"p50 over {of}, {way.words}", allowed, "share", goal=1.0, at_most=True))
    decided = [run["by the model"] for run in runs]
    name = f"decided by the model within {DEADLINE_MS} ms, {way.words}"
    rows.append(figure(name, decided, "share of confirms", goal=MODEL_SHARE_MIN))
    refused = [run["refused"] for run in runs]
    rows.append(
        figure(f"refused with 503, {way.words}", refused, "share of confirms", goal=0.0, at_most=True)
    )
    return rows


async def _measured(way: Way, load: Load) -> dict[str, float]:
    async with AsyncExitStack() as stack:
        parent = MEMORY if way.in_memory else None
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="weir-bench-", dir=parent)))
        store = _store(stack, folder) if way.postgresql else None
        home = folder / "home"
        wanted = from_options(home, None, "127.0.0.1", 0, way.log, DEADLINE_MS, store=store)
        platform = await stack.enter_async_context(running(wanted, print))
        Backoffice(wanted.home, wanted.keys).change_merchant(FIRST[0].id, with_plan)
        async with opened(platform) as client:
            return await _paid(Shop(client, platform), home, load)


def _store(stack: AsyncExitStack, folder: Path) -> str:
    folder.chmod(0o755)  # PostgreSQL runs as a user of its own
    server = PostgresServer(folder / "server")
    server.make()
    server.start()
    stack.callback(server.stop)
    server.run("CREATE DATABASE weir")
    return server.url("weir")


def with_plan(merchant: Merchant) -> Merchant:
    """The merchant on the plan that is never refused for how much it asks."""
    settings = msgspec.structs.replace(merchant.settings, plan=PLAN)
    return msgspec.structs.replace(merchant, settings=settings)


def opened(platform: Platform) -> aiohttp.ClientSession:
    """A client of the platform with its test key."""
    trusted = ssl.create_default_context(cafile=platform.ca)
    headers = {"Authorization": f"Bearer {platform.test_key}"}
    connector = aiohttp.TCPConnector(ssl=trusted, limit=CONNECTIONS_MAX)
    return aiohttp.ClientSession(connector=connector, headers=headers)


async def _paid(shop: "Shop", home: Path, load: Load) -> dict[str, float]:
    warm, count = int(load.per_second * WARM_UP_SECONDS), int(load.per_second * load.seconds)
    start = time.perf_counter()
    preparing = asyncio.create_task(paced(shop.prepare, warm + count, load.per_second, start))
    confirming = paced(shop.confirm, warm + count, load.per_second, start + AHEAD_SECONDS)
    syncing = asyncio.create_task(asyncio.to_thread(sync_times_ms, home, load.seconds))
    answers = (await confirming)[warm:]
    await preparing
    syncs = await syncing
    bodies = [body for _, body in answers if body is not None]
    times = [milliseconds for milliseconds, _ in answers]
    return {
        **{name: percentile(times, share) for name, share in QUANTILES.items()},
        **{f"sync {name}": percentile(syncs, share) for name, share in QUANTILES.items()},
        "by the model": sum(not body["not_assessed"] for body in bodies) / len(answers),
        "refused": 1 - len(bodies) / len(answers),
    }


class Shop:
    """A merchant's back end: payments by their place in the schedule; made first, then confirmed."""

    def __init__(self, client: aiohttp.ClientSession, platform: Platform) -> None:
        self._client, self._platform = client, platform
        self._made: dict[int, asyncio.Future[tuple[str, str] | None]] = {}

    async def prepare(self, place: int) -> None:
        """The payment's token and intent."""
        card = {"number": card_number(place), "exp_month": 12, "exp_year": 2031, "cvc": "123"}
        token = await self._posted(f"{self._platform.processor}/v1/tokens", {"card": card})
        body = {"amount": 1000 + place % 100_000, "currency": "eur", "risk_context": risk_context(place)}
        intent = await self._posted(f"{self._platform.api}/v1/payment_intents", body)
        made = None if token is None or intent is None else (intent["id"], token["id"])
        self._of(place).set_result(made)

    async def confirm(self, place: int) -> dict[str, Any] | None:
        """The confirmed intent; None where it, or what comes before it, was refused with 503."""
        made = await self._of(place)
        del self._made[place]
        if made is None:
            return None
        intent, token = made
        url = f"{self._platform.api}/v1/payment_intents/{intent}/confirm"
        return await self._posted(url, {"payment_method": token})

    def _of(self, place: int) -> "asyncio.Future[tuple[str, str] | None]":
        return self._made.setdefault(place, asyncio.get_running_loop().create_future())

    async def _posted(self, url: str, body: dict[str, Any]) -> dict[str, Any] | None:
        async with self._client.post(url, json=body) as response:
            if response.status == 503:
                await response.read()
                return None
            answer: dict[str, Any] = await response.json(content_type=None)
            if response.status == 402:
                intent: dict[str, Any] = answer["error"]["payment_intent"]
                return intent
            response.raise_for_status()
            return answer


def card_number(number: int) -> str:
    """A card number of the test range, with its check digit (Luhn)."""
    digits = f"40000276{number:07}"
    doubled = (int(d) * (2 if place % 2 == 0 else 1) for place, d in enumerate(reversed(digits)))
    return digits + str(-sum(value - 9 if value > 9 else value for value in doubled) % 10)


def risk_context(number: int) -> dict[str, Any]:
    """What is known of the shopper of this payment: another device and address each time."""
    return {
        "ip": f"192.0.2.{number % 250}",
        "device_id": f"device-{number}",
        "email": f"shopper{number}@example.org",
        "billing_address": {"country": "DE"},
    }


def sync_times_ms(folder: Path, seconds: float) -> list[float]:
    """How long one write and its sync take on this folder's disk, again and again for so long."""
    times = []
    end = time.perf_counter() + seconds
    with (folder / "sync-probe").open("wb", buffering=0) as probe:
        while time.perf_counter() < end:
            started = time.perf_counter()
            probe.write(bytes(4096))
            os.fdatasync(probe.fileno())
            times.append((time.perf_counter() - started) * 1000)
            time.sleep(0.05)
    return times


if __name__ == "__main__":
    main()
