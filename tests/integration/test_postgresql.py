"""The store on a PostgreSQL of the test's own: what is refused, and what happens while it is away."""

import asyncio
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, insert, select

from gateway.errors import HomeError, StoreUnavailableError, StoreUnsafeError
from gateway.keys.home_keys import HOME_ID
from gateway.scheduling import ThreadScheduling
from gateway.store.database import downgrade, open_engine
from gateway.store.finding import chosen_store, has_store, remember_store, store_url
from gateway.store.opening import adopt_store, open_store
from gateway.store.postgresql import SILENCE_MS_MAX, STATEMENT_MS_MAX
from gateway.store.tables import merchants
from gateway.store.writer import Store
from tests.postgres_server import PostgresServer, folder_in_memory

DEADLINE_SECONDS = (STATEMENT_MS_MAX + SILENCE_MS_MAX) / 1000 + 5


@pytest.fixture(scope="module")
def made() -> Iterator[PostgresServer]:
    folder = folder_in_memory()
    server = PostgresServer(folder / "server")
    server.make()
    yield server
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def server(made: PostgresServer) -> Iterator[PostgresServer]:
    made.start()
    with suppress(Exception):
        made.run("CREATE DATABASE weir")
    yield made
    made.stop()


@pytest.mark.parametrize(
    "setting", [{"fsync": "off"}, {"full_page_writes": "off"}, {"synchronous_commit": "off"}], ids=str
)
def test_a_server_that_may_lose_what_it_acknowledged_is_refused(
    made: PostgresServer, setting: dict[str, str]
) -> None:
    made.start(**setting)
    try:
        with pytest.raises(StoreUnsafeError, match=next(iter(setting))):
            open_engine(made.url("postgres"))
    finally:
        made.stop()


def test_a_server_that_is_not_there_is_said_to_be_unavailable(made: PostgresServer) -> None:
    with pytest.raises(StoreUnavailableError, match="refused"):
        open_engine(made.url("postgres"))


def test_the_password_comes_from_a_file_and_into_no_error(server: PostgresServer, tmp_path: Path) -> None:
    server.run("ALTER USER weir PASSWORD 'planted-pass-word'")
    (server.folder / "data" / "pg_hba.conf").write_text("host all all 127.0.0.1/32 scram-sha-256\n")
    file = tmp_path / "passfile"
    file.write_text(f"127.0.0.1:{server.port}:*:weir:planted-pass-word\n")
    file.chmod(0o600)
    server.run("SELECT pg_reload_conf()")
    url = server.url("postgres")
    try:
        with pytest.raises(StoreUnavailableError) as refusal:
            open_engine(url)
        open_engine(f"{url}?passfile={file}").dispose()
    finally:
        (server.folder / "data" / "pg_hba.conf").write_text("host all all 127.0.0.1/32 trust\n")

    assert "planted" not in str(refusal.value)


def a_home(folder: Path, url: str) -> Path:
    folder.mkdir()
    (folder / HOME_ID).write_text(folder.name)
    remember_store(folder, url)
    return folder


def test_a_database_belongs_to_one_home_and_is_refused_to_another(
    server: PostgresServer, tmp_path: Path
) -> None:
    server.run("CREATE DATABASE claimed")
    first, second = (a_home(tmp_path / name, server.url("claimed")) for name in ("first", "second"))
    open_store(first).dispose()
    open_store(first).dispose()

    with pytest.raises(HomeError, match=r"the store of another home, first: delete .*second/store-url"):
        open_store(second)

    (second / HOME_ID).write_text("first")
    open_store(second).dispose()


def test_the_database_of_another_home_is_refused_before_it_is_migrated(
    server: PostgresServer, tmp_path: Path
) -> None:
    server.run("CREATE DATABASE older")
    url = server.url("older")
    first, second = (a_home(tmp_path / name, url) for name in ("first", "second"))
    engine = open_store(first)
    with engine.connect().execution_options(weir_writes=True) as connection, connection.begin():
        downgrade(connection, "0015")
    with pytest.raises(HomeError, match="the store of another home, first"):
        open_store(second)

    assert schema_of(engine) == "0015"
    engine.dispose()
    open_store(first).dispose()


