"""What every store keeps to, SQLite and PostgreSQL: whole works, shared commits, and no lost race."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, bindparam, insert, inspect, select, update
from sqlalchemy.exc import IntegrityError, OperationalError

import gateway.wiring  # noqa: F401  # what it imports declares all tables
from gateway.errors import StoreUnavailableError
from gateway.scheduling import ThreadScheduling
from gateway.store.database import downgrade, migrate, open_engine
from gateway.store.statements import Statement
from gateway.store.tables import merchants, metadata
from gateway.store.writer import Store
from tests.stores import stores

pytestmark = pytest.mark.both_stores

PROCESSES = 3
STEPS = 15
BY_ID = Statement(select(merchants).where(merchants.c.id == bindparam("the_id")))


def with_stores(folder: Path, count: int, story: Callable[..., Awaitable[None]]) -> None:
    """Run a story with several stores on one database, as that many processes have them."""

    async def live() -> None:
        schedulings = [ThreadScheduling() for _ in range(count)]
        opened = [Store(open_engine(stores.url(folder)), scheduling) for scheduling in schedulings]
        await story(*opened)
        for scheduling, store in zip(schedulings, opened, strict=True):
            await scheduling.stop()
            store.close()

    asyncio.run(live())


def put(name: str, number: int = 0) -> Callable[[Connection], None]:
    row = {"id": name, "name": "Tea", "created_us": number}
    return lambda connection: connection.execute(insert(merchants), row) and None


def numbers(connection: Connection) -> dict[str, int]:
    return {
        row.id: row.created_us for row in connection.execute(select(merchants.c.id, merchants.c.created_us))
    }


def counted_up(connection: Connection, name: str) -> None:
    """Read and write in two statements, as the gateway's works do."""
    found = connection.execute(select(merchants.c.created_us).where(merchants.c.id == name)).scalar_one()
    connection.execute(update(merchants).where(merchants.c.id == name), {"created_us": found + 1})


def test_migrations_lead_to_exactly_the_declared_tables_and_down_to_none(tmp_path: Path) -> None:
    engine = open_engine(stores.url(tmp_path))
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []

    with engine.connect().execution_options(weir_writes=True) as connection, connection.begin():
        downgrade(connection, "base")
    assert inspect(engine).get_table_names() == ["alembic_version"]
    migrate(engine)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


def test_a_work_that_raises_is_undone_alone(tmp_path: Path) -> None:
    def half(connection: Connection) -> None:
        put("half")(connection)
        raise ZeroDivisionError

    async def story(store: Store) -> None:
        works = (put("one"), half, put("two"), put("one"))
        first, failed, second, twice = await asyncio.gather(*map(store.write, works), return_exceptions=True)

        assert (first, second) == (None, None)
        assert isinstance(failed, ZeroDivisionError)
        assert isinstance(twice, IntegrityError)
        assert await store.read(numbers) == {"one": 0, "two": 0}

    with_stores(tmp_path, 1, story)


def test_what_several_processes_read_and_write_at_once_is_as_if_one_came_after_the_other(
    tmp_path: Path,
) -> None:
    async def story(*several: Store) -> None:
        await several[0].write(put("counter"))
        steps = [store.write(lambda c: counted_up(c, "counter")) for store in several for _ in range(STEPS)]
        await asyncio.gather(*steps)

        assert await several[0].read(numbers) == {"counter": PROCESSES * STEPS}

    with_stores(tmp_path, PROCESSES, story)


def test_of_several_that_find_something_missing_one_makes_it(tmp_path: Path) -> None:
    def made(connection: Connection, name: str) -> bool:
        missing = name not in numbers(connection)
        if missing:
            put(name)(connection)
        return missing

    async def story(*several: Store) -> None:
        for step in range(STEPS):
            name = f"m_{step}"
            makers = await asyncio.gather(*(store.write(lambda c, n=name: made(c, n)) for store in several))
            assert sorted(makers) == [False] * (PROCESSES - 1) + [True]

    with_stores(tmp_path, PROCESSES, story)


def test_of_two_that_decide_on_what_the_other_changes_the_second_sees_the_first(tmp_path: Path) -> None:
    """Write skew: each looks at both rows and would raise its own; together they must not pass one."""

    def raised(connection: Connection, name: str) -> None:
        if sum(numbers(connection).values()) == 0:
            connection.execute(update(merchants).where(merchants.c.id == name), {"created_us": 1})

    async def story(one: Store, two: Store) -> None:
        await one.write(put("a"))
        await one.write(put("b"))
        for _ in range(STEPS):
            await asyncio.gather(one.write(lambda c: raised(c, "a")), two.write(lambda c: raised(c, "b")))
            assert sum((await one.read(numbers)).values()) == 1
            await one.write(lambda c: c.execute(update(merchants).values(created_us=0)))

    with_stores(tmp_path, 2, story)


