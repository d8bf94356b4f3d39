"""The operational store: migrations, group commit, and what an error undoes."""

import asyncio
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, insert, inspect, select
from sqlalchemy.exc import IntegrityError

from gateway.errors import ConflictError, StoreUnavailableError
from gateway.payments.intents import Intent
from gateway.scheduling import InlineScheduling, Scheduling, ThreadScheduling
from gateway.store.database import migrate, open_engine
from gateway.store.intent_rows import load_intent, save_intent
from gateway.store.tables import merchants, metadata
from gateway.store.writer import Store
from tests.gateway_world import World
from tests.stores import migrated

ROW = {"name": "Tea", "created_us": 0}


def opened(folder: Path, scheduling: Scheduling) -> Store:
    path = folder / "gateway.sqlite"
    if not path.exists():
        path.write_bytes(migrated())
    return Store(open_engine(f"sqlite:///{path}"), scheduling)


def names(connection: Connection) -> list[str]:
    return list(connection.execute(select(merchants.c.id).order_by(merchants.c.id)).scalars())


def test_migrations_make_exactly_the_declared_tables(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'gateway.sqlite'}")

    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_migrations_lead_down_again(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'gateway.sqlite'}")

    with engine.connect().execution_options(weir_writes=True) as connection, connection.begin():
        from gateway.store.database import downgrade

        downgrade(connection, "base")

    assert inspect(engine).get_table_names() == ["alembic_version"]


def test_two_programs_may_make_the_store_at_once(tmp_path: Path) -> None:
    program = (
        "import sys; from gateway.store.database import open_engine; open_engine(f'sqlite:///{sys.argv[1]}')"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "gateway.sqlite")]
    running = [subprocess.Popen(command, stderr=subprocess.PIPE) for _ in range(2)]

    assert [(p.communicate()[1], p.returncode) for p in running] == [(b"", 0), (b"", 0)]


def test_every_connection_syncs_each_commit(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'gateway.sqlite'}")

    with engine.connect() as connection:
        modes = [connection.exec_driver_sql(f"PRAGMA {p}").scalar() for p in ("journal_mode", "synchronous")]

    assert modes == ["wal", 2]


def test_works_that_wait_together_share_a_commit_and_each_gets_its_answer(tmp_path: Path) -> None:
    async def story() -> tuple[list[str], int]:
        scheduling = InlineScheduling()
        store = opened(tmp_path, scheduling)
        commits = 0

        def add(number: int, connection: Connection) -> str:
            nonlocal commits
            commits = max(commits, connection.exec_driver_sql("PRAGMA data_version").scalar() or 0)
            connection.execute(insert(merchants), {"id": f"m_{number:02}", **ROW})
            return f"m_{number:02}"

        answers = await asyncio.gather(*(store.write(lambda c, n=n: add(n, c)) for n in range(20)))
        assert await store.read(names) == answers
        return answers, len(answers)

    answers, _ = asyncio.run(story())

    assert answers == [f"m_{number:02}" for number in range(20)]


def test_a_work_that_raises_is_undone_alone(tmp_path: Path) -> None:
    async def story() -> None:
        store = opened(tmp_path, InlineScheduling())

        def good(connection: Connection) -> None:
            connection.execute(insert(merchants), {"id": "good", **ROW})

        def bad(connection: Connection) -> None:
            connection.execute(insert(merchants), {"id": "bad", **ROW})
            raise ConflictError

        def doubled(connection: Connection) -> None:
            connection.execute(insert(merchants), {"id": "twice", **ROW})
            connection.execute(insert(merchants), {"id": "twice", **ROW})

        results = await asyncio.gather(
            store.write(bad), store.write(good), store.write(doubled), return_exceptions=True
        )

        assert [type(result) for result in results] == [ConflictError, type(None), IntegrityError]
        assert await store.read(names) == ["good"]

    asyncio.run(story())


def test_a_store_that_another_process_holds_is_unavailable_within_a_bounded_time(tmp_path: Path) -> None:
    async def story() -> None:
        scheduling = ThreadScheduling()
        store = opened(tmp_path, scheduling)
        other = sqlite3.connect(tmp_path / "gateway.sqlite", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        begun = time.monotonic()
        with pytest.raises(StoreUnavailableError):
            await store.write(lambda c: c.execute(insert(merchants), {"id": "late", **ROW}))
        assert time.monotonic() - begun < 60
        other.execute("ROLLBACK")
        other.close()

        await store.write(lambda c: c.execute(insert(merchants), {"id": "later", **ROW}))

        assert await store.read(names) == ["later"]
        await scheduling.stop()
        store.close()

    asyncio.run(story())


def test_a_full_disk_is_unavailable_and_leaves_nothing_half_written(tmp_path: Path) -> None:
    async def story() -> None:
        store = opened(tmp_path, InlineScheduling())
        pages = await store.read(lambda c: c.exec_driver_sql("PRAGMA page_count").scalar())

        def fill(connection: Connection) -> None:
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
            for number in range(5000):
                connection.execute(insert(merchants), {"id": f"m_{number}", **ROW})

        with pytest.raises(StoreUnavailableError):
            await store.write(fill)

        assert await store.read(names) == []

    asyncio.run(story())


def test_a_read_does_not_wait_for_a_writer(tmp_path: Path) -> None:
    async def story() -> None:
        scheduling = ThreadScheduling()
        store = opened(tmp_path, scheduling)
        inside, go_on = threading.Event(), threading.Event()

        def slow(connection: Connection) -> None:
            connection.execute(insert(merchants), {"id": "slow", **ROW})
            inside.set()
            assert go_on.wait(60)

        writing = asyncio.ensure_future(store.write(slow))
        while not inside.is_set():
            await asyncio.sleep(0.01)

        assert await store.read(names) == []
        go_on.set()
        await writing
        assert await store.read(names) == ["slow"]
        await scheduling.stop()
        store.close()

    asyncio.run(story())


def test_an_intent_that_someone_else_changed_is_not_overwritten(tmp_path: Path) -> None:
    async def story() -> None:
        async with World(tmp_path) as world:
            from gateway.requests import CreateIntent

            body = CreateIntent(amount=100, currency="eur")
            intent = await world.gateway.payments.create(await world.caller(), body)
            await world.store.write(lambda c: save_intent(c, load_intent(c, intent.id)))

            with pytest.raises(ConflictError):
                await world.store.write(lambda c: save_intent(c, intent))

            stored = await world.store.read(lambda c: load_intent(c, intent.id))
            twice = [world.store.write(lambda c: save_intent(c, stored)) for _ in range(2)]
            first, second = await asyncio.gather(*twice, return_exceptions=True)
            assert [type(first), type(second)] == [Intent, ConflictError]

    asyncio.run(story())


def test_migrating_twice_changes_nothing(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'gateway.sqlite'}")

    migrate(engine)

    assert "intents" in inspect(engine).get_table_names()
