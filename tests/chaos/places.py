"""Where troubles come to: a platform on one store and one log, and servers beside it that can be hurt."""

import asyncio
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from simulator.kafka.broker import Broker
from tests.chaos.load import Trouble, until
from tests.e2e.platforms import Up, up
from tests.e2e.test_up import PROGRAMS
from tests.e2e.whole_platform import merchants_key
from tests.postgres_server import PostgresServer, folder_in_memory
from tests.redis_server import RedisServer

CONNECTED = ("gateway.api", "gateway.processor")
"""The programs that merchants are connected to."""
DEADLINE_MS = 1_000
AWAY_SECONDS = 3.0
SILENT_SECONDS = 12.0
"""Longer than the gateway waits for its store."""
API_PROCESSES = 2


class Servers:
    """PostgreSQL, Redis and a broker, as far as they are wanted.

    All are started by one thread: a server dies with the one that started it, and no payment waits for it.
    """

    def __init__(self, folder: Path, store: str, log: str) -> None:
        self._hands = ThreadPoolExecutor(1, "servers")
        self.redis = RedisServer(folder)
        self.postgres = PostgresServer(folder_in_memory() / "server") if store == "postgresql" else None
        self.broker = Broker(folder / "kafka") if log == "kafka" else None

    @contextmanager
    def running(self) -> Iterator[None]:
        """All of them, until the block ends."""
        with ExitStack() as stack:
            stack.callback(self._hands.shutdown)
            self._begin(stack, self.redis.start, self.redis.stop)
            if self.postgres is not None:
                stack.callback(shutil.rmtree, self.postgres.folder.parent, ignore_errors=True)
                self.postgres.make()
                self._begin(stack, self.postgres.start, partial(self.postgres.stop, signal.SIGQUIT))
                self.postgres.run("CREATE DATABASE weir")
            if self.broker is not None:
                self._begin(stack, self.broker.start, self.broker.kill)
            yield

    def _begin(self, stack: ExitStack, start: Callable[[], None], stop: Callable[[], None]) -> None:
        stack.callback(lambda: self._hands.submit(stop).result())
        self._hands.submit(start).result()

    def options(self) -> list[str]:
        """What `weir up` is told of them."""
        words = ["--rate-limits", self.redis.url, "--deadline-ms", str(DEADLINE_MS)]
        if self.postgres is not None:
            words += ["--store", self.postgres.url("weir"), "--api-processes", str(API_PROCESSES)]
        if self.broker is not None:
            words += ["--log", f"kafka://{self.broker.bootstrap}"]
        return words

    def troubles(self) -> Iterator[Trouble]:
        """Each server stopped, killed and silenced, for a while."""
        yield self._away("Redis is killed", partial(self.redis.stop, signal.SIGKILL), self.redis.start)
        yield self._away("Redis is silent", self.redis.pause, self.redis.go_on)
        if postgres := self.postgres:
            yield self._away("PostgreSQL is stopped", postgres.stop, postgres.start)
            yield self._away(
                "PostgreSQL crashes", partial(postgres.stop, signal.SIGQUIT), lambda: postgres.start()
            )
            yield self._away("PostgreSQL is silent", postgres.pause, postgres.go_on, SILENT_SECONDS)
        if broker := self.broker:
            yield self._away("the broker is stopped", broker.stop, broker.start)
            yield self._away("the broker is killed", broker.kill, broker.start)
            silence = partial(_signal, broker, signal.SIGSTOP)
            yield self._away("the broker is silent", silence, partial(_signal, broker, signal.SIGCONT))

    def _away(
        self, what: str, go: Callable[[], None], come: Callable[[], None], seconds: float = AWAY_SECONDS
    ) -> Trouble:
        async def trouble() -> None:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._hands, go)
            await asyncio.sleep(seconds)
            await loop.run_in_executor(self._hands, come)

        return Trouble(f"{what} for {seconds:.0f} s", trouble)


def _signal(broker: Broker, number: int) -> None:
    assert broker.pid is not None
    os.kill(broker.pid, number)


@dataclass(frozen=True)
class Place:
    """A running platform, its home, its log's URL, and what may happen to it."""

    title: str
    platform: Up
    home: Path
    log_url: str
    troubles: list[Trouble]

    def tails(self) -> str:
        """The end of each program's log."""
        logs = sorted((self.home / "logs").glob("*.log"))
        return "\n".join(f"== {path.name}\n{path.read_text(errors='replace')[-1500:]}" for path in logs)


@contextmanager
def place(folder: Path, store: str, log: str) -> Iterator[Place]:
    """`weir up` on `sqlite` or `postgresql`, with its log on `sqlite` or `kafka`."""
    servers, home = Servers(folder, store, log), folder / "home"
    with servers.running(), up(home, *servers.options()) as platform:
        platform.live_key = merchants_key(home, home.with_name("home-keys"))
        log_url = f"kafka://{servers.broker.bootstrap}" if servers.broker else f"sqlite:///{home}/log.sqlite"
        kills = [
            Trouble(
                f"kill -9 of {name}",
                partial(killed, platform, name),
                name in CONNECTED,
                name == "simulator.acquirer",
            )
            for name in sorted(PROGRAMS)
        ]
        yield Place(f"troubles on {store}, log {log}", platform, home, log_url, [*kills, *servers.troubles()])


async def killed(platform: Up, name: str) -> None:
    """kill -9 of one of the program's processes; all are there again at the end."""
    before = platform.processes(name)
    victim = min(before)
    os.kill(victim, signal.SIGKILL)
    await until(lambda: len(platform.processes(name) - {victim}) == len(before), f"{name} to be back")
