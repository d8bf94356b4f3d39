"""Statements that the driver runs itself: rows, counts, errors and savepoints are as SQLAlchemy's own."""

import asyncio
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import Column, Connection, DateTime, MetaData, Table, bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError, OperationalError

from events.errors import MoneyError
from gateway.scheduling import InlineScheduling
from gateway.store.database import open_engine
from gateway.store.statements import Statement, apart, run_by_driver
from gateway.store.tables import api_keys, merchants
from gateway.store.writer import Store, in_one_commit
from tests.stores import stores

pytestmark = pytest.mark.both_stores

NEW = Statement(insert(merchants))
ONE = Statement(select(merchants).where(merchants.c.id == bindparam("the_id")))
ALL = Statement(select(merchants).order_by(merchants.c.id))
RENAME = Statement(update(merchants).where(merchants.c.id == bindparam("the_id")))
NEW_KEY = Statement(insert(api_keys))
KEY = Statement(select(api_keys).where(api_keys.c.id == bindparam("the_id")))

TEA = {"id": "acct_tea", "name": "Tea", "created_us": 1}


@contextmanager
def writing(folder: Path) -> Iterator[Connection]:
    engine = open_engine(stores.url(folder))
    with engine.connect().execution_options(weir_writes=True) as connection:
        yield connection
    engine.dispose()


def fail_apart(connection: Connection, work: Callable[[], object]) -> None:
    with apart(connection):
        work()
        raise MoneyError


def twice_apart(connection: Connection) -> None:
    with apart(connection):
        NEW.add(connection, {**TEA, "id": "acct_three"})
        NEW.add(connection, {**TEA, "id": "acct_three"})


def test_rows_and_counts_are_as_sqlalchemys_own(tmp_path: Path) -> None:
    with writing(tmp_path) as connection, connection.begin():
        NEW.run(connection, TEA)
        NEW.run(connection, {**TEA, "id": "acct_two", "category": "5942"})
        assert RENAME.run(connection, {"the_id": "acct_tea", "name": "Leaves"}) == 1
        assert RENAME.run(connection, {"the_id": "nobody", "name": "Leaves"}) == 0

        by_core = connection.execute(ALL.core).all()
        assert [row._asdict() for row in ALL.all(connection, {})] == [row._asdict() for row in by_core]
        assert ONE.one_or_none(connection, {"the_id": "acct_tea"}).name == "Leaves"
        assert ONE.one_or_none(connection, {"the_id": "nobody"}) is None


def test_truth_comes_back_as_truth_and_bytes_as_bytes(tmp_path: Path) -> None:
    key = {"id": "key_1", "merchant_id": "acct_tea", "mode": "test", "digest": b"\0\xff", "ending": "abcd"}
    with writing(tmp_path) as connection, connection.begin():
        NEW.run(connection, TEA)
        NEW_KEY.run(connection, {**key, "publishable": True, "created_us": 1})

        row = KEY.one_or_none(connection, {"the_id": "key_1"})
        assert row.publishable is True
        assert row.digest == b"\0\xff"
        assert row.revoked_us is None


def test_what_begins_no_transaction_itself_gets_the_one_that_sqlalchemy_would_begin(tmp_path: Path) -> None:
    with writing(tmp_path) as connection:
        NEW.run(connection, TEA)
        assert connection.in_transaction()
        connection.rollback()
        assert ONE.one_or_none(connection, {"the_id": "acct_tea"}) is None


def test_errors_are_sqlalchemys_and_do_not_quote_the_values(tmp_path: Path) -> None:
    with writing(tmp_path) as connection:
        NEW.run(connection, {**TEA, "name": "Not to be said"})
        with pytest.raises(IntegrityError) as refused:
            NEW.run(connection, {**TEA, "name": "Not to be said"})

    if connection.dialect.name == "sqlite":
        assert isinstance(refused.value.orig, sqlite3.IntegrityError)
        assert "Not to be said" not in str(refused.value)


