"""Half a million payments through HTTP in one run, then a spike: nothing lost, nothing twice, memory flat.

Everything runs as `weir up` starts it, on one machine, the client among it, durability FULL. Each payment is
a token and one call that creates and confirms, sent on a schedule whatever is unanswered (an open loop), by
one of `CARDS` shoppers, so that state grows by payments alone. A 503 counts as refused and is not sent again;
a request without an answer is asked again under its key when all is over. Then the books are closed.

`WEIR_LONG_PAYMENTS` (500000), `WEIR_LONG_RATE` (150 a second), `WEIR_LONG_SPIKE_TIMES` (10) and
`WEIR_LONG_SPIKE_SECONDS` (300) make it shorter. Memory of each program is in `bench/plots/long_run.png`.
"""

import asyncio
import os
import time
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean
from tempfile import TemporaryDirectory
from typing import Any

import aiohttp

from bench.confirm import card_number, opened, risk_context, with_plan
from bench.long_books import Told, lost_and_doubled
from bench.plots import lines
from bench.record import Figure, figure, record
from bench.risk_programs import status_bytes
from dashboards.seconds import percentile
from gateway.backoffice import Backoffice
from operations.merchants import FIRST
from operations.platform import Platform, running
from operations.settings import from_options
from tests.e2e.books import is_quiet

PAYMENTS, RATE_PER_SECOND, SPIKE_TIMES, SPIKE_SECONDS = 500_000, 150.0, 10.0, 300.0
CARDS = 20_000
DEADLINE_MS = 250
LOOK_SECONDS = 2.0
UNANSWERED_SECONDS_MAX, ASKED_AGAIN_MAX = 60, 10
QUIET_SECONDS_MAX = 600.0
IN_FLIGHT_MAX = 4_000
"""What one client holds open; beyond it a payment is not sent: the client is late, not Weir."""
MIB = 2**20
GROWTH_MAX = 1.1
"""Flat is: the last tenth of the steady part within so much of the tenth after its first half."""
TAKEN, REFUSED = (200, 402), (429, 503)


@dataclass
class Phase:
    """What became of the payments of one stretch of the run."""

    seconds: list[float] = field(default_factory=list)
    refused: int = 0
    in_doubt: list[int] = field(default_factory=list)
    not_sent: int = 0


def main() -> None:
    """One run on a platform of its own, recorded and drawn."""
    payments = int(os.environ.get("WEIR_LONG_PAYMENTS", PAYMENTS))
    rate = float(os.environ.get("WEIR_LONG_RATE", RATE_PER_SECOND))
    times = float(os.environ.get("WEIR_LONG_SPIKE_TIMES", SPIKE_TIMES))
    spike_seconds = float(os.environ.get("WEIR_LONG_SPIKE_SECONDS", SPIKE_SECONDS))
    with TemporaryDirectory(prefix="weir-bench-") as folder:
        figures, memory = asyncio.run(
            _measured(Path(folder) / "home", payments, rate, rate * times, spike_seconds)
        )
    record("long_run", figures)
    print(lines("long_run", f"Memory: {payments:,} payments, then {times:g} times as many", "MiB", memory))


async def _measured(
    home: Path, payments: int, rate: float, spike_rate: float, spike_seconds: float
) -> tuple[list[Figure], dict[str, list[tuple[float, float]]]]:
    wanted = from_options(home, None, "127.0.0.1", 0, "sqlite", DEADLINE_MS)
    async with running(wanted, print) as platform:
        Backoffice(wanted.home, wanted.keys).change_merchant(FIRST[0].id, with_plan)
        memory = Memory(platform)
        watching = asyncio.create_task(memory.watch())
        async with opened(platform) as client:
            shop = Shop(client, platform)
            steady = await shop.offer(payments, rate)
            calm_until = memory.now
            spike = await shop.offer(int(spike_rate * spike_seconds), spike_rate)
            unresolved = await shop.ask_again([*steady.in_doubt, *spike.in_doubt])
        await _quiet(home)
        watching.cancel()
        faults = await asyncio.to_thread(lost_and_doubled, home, wanted.log, shop.told)
    return [
        *_of("steady", rate, payments, steady),
        *_of("spike", spike_rate, int(spike_rate * spike_seconds), spike),
        figure("decided by the fallback", [float(shop.told.fallbacks)], "payments"),
        figure(
            "requests without an answer to the end", [float(unresolved)], "payments", goal=0, at_most=True
        ),
        *(figure(name, [float(many)], "payments", goal=0, at_most=True) for name, many in faults.items()),
        *memory.figures(calm_until),
    ], memory.mebibytes


def _of(name: str, rate: float, count: int, phase: Phase) -> list[Figure]:
    share = [figure(f"{name}: offered", [rate], "payments/s", note=f"{count:,} payments")]
    share += [
        figure(f"{name}: {what}", [many / max(1, count)], "share of payments")
        for what, many in (
            ("taken", len(phase.seconds)),
            ("refused", phase.refused),
            ("in doubt, asked again", len(phase.in_doubt)),
            ("not sent, the client being late", phase.not_sent),
        )
    ]
    if phase.seconds:
        share += [
            figure(f"{name}: answer, p{of * 100:g}", [percentile(phase.seconds, of) * 1000], "ms")
            for of in (0.5, 0.99, 0.999)
        ]
    return share


