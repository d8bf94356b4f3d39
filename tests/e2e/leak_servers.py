"""What a run leaves with the servers that it was given: PostgreSQL's files and rows, Redis's keys, memory.

Beside a row that is there, a cell that was deleted is found in the heap's pages and in the write-ahead log: a
text of a few bytes is one byte with its length, and the text (postgresql.org/docs/15/storage-toast.html).
"""

import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg
from redis import Redis

from tests.e2e.leak_codes import SecurityCode
from tests.e2e.leak_places import files, memory
from tests.postgres_server import PostgresServer, folder_in_memory
from tests.redis_server import RedisServer

DATABASE = "weir"
UNFINISHED = (
    "phase IN ('assessing', 'awaiting_payer', 'incrementing', 'capturing', 'voiding') OR decision_id IS NULL"
)


@dataclass(frozen=True)
class Servers:
    """A PostgreSQL and a Redis for one run alone, and when they were ready: files of before hold nothing."""

    postgres: PostgresServer
    redis: RedisServer
    since: float

    @property
    def store(self) -> str:
        """The URL of the store."""
        return self.postgres.url(DATABASE)

    @property
    def ports(self) -> list[int]:
        """Where both listen."""
        return [self.postgres.port, self.redis.port]

    def is_quiet(self) -> bool:
        """Whether every attempt of the gateway has its end and its decision, and all events are sent."""
        owed = f"SELECT 1 FROM attempts WHERE {UNFINISHED} UNION ALL SELECT 1 FROM outbox LIMIT 1"
        return not self.postgres.run(owed, DATABASE)

    def files(self, since: float = 0.0) -> Iterator[tuple[str, bytes]]:
        """What PostgreSQL wrote since the start or later, its own log too; Redis writes nothing."""
        self.postgres.run("CHECKPOINT")
        return files(self.postgres.folder, since=max(since, self.since))

    def cells(self) -> Iterator[tuple[str, object]]:
        """Each cell of every table, and each key of Redis with its value."""
        with psycopg.connect(self.store) as connection:
            named = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
            for (name,) in connection.execute(named).fetchall():
                rows = connection.execute(f'SELECT * FROM "{name}"'.encode())
                yield from ((f"PostgreSQL:{name}", cell) for row in rows for cell in row)
        with Redis(port=self.redis.port) as client:
            for key in client.scan_iter():
                yield "Redis", key
                yield "Redis", client.dump(key)

    def memory(self) -> Iterator[tuple[str, bytes]]:
        """Of PostgreSQL's first process with the buffers that all share, each other's own, and Redis's."""
        first, *others = self.postgres.pids()
        with Redis(port=self.redis.port) as client:
            redis = int(client.info("server")["process_id"])
        for name, pid in (("PostgreSQL", first), ("Redis", redis)):
            yield from ((f"memory of {name}", region) for region in memory(pid))
        for pid in others:
            with suppress(FileNotFoundError, ProcessLookupError):  # a backend whose client has left
                yield from (
                    ("memory of a backend of PostgreSQL", region) for region in memory(pid, shared=False)
                )


@contextmanager
def servers(folder: Path) -> Iterator[Servers]:
    """Both servers, with an empty database, until the block ends."""
    place, redis = folder_in_memory(), RedisServer(folder)
    postgres = PostgresServer(place / "server")
    postgres.make()
    postgres.start()
    redis.start()
    try:
        postgres.run(f"CREATE DATABASE {DATABASE}")
        postgres.run("CHECKPOINT")
        yield Servers(postgres, redis, time.time())
    finally:
        redis.stop()
        postgres.stop(signal.SIGQUIT)
        shutil.rmtree(place, ignore_errors=True)


def is_cell_in_heap(code: SecurityCode, content: bytes) -> bool:
    """Whether the code is the whole text of a cell in PostgreSQL's pages or write-ahead log."""
    digits = code.digits.encode()
    return bytes([2 * (len(digits) + 1) + 1]) + digits in content