def schema_of(engine: Engine) -> str:
    with engine.connect().execution_options(weir_reads=True) as connection:
        return str(connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one())


def test_a_database_that_cannot_be_opened_or_is_another_homes_binds_no_home(
    server: PostgresServer, tmp_path: Path
) -> None:
    for name in ("taken", "free"):
        server.run(f"CREATE DATABASE {name}")
    open_store(a_home(tmp_path / "first", server.url("taken"))).dispose()
    home = tmp_path / "second"
    home.mkdir()
    (home / HOME_ID).write_text("second")

    with pytest.raises(StoreUnavailableError, match="nowhere"):
        adopt_store(home, server.url("nowhere"), {})
    with pytest.raises(HomeError, match=r"the store of another home, first: give a --store"):
        adopt_store(home, server.url("taken"), {})
    assert not has_store(home)

    adopt_store(home, server.url("free"), {})
    assert store_url(home) == chosen_store(home, server.url("free"), {}) == server.url("free")


def test_of_homes_that_want_a_database_at_once_one_gets_it(server: PostgresServer, tmp_path: Path) -> None:
    server.run("CREATE DATABASE wanted")
    homes = [a_home(tmp_path / f"home-{number}", server.url("wanted")) for number in range(3)]

    def is_taken_by(home: Path) -> bool:
        with suppress(HomeError):
            open_store(home).dispose()
            return True
        return False

    with ThreadPoolExecutor(len(homes)) as pool:
        assert sum(pool.map(is_taken_by, homes)) == 1


def test_while_the_server_is_away_the_store_is_unavailable_and_nothing_acknowledged_is_lost(
    server: PostgresServer,
) -> None:
    acknowledged: list[str] = []
    gaps: list[float] = []

    async def story() -> None:
        scheduling = ThreadScheduling()
        store = Store(open_engine(server.url("weir")), scheduling)
        stopping = asyncio.create_task(asyncio.to_thread(_stop_and_start, server))
        number = 0
        while not stopping.done() or len(acknowledged) < 50:
            number += 1
            row = {"id": f"m_{number}", "name": "Tea", "created_us": 0}
            asked = time.monotonic()
            try:
                await store.write(lambda c, row=row: c.execute(insert(merchants), row))
                await store.read(lambda c: c.execute(select(merchants.c.id)).first())
                acknowledged.append(row["id"])
            except StoreUnavailableError:
                await asyncio.sleep(0.01)
            gaps.append(time.monotonic() - asked)
        found = await store.read(lambda c: set(c.execute(select(merchants.c.id)).scalars()))
        assert found >= set(acknowledged)
        await scheduling.stop()
        store.close()

    asyncio.run(story())

    assert max(gaps) < DEADLINE_SECONDS


def test_a_server_that_is_there_and_does_not_answer_is_unavailable_within_a_deadline(
    server: PostgresServer,
) -> None:
    async def story() -> None:
        scheduling = ThreadScheduling()
        store = Store(open_engine(server.url("weir")), scheduling, patience_seconds=0.5)
        await store.read(names)
        server.pause()
        try:
            for ask in (store.read(names), store.write(put("begun")), store.write(put("waits"))):
                with pytest.raises(StoreUnavailableError, match="in time"):
                    await ask
        finally:
            server.go_on()
        await store.write(put("later"))

        # What had begun may be kept, what still waited for its turn was never done.
        assert set(await store.read(names)) - {"begun"} == {"later"}
        await scheduling.stop()
        store.close()

    asyncio.run(story())


def put(name: str) -> Callable[[Connection], None]:
    row = {"id": name, "name": "Tea", "created_us": 0}
    return lambda connection: connection.execute(insert(merchants), row) and None


def names(connection: Connection) -> list[str]:
    found = connection.execute(select(merchants.c.id)).scalars()
    return [name for name in found if not name.startswith("m_")]


def _stop_and_start(server: PostgresServer) -> None:
    time.sleep(0.3)
    server.stop()
    time.sleep(0.3)
    server.start()