async def _quiet(home: Path) -> None:
    end = time.perf_counter() + QUIET_SECONDS_MAX
    while not await asyncio.to_thread(is_quiet, home) and time.perf_counter() < end:
        await asyncio.sleep(1.0)


class Shop:
    """A merchant's back end that pays on a schedule and keeps what it was told."""

    def __init__(self, client: aiohttp.ClientSession, platform: Platform) -> None:
        self._client, self._platform = client, platform
        self._number = 0
        self._tokens: dict[int, str] = {}
        self.told = Told()

    async def offer(self, count: int, per_second: float) -> Phase:
        """So many payments at this rate; returns when each was answered or given up."""
        phase, start = Phase(), time.perf_counter()
        sent: set[asyncio.Task[None]] = set()
        for place in range(count):
            due = start + place / per_second
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            self._number += 1
            if len(sent) >= IN_FLIGHT_MAX:
                phase.not_sent += 1
                continue
            task = asyncio.create_task(self._pay(self._number, due, phase))
            sent.add(task)
            task.add_done_callback(sent.discard)
        await asyncio.gather(*sent)
        return phase

    async def ask_again(self, numbers: list[int]) -> int:
        """Under the same keys, so that each is paid once; how many are still without an answer."""
        left = numbers
        for _ in range(ASKED_AGAIN_MAX):
            phase = Phase()
            for number in left:
                await self._pay(number, time.perf_counter(), phase, is_again=True)
            left = phase.in_doubt
            if not left:
                break
            await asyncio.sleep(1.0)
        return len(left)

    async def _pay(self, number: int, due: float, phase: Phase, *, is_again: bool = False) -> None:
        try:
            status, intent = await self._asked(number)
        except (aiohttp.ClientError, TimeoutError):
            phase.in_doubt.append(number)
            return
        if status in TAKEN:
            self.told.taken(intent["id"], is_fallback=bool(intent["not_assessed"]))
            phase.seconds.append(time.perf_counter() - due)
        elif is_again:  # whether its first asking was taken is still to be told
            phase.in_doubt.append(number)
            return
        else:
            phase.refused += 1
            self.told.refused += 1
        self._tokens.pop(number, None)

    async def _asked(self, number: int) -> tuple[int, dict[str, Any]]:
        """Status and intent; a token that was made is kept for asking again with the same words."""
        card = number % CARDS
        if number not in self._tokens:
            body: dict[str, Any] = {
                "number": card_number(card),
                "exp_month": 12,
                "exp_year": 2031,
                "cvc": "123",
            }
            status, token = await self._posted(f"{self._platform.processor}/v1/tokens", {"card": body}, None)
            if status in REFUSED:
                return status, {}
            self._tokens[number] = token["id"]
        body = {
            "amount": 1000 + number % 5000,
            "currency": "eur",
            "payment_method": self._tokens[number],
            "confirm": True,
            "risk_context": risk_context(card),
        }
        url = f"{self._platform.api}/v1/payment_intents"
        status, answer = await self._posted(url, body, f"long-run-{number}")
        return status, answer["error"]["payment_intent"] if status == 402 else answer

    async def _posted(self, url: str, body: dict[str, Any], key: str | None) -> tuple[int, dict[str, Any]]:
        headers = {} if key is None else {"idempotency-key": key}
        patience = aiohttp.ClientTimeout(total=UNANSWERED_SECONDS_MAX)
        async with self._client.post(url, json=body, headers=headers, timeout=patience) as response:
            if response.status not in (*TAKEN, *REFUSED):
                response.raise_for_status()
            return response.status, await response.json(content_type=None)


class Memory:
    """What each program of a platform holds, every `LOOK_SECONDS`: seconds since the start, and MiB."""

    def __init__(self, platform: Platform) -> None:
        self._programs = platform.supervisor.programs
        self._began = time.perf_counter()
        self.mebibytes: dict[str, list[tuple[float, float]]] = {name: [] for name in self._programs}

    @property
    def now(self) -> float:
        """Seconds since the start."""
        return time.perf_counter() - self._began

    async def watch(self) -> None:
        """Look until canceled."""
        while True:
            for name, each in self._programs.items():
                if each.running is not None:
                    held = status_bytes(each.running.pid, "VmRSS") / MIB
                    self.mebibytes.setdefault(name, []).append((self.now, held))
            await asyncio.sleep(LOOK_SECONDS)

    def figures(self, calm_until: float) -> list[Figure]:
        """The most that each held, and how much it still grew in the second half of the steady part."""
        rows = []
        for name, seen in self.mebibytes.items():
            calm = [held for at, held in seen if at <= calm_until]
            tenth = len(calm) // 10
            if not tenth:
                continue
            rows.append(figure(f"memory of {name}, the most", [max(held for _, held in seen)], "MiB"))
            half = len(calm) // 2
            growth = mean(calm[-tenth:]) / mean(calm[half : half + tenth])
            name = f"memory of {name}, end over half of the steady part"
            rows.append(figure(name, [growth], "times", goal=GROWTH_MAX, at_most=True))
        return rows


if __name__ == "__main__":
    main()
