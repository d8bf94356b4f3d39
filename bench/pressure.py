"""A flood: what is refused, what the other merchant notices, and how long it takes to be as before.

Everything runs as `weir up` starts it, on one machine, the client among it, durability FULL. First callers
that pay again and again say what is carried. Then one merchant offers `TIMES` as much for `SECONDS`, while
another pays `QUIET_PER_SECOND`, alone before and beside the flood. Each request is a whole payment, in one
call. Afterwards payments are made one by one until they are as quick as they were alone. CPU and memory are
each program's, the client's CPU beside them: what it takes of the cores, nobody else has. The books
must be right: each request was taken or refused, and what was taken is there once.

`WEIR_PRESSURE_SECONDS` and `WEIR_PRESSURE_TIMES` in the environment give a shorter flood, or another one.
"""

import asyncio
import os
import time
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.record import Figure, figure, record
from dashboards.seconds import percentile
from gateway.backoffice import Backoffice
from gateway.people.merchants import Merchant, MerchantSettings
from operations.platform import Platform, running
from operations.settings import from_options
from tests.e2e.flood import Answers, Shop, shop

SECONDS = float(os.environ.get("WEIR_PRESSURE_SECONDS", "300"))
TIMES = float(os.environ.get("WEIR_PRESSURE_TIMES", "10"))
"""What the flood offers, of what is carried."""

QUIET_PER_SECOND = 5.0
ALONE_SECONDS = 20.0
CALLERS, CARRIED_SECONDS = 48, 15.0
OFFERED_PER_SECOND_MAX = 1200.0
"""What one client process can send on time; beyond it the client would be late, not Weir."""

SLOWER_MAX = 3.0
"""As before is: within so many times the slowest hundredth alone."""

RECOVERY_SECONDS_MAX = 60.0
STOCK = 3000
DEADLINE_MS = 250


def main() -> None:
    """One flood on a platform of its own."""
    with TemporaryDirectory(prefix="weir-bench-") as folder:
        record("pressure", asyncio.run(_measured(Path(folder) / "home")))


async def _measured(home: Path) -> list[Figure]:
    wanted = from_options(home, None, "127.0.0.1", 0, "sqlite", DEADLINE_MS)
    async with running(wanted, print) as platform, AsyncExitStack() as shops:
        loud, quiet = [
            await shops.enter_async_context(
                shop(
                    _key(platform, name),
                    api=platform.api,
                    processor=platform.processor,
                    ca=platform.ca,
                    address=address,
                    first_card=first_card,
                )
            )
            for name, address, first_card in (("loud", "127.0.0.2", 0), ("quiet", "127.0.0.3", 5_000_000))
        ]
        return await _flooded(platform, loud, quiet)


def _key(platform: Platform, name: str) -> str:
    office = Backoffice(platform.settings.home, platform.settings.keys)
    settings = MerchantSettings(plan="scale")
    office.add_merchant(
        Merchant(id=f"acct_{name}", name=name.title(), category="5942", country="IN", settings=settings)
    )
    return office.add_key(f"acct_{name}", "test")["secret"]


async def _flooded(platform: Platform, loud: Shop, quiet: Shop) -> list[Figure]:
    await loud.stock(STOCK)
    await quiet.stock(int(QUIET_PER_SECOND * (ALONE_SECONDS + SECONDS)) + 1)
    warm = await loud.at_once(CALLERS, 5.0)
    carried = await loud.at_once(CALLERS, CARRIED_SECONDS)
    per_second = len(carried.taken_seconds) / CARRIED_SECONDS
    alone = await quiet.offer(QUIET_PER_SECOND, ALONE_SECONDS)
    await loud.stock(STOCK)
    memory = _Memory(platform)
    watching = asyncio.create_task(memory.watch())
    before = _cpu_seconds(platform)
    flood, beside = await asyncio.gather(
        loud.offer(min(TIMES * per_second, OFFERED_PER_SECOND_MAX), SECONDS),
        quiet.offer(QUIET_PER_SECOND, SECONDS),
    )
    cpu = {name: seconds - before[name] for name, seconds in _cpu_seconds(platform).items()}
    good_seconds = SLOWER_MAX * percentile(alone.taken_seconds, 0.99)
    recovery_seconds = await loud.recovery_seconds(good_seconds, RECOVERY_SECONDS_MAX)
    watching.cancel()
    lost = await _lost_or_doubled(loud, [warm, carried, flood]) + await _lost_or_doubled(
        quiet, [alone, beside]
    )
    return [
        *_of_the_flood(per_second, flood),
        *_of_the_other(alone, beside),
        figure("seconds until payments are as before", [recovery_seconds], "s", note="goal: 10 at most"),
        figure("payments lost, or there twice", [float(lost)], "payments", note="goal: none"),
        *(
            figure(f"cores taken by {name} in the flood", [each / SECONDS], "cores")
            for name, each in cpu.items()
        ),
        *memory.figures(),
    ]


