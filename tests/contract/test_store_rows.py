"""What waits to be written and what is remembered comes to the same as one statement after another."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, Connection, Integer, MetaData, String, Table, insert, select, update

from events.errors import MoneyError
from gateway.scheduling import InlineScheduling
from gateway.store.batches import Batches
from gateway.store.by_key import ByKey, Wanted
from gateway.store.database import open_engine
from gateway.store.statements import Statement
from gateway.store.tables import merchants, outbox, subject_surrogates, surrogates
from gateway.store.writer import Store
from tests.stores import stores

pytestmark = pytest.mark.both_stores

MERCHANTS = ByKey(merchants, "id")
SURROGATES = ByKey(surrogates, "digest")
LINK = Statement(insert(subject_surrogates), or_nothing=True)
EVENT = Statement(insert(outbox).inline())
Work = Callable[[Connection], Any]


def merchant(the_id: str, **more: Any) -> dict[str, Any]:
    row = {"id": the_id, "name": "Tea", "category": None, "country": None, "status": "active"}
    return {**row, "settings_json": '{"a": "\\u00e9\\"\\\\"}', "created_us": 2**53 + 1, **more}


def done_together(folder: Path, *works: Work, wanted: tuple[Wanted, ...] = ()) -> list[Any]:
    """What several works give, of one commit."""
    engine = open_engine(stores.url(folder))
    store = Store(engine, InlineScheduling())

    async def story() -> list[Any]:
        return await asyncio.gather(*(store.write(work, wanted) for work in works), return_exceptions=True)

    try:
        return asyncio.run(story())
    finally:
        engine.dispose()


def all_of(table: Table) -> Work:
    return lambda c: [row._asdict() for row in c.execute(select(table).order_by(*table.primary_key.columns))]


def test_rows_that_several_works_write_are_what_each_alone_had_written(tmp_path: Path) -> None:
    names = [f"acct_{number}" for number in range(5)]
    rows = [merchant(name, category="5942" if name == "acct_3" else None) for name in names]
    done_together(tmp_path, *(lambda c, row=row: MERCHANTS.insert(c, row) for row in rows))

    assert done_together(tmp_path, all_of(merchants)) == [rows]


def test_bytes_and_what_no_text_may_hold_unescaped_arrive_as_they_were(tmp_path: Path) -> None:
    digests = [bytes([number, 0, 255, 39, 92] * 4) for number in range(4)]
    rows = [{"digest": digest, "kind": "ip", "surrogate": 'it\'s \\ "ß" \n💳'} for digest in digests]
    done_together(tmp_path, *(lambda c, row=row: SURROGATES.insert(c, row) for row in rows))

    assert done_together(tmp_path, all_of(surrogates)) == [rows]


def test_of_two_changes_of_a_row_the_later_one_counts_and_keeps_what_the_earlier_one_changed(
    tmp_path: Path,
) -> None:
    def change(the_id: str, **changed: Any) -> Work:
        def work(connection: Connection) -> None:
            MERCHANTS.update(connection, {**MERCHANTS.find(connection, the_id)._asdict(), **changed})

        return work

    done_together(tmp_path, *(lambda c, n=n: MERCHANTS.insert(c, merchant(n)) for n in ("acct_a", "acct_b")))
    wanted = (MERCHANTS.wanted("acct_a"), MERCHANTS.wanted("acct_b"), MERCHANTS.wanted("nobody"))
    done_together(
        tmp_path,
        change("acct_a", name="Leaves"),
        change("acct_b", country="DE"),
        change("acct_a", name="Cups", category="5942"),
        change("acct_a", country="FR"),
        wanted=wanted,
    )

    expected = [
        merchant("acct_a", name="Cups", category="5942", country="FR"),
        merchant("acct_b", country="DE"),
    ]
    assert done_together(tmp_path, all_of(merchants)) == [expected]


def test_a_row_is_there_for_the_next_work_as_the_one_before_left_it(tmp_path: Path) -> None:
    def seen(connection: Connection) -> str | None:
        row = MERCHANTS.find(connection, "acct_a")
        return row and row.name

    def renamed_by_sqlalchemy(connection: Connection) -> None:
        connection.execute(update(merchants).values(name="Leaves"))

    def renamed_by_statement(connection: Connection) -> None:
        Statement(update(merchants)).run(connection, {"name": "Cups"})

    def inserted(connection: Connection) -> None:
        MERCHANTS.insert(connection, merchant("acct_a"))

    works = [seen, inserted, seen, renamed_by_sqlalchemy, seen, renamed_by_statement, seen]
    found = done_together(tmp_path, *works, wanted=(MERCHANTS.wanted("acct_a"),))

    assert found == [None, None, "Tea", None, "Leaves", None, "Cups"]


def test_what_a_work_wrote_that_failed_is_remembered_by_nobody(tmp_path: Path) -> None:
    def failing(connection: Connection) -> None:
        MERCHANTS.insert(connection, merchant("acct_a"))
        raise MoneyError

    found = done_together(
        tmp_path,
        lambda c: MERCHANTS.insert(c, merchant("acct_b")),
        failing,
        lambda c: [MERCHANTS.find(c, name) is not None for name in ("acct_a", "acct_b")],
    )

    assert isinstance(found[1], MoneyError)
    assert found[2] == [False, True]
    assert [row["id"] for row in done_together(tmp_path, all_of(merchants))[0]] == ["acct_b"]


def test_events_of_one_commit_are_numbered_in_their_order(tmp_path: Path) -> None:
    values = [b"%d" % number for number in range(200)]

    def put(value: bytes) -> Work:
        return lambda c: EVENT.add(c, {"topic": "payments", "key": b"pi_1", "value": value})

    (*_, rows) = done_together(tmp_path, *map(put, values), all_of(outbox))

    assert [row["value"] for row in rows] == values
    assert len({row["id"] for row in rows}) == len(values)


def test_a_link_that_is_there_may_be_made_again(tmp_path: Path) -> None:
    links = [{"subject": "pi_1", "digest": bytes([number])} for number in (1, 2, 2)]

    for _ in range(2):
        done_together(tmp_path, *(lambda c, link=link: LINK.add(c, link) for link in links))

    assert done_together(tmp_path, all_of(subject_surrogates)) == [links[:2]]


def test_a_row_with_a_column_left_out_is_no_row(tmp_path: Path) -> None:
    def lacking(connection: Connection) -> None:
        MERCHANTS.insert(connection, {"id": "acct_a"})

    def partly(connection: Connection) -> None:
        MERCHANTS.update(connection, {"id": "acct_a", "name": "Leaves"})

    found = done_together(tmp_path, lacking, partly)

    assert [type(error) for error in found] == [TypeError, TypeError]
    assert "settings_json" in str(found[0])


TEXTS = Table(
    "texts", MetaData(), Column("id", String, primary_key=True), Column("n", Integer), Column("m", Integer)
)
INSERT = Statement(insert(TEXTS))
BY_KEY = Statement(update(TEXTS).where(TEXTS.c.id == "x"), key={"the_id": "id"})
BY_LOOK = Statement(update(TEXTS).where(TEXTS.c.n == 0))
A, B = {"id": "a", "n": 0, "m": 0}, {"id": "b", "n": 0, "m": 0}


def order(*puts: tuple[Statement, dict[str, Any]]) -> list[tuple[Statement, int]]:
    batches = Batches()
    for statement, values in puts:
        batches.put(statement, values)
    return [(batch.statement, len(batch)) for batch in batches.waiting]


def test_new_rows_go_together_before_changes_by_key() -> None:
    change = {"the_id": "a", "n": 1}

    assert order((INSERT, A), (BY_KEY, change), (INSERT, B), (BY_KEY, {**change, "the_id": "b"})) == [
        (INSERT, 2),
        (BY_KEY, 2),
    ]


def test_nothing_passes_a_change_that_depends_on_what_is_there() -> None:
    assert order((INSERT, A), (BY_LOOK, {"m": 1}), (INSERT, B), (BY_LOOK, {"m": 1})) == [
        (INSERT, 1),
        (BY_LOOK, 1),
        (INSERT, 1),
        (BY_LOOK, 1),
    ]


def test_a_change_stays_behind_the_row_that_it_changes() -> None:
    found = order((BY_KEY, {"the_id": "a", "n": 1}), (INSERT, B), (BY_KEY, {"the_id": "b", "n": 1}))

    assert found == [(BY_KEY, 1), (INSERT, 1), (BY_KEY, 1)]


def test_changes_of_other_columns_keep_their_order() -> None:
    found = order(*((BY_KEY, {"the_id": "a", name: 1}) for name in ("n", "m", "n")))

    assert found == [(BY_KEY, 1), (BY_KEY, 1), (BY_KEY, 1)]