def test_two_that_want_the_same_rows_in_opposite_order_both_get_them(tmp_path: Path) -> None:
    def both(names: tuple[str, str]) -> Callable[[Connection], None]:
        def work(connection: Connection) -> None:
            for name in names:
                counted_up(connection, name)

        return work

    async def story(one: Store, two: Store) -> None:
        await one.write(put("a"))
        await one.write(put("b"))
        for _ in range(STEPS):
            await asyncio.gather(one.write(both(("a", "b"))), two.write(both(("b", "a"))))

        assert await one.read(numbers) == {"a": 2 * STEPS, "b": 2 * STEPS}

    with_stores(tmp_path, 2, story)


def test_reads_that_wait_together_each_get_their_answer_or_their_own_error(tmp_path: Path) -> None:
    """One that the store itself gives up, as what took too long, fails no other."""

    def failing(_: Connection) -> None:
        raise ZeroDivisionError

    def given_up(connection: Connection) -> None:
        raise OperationalError("SELECT", None, Exception())

    def found(connection: Connection) -> str | None:
        row = BY_ID.one_or_none(connection, {"the_id": "a"})
        return row and row.id

    async def story(store: Store) -> None:
        await store.write(put("a"))
        works = (numbers, failing, found, found)
        assert await asyncio.gather(*map(store.read, works[:1])) == [{"a": 0}]
        answers = await asyncio.gather(*map(store.read, works), return_exceptions=True)
        assert [answers[0], answers[2], answers[3]] == [{"a": 0}, "a", "a"]
        assert isinstance(answers[1], ZeroDivisionError)

        answers = await asyncio.gather(*map(store.read, (given_up, found)), return_exceptions=True)
        assert isinstance(answers[0], StoreUnavailableError)
        assert answers[1] == "a"

    with_stores(tmp_path, 1, story)


def test_a_read_waits_for_no_other_that_was_asked_for_after_it(tmp_path: Path) -> None:
    """Nor does it run again where that one is given up by the store."""
    inside, together, give_up = (threading.Event() for _ in range(3))
    ran: list[str] = []

    def first(_: Connection) -> None:
        inside.set()
        assert together.wait(60)

    def named(name: str) -> Callable[[Connection], str]:
        def work(connection: Connection) -> str:
            ran.append(name)
            row = BY_ID.one_or_none(connection, {"the_id": "a"})
            return f"{name} {row.id}"

        return work

    def slow(_: Connection) -> None:
        ran.append("slow")
        assert give_up.wait(60)
        raise OperationalError("SELECT", None, Exception())

    async def story(store: Store) -> None:
        await store.write(put("a"))
        before = asyncio.ensure_future(store.read(first))
        await asyncio.to_thread(inside.wait)
        quick, late, after = (
            asyncio.ensure_future(store.read(work)) for work in (named("quick"), slow, named("after"))
        )
        await asyncio.sleep(0)  # so that they have asked, and wait together
        together.set()
        await before

        try:
            assert await asyncio.wait_for(quick, 5) == "quick a"
            assert not late.done()
        finally:
            give_up.set()
        with pytest.raises(StoreUnavailableError):
            await late
        assert await after == "after a"
        assert ran == ["quick", "slow", "after"]

    with_stores(tmp_path, 1, story)


def test_a_read_sees_what_was_written_before_it_was_asked_for(tmp_path: Path) -> None:
    def found(connection: Connection) -> int | None:
        row = BY_ID.one_or_none(connection, {"the_id": "counter"})
        return row and row.created_us

    async def story(store: Store) -> None:
        assert await store.read(found) is None
        await store.write(put("counter"))
        for step in range(STEPS):
            assert await asyncio.gather(store.read(found), store.read(found)) == [step, step]
            await store.write(lambda c: counted_up(c, "counter"))

    with_stores(tmp_path, 1, story)


def test_a_reader_waits_for_no_writer_and_sees_nothing_uncommitted(tmp_path: Path) -> None:
    inside, go_on = threading.Event(), threading.Event()

    def slow(connection: Connection) -> None:
        put("slow")(connection)
        inside.set()
        assert go_on.wait(60)

    async def story(store: Store) -> None:
        writing = asyncio.ensure_future(store.write(slow))
        while not inside.is_set():
            await asyncio.sleep(0.005)
        assert await store.read(numbers) == {}
        go_on.set()
        await writing
        assert await store.read(numbers) == {"slow": 0}

    with_stores(tmp_path, 1, story)
