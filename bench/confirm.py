"""Latency of `POST /v1/payment_intents/{id}/confirm` to its answer, everything running, durability FULL.

Confirms are sent on a schedule, whether earlier ones are answered or not, and timed from their place in it:
no stall is hidden. Beside them, in the same run and on the same disk, a file is written and synced.
"""

import asyncio
import os
import ssl
import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp
import msgspec

from bench.record import Figure, figure, record
from dashboards.seconds import percentile
from gateway.backoffice import Backoffice
from gateway.people.merchants import Merchant, Plan
from operations.merchants import FIRST
from operations.platform import Platform, running
from operations.settings import from_options

RATE_PER_SECOND = 50
SECONDS = 20
RUNS = 3
WARM_UP = 100
PLAN: Plan = "scale"  # of the merchant: none of its requests is refused for how many there are
DEADLINE_MS = 250
SETUP_AT_ONCE = 8
CONNECTIONS_MAX = 1000  # a confirm is sent on time, whatever is still unanswered


def main() -> None:
    """Several runs, each on a platform of its own."""
    runs = [asyncio.run(_measured()) for _ in range(RUNS)]
    record("confirm", figures(runs))


def figures(runs: list[dict[str, float]]) -> list[Figure]:
    """p50 and p99 beside the disk's own sync; and the share of fallbacks."""
    rows = []
    for quantile in ("p50", "p99"):
        sync = statistics.median(run[f"sync_{quantile}"] for run in runs)
        name = f"confirm to answer at {RATE_PER_SECOND}/s, {quantile}"
        note = f"baseline: one write and fdatasync on the same disk in the same runs; plan {PLAN}"
        rows.append(figure(name, [run[quantile] for run in runs], "ms", baseline=sync, note=note))
    late = [run["fallbacks"] for run in runs]
    rows.append(figure(f"decisions later than {DEADLINE_MS} ms", late, "share of confirms"))
    return rows


async def _measured() -> dict[str, float]:
    with TemporaryDirectory(prefix="weir-bench-") as folder:
        home = Path(folder) / "home"
        wanted = from_options(home, None, "127.0.0.1", 0, "sqlite", DEADLINE_MS)
        async with running(wanted, print) as platform:
            Backoffice(wanted.home, wanted.keys).change_merchant(FIRST[0].id, _with_plan)
            return await _paid(platform, home)


def _with_plan(merchant: Merchant) -> Merchant:
    settings = msgspec.structs.replace(merchant.settings, plan=PLAN)
    return msgspec.structs.replace(merchant, settings=settings)


async def _paid(platform: Platform, home: Path) -> dict[str, float]:
    trusted = ssl.create_default_context(cafile=platform.ca)
    headers = {"Authorization": f"Bearer {platform.test_key}"}
    connector = aiohttp.TCPConnector(ssl=trusted, limit=CONNECTIONS_MAX)
    async with aiohttp.ClientSession(connector=connector, headers=headers) as client:
        payments = await _prepared(client, platform, WARM_UP + RATE_PER_SECOND * SECONDS)
        await _confirmed(client, platform, payments[:WARM_UP])
        syncing = asyncio.create_task(asyncio.to_thread(sync_times_ms, home, SECONDS))
        answers = await _confirmed(client, platform, payments[WARM_UP:])
        syncs = await syncing
    times = [milliseconds for milliseconds, _ in answers]
    return {
        "p50": percentile(times, 0.50),
        "p99": percentile(times, 0.99),
        "sync_p50": percentile(syncs, 0.50),
        "sync_p99": percentile(syncs, 0.99),
        "fallbacks": sum(bool(body["not_assessed"]) for _, body in answers) / len(answers),
    }


async def _prepared(client: aiohttp.ClientSession, platform: Platform, count: int) -> list[tuple[str, str]]:
    gate = asyncio.Semaphore(SETUP_AT_ONCE)

    async def prepare(number: int) -> tuple[str, str]:
        async with gate:
            card = {"number": card_number(number), "exp_month": 12, "exp_year": 2031, "cvc": "123"}
            token = await _posted(client, f"{platform.processor}/v1/tokens", {"card": card})
            body = {"amount": 1000 + number, "currency": "eur", "risk_context": risk_context(number)}
            intent = await _posted(client, f"{platform.api}/v1/payment_intents", body)
            return intent["id"], token["id"]

    return await asyncio.gather(*(prepare(number) for number in range(count)))


async def _confirmed(
    client: aiohttp.ClientSession, platform: Platform, payments: list[tuple[str, str]]
) -> list[tuple[float, dict[str, Any]]]:
    start = time.perf_counter() + 0.1

    async def confirm(place: int, intent: str, token: str) -> tuple[float, dict[str, Any]]:
        due = start + place / RATE_PER_SECOND
        await asyncio.sleep(due - time.perf_counter())
        url = f"{platform.api}/v1/payment_intents/{intent}/confirm"
        body = await _posted(client, url, {"payment_method": token})
        return (time.perf_counter() - due) * 1000, body

    return await asyncio.gather(*(confirm(place, *payment) for place, payment in enumerate(payments)))


async def _posted(client: aiohttp.ClientSession, url: str, body: dict[str, Any]) -> dict[str, Any]:
    async with client.post(url, json=body) as response:
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