async def _lost_or_doubled(one: Shop, answers: list[Answers]) -> int:
    """Whatever is not as its answer says: intents that nobody was told of, that are not there, or twice."""
    listed = await one.listed()
    doubtful = sum(len(each.in_doubt) for each in answers)
    unknown = set(listed) ^ one.all_intents
    return max(0, len(unknown) - doubtful) + len(listed) - len(set(listed))


def _of_the_flood(per_second: float, flood: Answers) -> list[Figure]:
    told = ", ".join(f"{name} {count}" for name, count in sorted(flood.statuses.items()))
    return [
        figure(f"payments carried, {CALLERS} callers", [per_second], "payments/s"),
        figure("offered in the flood", [flood.offered / SECONDS], "payments/s", note=told),
        figure(
            "taken in the flood",
            [len(flood.taken_seconds) / SECONDS],
            "payments/s",
            baseline=per_second,
            note="beside what is carried without one",
        ),
        figure("refused", [flood.refused / max(1, flood.offered)], "share of payments"),
        figure(
            "decided by the fallback", [flood.fallbacks / max(1, len(flood.intents))], "share of payments"
        ),
        *_times("taken in the flood", flood.taken_seconds),
        *_times("refused", flood.refused_seconds),
    ]


def _of_the_other(alone: Answers, beside: Answers) -> list[Figure]:
    rows = _times("the other merchant, alone", alone.taken_seconds)
    rows += _times("the other merchant, beside the flood", beside.taken_seconds)
    refused = beside.refused / max(1, beside.offered)
    return [*rows, figure("the other merchant's payments refused", [refused], "share of payments")]


def _times(name: str, seconds: list[float]) -> list[Figure]:
    if not seconds:
        return []
    return [
        figure(f"{name}, p{round(share * 100)}", [percentile(seconds, share) * 1000], "ms")
        for share in (0.50, 0.99)
    ]


def _cpu_seconds(platform: Platform) -> dict[str, float]:
    """User and system time so far, of each program and of the client."""
    spent = {"the client": time.process_time()}
    for name, each in platform.supervisor.programs.items():
        if each.running is not None:
            spent[name] = sum(_ticks(each.running.pid)) / os.sysconf("SC_CLK_TCK")
    return spent


class _Memory:
    """What each program of a platform holds, in MiB, once a second."""

    def __init__(self, platform: Platform) -> None:
        self._programs = platform.supervisor.programs
        self._mebibytes: dict[str, list[float]] = {name: [] for name in self._programs}
        self._began = time.perf_counter()

    async def watch(self) -> None:
        """Look until canceled."""
        while True:
            for name, each in self._programs.items():
                if each.running is not None:
                    self._mebibytes[name].append(_mebibytes(each.running.pid))
            await asyncio.sleep(1.0)

    def figures(self) -> list[Figure]:
        """Of each program the most; over time beside it, every thirtieth part."""
        rows = []
        for name, all_of_them in self._mebibytes.items():
            step = max(1, len(all_of_them) // 30)
            note = "over time: " + " ".join(f"{each:.0f}" for each in all_of_them[::step])
            rows.append(figure(f"memory of {name}, the most", [max(all_of_them)], "MiB", note=note))
        return rows


def _ticks(pid: int) -> list[int]:
    """Of /proc: the name of a program may hold spaces, what stands behind it does not."""
    return [int(ticks) for ticks in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]]


def _mebibytes(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    resident = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(resident.split()[1]) / 1024


if __name__ == "__main__":
    main()