def test_what_is_done_apart_is_undone_alone(tmp_path: Path) -> None:
    with writing(tmp_path) as connection, connection.begin():
        NEW.run(connection, TEA)
        with pytest.raises(MoneyError):
            fail_apart(connection, lambda: NEW.run(connection, {**TEA, "id": "acct_two"}))
        with apart(connection):
            NEW.run(connection, {**TEA, "id": "acct_three"})

        assert [row.id for row in ALL.all(connection, {})] == ["acct_tea", "acct_three"]


def test_what_is_added_is_there_for_the_next_statement_whoever_runs_it(tmp_path: Path) -> None:
    with writing(tmp_path) as connection, connection.begin():
        NEW.add(connection, TEA)
        RENAME.add(connection, {"the_id": "acct_tea", "name": "Leaves"})
        assert ONE.one_or_none(connection, {"the_id": "acct_tea"}).name == "Leaves"

        NEW.add(connection, {**TEA, "id": "acct_two"})
        assert [row.id for row in connection.execute(ALL.core)] == ["acct_tea", "acct_two"]


def test_what_is_added_is_undone_with_what_it_belongs_to_and_nothing_else(tmp_path: Path) -> None:
    with writing(tmp_path) as connection, connection.begin():
        NEW.add(connection, TEA)
        with pytest.raises(MoneyError):
            fail_apart(connection, lambda: NEW.add(connection, {**TEA, "id": "acct_two"}))
        with pytest.raises(IntegrityError):
            twice_apart(connection)

        assert [row.id for row in ALL.all(connection, {})] == ["acct_tea"]


def test_what_is_added_last_is_in_the_commit(tmp_path: Path) -> None:
    engine = open_engine(stores.url(tmp_path))

    in_one_commit(engine, lambda connection: NEW.add(connection, TEA))
    with engine.connect().execution_options(weir_writes=True) as connection, connection.begin():
        NEW.add(connection, {**TEA, "id": "acct_two"})

    with engine.connect().execution_options(weir_reads=True) as connection:
        assert [row.id for row in ALL.all(connection, {})] == ["acct_tea", "acct_two"]
    engine.dispose()


def test_what_was_added_by_a_work_that_failed_comes_with_nobody_elses(tmp_path: Path) -> None:
    engine = open_engine(stores.url(tmp_path))

    def failing(connection: Connection) -> None:
        NEW.add(connection, TEA)
        raise MoneyError

    with pytest.raises(MoneyError):
        in_one_commit(engine, failing)

    assert in_one_commit(engine, lambda connection: ALL.all(connection, {})) == []
    engine.dispose()


def test_what_one_work_adds_and_the_store_refuses_fails_that_work_alone(tmp_path: Path) -> None:
    engine = open_engine(stores.url(tmp_path))
    in_one_commit(engine, lambda connection: NEW.run(connection, TEA))
    store = Store(engine, InlineScheduling())

    async def both() -> list[object]:
        good = store.write(lambda connection: NEW.add(connection, {**TEA, "id": "acct_two"}))
        again = store.write(lambda connection: NEW.add(connection, TEA))
        return await asyncio.gather(good, again, return_exceptions=True)

    good, again = asyncio.run(both())

    assert good is None
    assert isinstance(again, IntegrityError)
    assert len(in_one_commit(engine, lambda connection: ALL.all(connection, {}))) == 2
    engine.dispose()


@pytest.mark.sqlite_store
def test_what_is_done_apart_fails_as_the_store_does_where_sqlite_undid_everything(tmp_path: Path) -> None:
    with writing(tmp_path) as connection, pytest.raises(OperationalError):
        fail_apart(connection, lambda: run_by_driver(connection, "ROLLBACK"))


def test_a_type_whose_values_the_driver_does_not_take_as_they_are_is_refused() -> None:
    times = Table("times", MetaData(), Column("at", DateTime))

    with pytest.raises(TypeError, match="DATETIME"):
        Statement(select(times))
