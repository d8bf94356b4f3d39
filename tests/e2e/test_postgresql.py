"""`weir up` on PostgreSQL with two API processes: one is killed, the server crashes, payments go on."""

import asyncio
import os
import secrets
import shutil
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from itertools import pairwise
from pathlib import Path

import pytest

from simulator.traffic.population import with_check_digit
from tests.e2e.books import rows
from tests.e2e.merchant import Merchant
from tests.e2e.platforms import Up, up, weir
from tests.e2e.test_up import PROGRAMS
from tests.postgres_server import PostgresServer, folder_in_memory

pytestmark = [pytest.mark.timeout(3600), pytest.mark.xdist_group("platform")]

PAYERS = 4
PATIENCE_SECONDS = 90.0
GAP_SECONDS_MAX = 45.0
"""Above what an overloaded machine needs; what the gaps really were is printed (`pytest -s`)."""
API = "gateway.api"
UNFINISHED = "phase IN ('assessing', 'awaiting_payer', 'capturing', 'voiding')"


CHAOS = bool(os.environ.get("WEIR_CHAOS"))
"""In the suite one API process is killed once; `make chaos` kills every program ten times, on both logs."""
KILLS = [name for name in sorted(PROGRAMS) for _ in range(10)] if CHAOS else [API]
CRASHES = 10 if CHAOS else 1


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    folder = folder_in_memory()
    made = PostgresServer(folder / "server")
    made.make()
    made.start()
    made.run("CREATE DATABASE weir")
    yield made
    made.stop(signal.SIGQUIT)
    shutil.rmtree(folder, ignore_errors=True)


class Load:
    """Shoppers who pay one payment after the other, until told to stop."""

    def __init__(self, platform: Up) -> None:
        self.stopping = False
        self.paid_at: list[float] = []
        self.gaps: dict[str, float] = {}
        self.merchant = Merchant(platform.api, platform.place("processor"), platform.ca, platform.key)

    async def pay_until_stopped(self) -> None:
        while not self.stopping:
            # A card never used before: one used often within minutes is held, rightly.
            token = await self.merchant.token(with_check_digit(f"40000276{secrets.randbelow(10**7):07}"))
            payment = await self.merchant.create({"amount": 1999, "currency": "eur"})
            await self.merchant.confirm(payment, token)
            self.paid_at.append(time.monotonic())

    async def until_paid(self, count: int) -> None:
        """Wait until so many more payments have come through."""
        wanted = len(self.paid_at) + count
        await until(lambda: len(self.paid_at) >= wanted)

    async def endure(self, trouble: "partial[Awaitable[None]]") -> None:
        """Let it come, wait until payments come through again, and note the longest time without any."""
        before = len(self.paid_at) - 1
        await trouble()
        await self.until_paid(2 * PAYERS)
        gap_seconds = max(after - before for before, after in pairwise(sorted(self.paid_at[before:])))
        name = " ".join([trouble.func.__name__, *(word for word in trouble.args if isinstance(word, str))])
        self.gaps[name] = max(round(gap_seconds, 1), self.gaps.get(name, 0.0))


async def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "the condition never held"
        await asyncio.sleep(0.1)


@pytest.mark.parametrize("log", ["sqlite", "kafka"] if CHAOS else ["sqlite"])
def test_payments_outlive_kills_of_programs_and_crashes_of_the_server(
    tmp_path: Path, server: PostgresServer, log: str
) -> None:
    home = tmp_path / "home"
    with up(home, "--store", server.url("weir"), "--api-processes", "2", "--log", log) as platform:
        load = Load(platform)
        troubles: list[partial[Awaitable[None]]] = [partial(killed, platform, name) for name in KILLS]
        troubles += [partial(crashed, server)] * CRASHES

        async def story() -> None:
            async with load.merchant:
                payers = [asyncio.create_task(load.pay_until_stopped()) for _ in range(PAYERS)]
                await load.until_paid(2 * PAYERS)
                for trouble in troubles:
                    await load.endure(trouble)
                load.stopping = True
                await asyncio.gather(*payers)
                await until(lambda: not owed(server, home))
                await check(load.merchant, server, home)

        asyncio.run(story())
        sys.stdout.write(f"longest time without a payment, by trouble: {load.gaps}\n")
        assert max(load.gaps.values()) < GAP_SECONDS_MAX

        looked = weir("doctor", "--home", str(home), "--port", "0", seconds_max=60)
        assert "has the newest schema" in looked.stdout, looked.stdout
        listed = weir("api-keys", "list", "--home", str(home), seconds_max=60)
        assert listed.returncode == 0, listed.stderr
        assert not (home / "gateway.sqlite").exists()


async def killed(platform: Up, name: str) -> None:
    """kill -9 of one of the program's processes; all are there again at the end."""
    before = platform.processes(name)
    victim = min(before)
    os.kill(victim, signal.SIGKILL)
    await until(lambda: len(platform.processes(name) - {victim}) == len(before))


async def crashed(server: PostgresServer) -> None:
    """The server crashes, is away for two seconds, and comes back."""
    await asyncio.to_thread(server.stop, signal.SIGQUIT)
    await asyncio.sleep(2)
    # In this very thread: it dies with the one that started it.
    server.start()


def owed(server: PostgresServer, home: Path) -> bool:
    waiting = server.run(
        f"SELECT 1 FROM attempts WHERE {UNFINISHED} UNION ALL SELECT 1 FROM outbox LIMIT 1", "weir"
    )
    return bool(waiting or rows(home / "processor.sqlite", "SELECT 1 FROM advices WHERE state = 'waiting'"))


async def check(merchant: Merchant, server: PostgresServer, home: Path) -> None:
    """All that was acknowledged is there, and gateway and processor count the same."""
    notebook = merchant.notebook
    assert notebook.faults == []
    for payment, known in notebook.payments.items():
        assert (await merchant.get(f"/v1/payment_intents/{payment}"))["status"] == known.statuses[-1]
    found = {str(row[0]) for row in server.run("SELECT id FROM intents", "weir")}
    assert set(notebook.payments) <= found
    assert len(found) <= notebook.creations_sent
    captured = {str(row[0]) for row in server.run("SELECT id FROM attempts WHERE phase = 'captured'", "weir")}
    at_processor = rows(home / "processor.sqlite", "SELECT attempt_id, status FROM attempts")
    assert captured == {row["attempt_id"] for row in at_processor if row["status"] == "captured"}
    assert len(server.run("SELECT id FROM instances", "weir")) == 2
