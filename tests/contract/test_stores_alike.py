"""The same works together on SQLite and on PostgreSQL, and step by step: the same answers, the same rows."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, Engine, bindparam, delete, insert, select, update

from events.errors import MoneyError
from gateway.scheduling import InlineScheduling
from gateway.store.by_key import ByKey
from gateway.store.database import open_engine
from gateway.store.memory import forget_rows
from gateway.store.statements import Statement, send_waiting
from gateway.store.tables import merchants, outbox, subject_surrogates
from gateway.store.writer import Store
from tests.stores import stores

ROWS = ByKey(merchants, "id")
OF_CATEGORY = merchants.c.category == bindparam("the_category")
COUNTED = Statement(update(merchants).where(OF_CATEGORY).values(created_us=merchants.c.created_us + 1))
MARKED = Statement(update(merchants).where(OF_CATEGORY))
GONE = Statement(delete(merchants).where(OF_CATEGORY))
FOUND = Statement(select(merchants).where(OF_CATEGORY).order_by(merchants.c.id))
LINKED = Statement(insert(subject_surrogates), or_nothing=True)
SENT = Statement(insert(outbox).inline())

LOOKING = ("insert", "change", "look")
RARE = (*LOOKING, "change", "count", "remove", "list", "link", "send", "fail")
KINDS = (*("put", "mark") * 4, *RARE)
TEXTS = st.sampled_from(("Tea", 'it\'s \\ "ß"\n💳', ""))
CHANGES = st.fixed_dictionaries(
    {},
    optional={
        "name": TEXTS,
        "category": st.sampled_from(("1", "2", None)),
        "country": st.sampled_from((None, "DE")),
        "created_us": st.sampled_from((0, 2**53 + 1)),
    },
)
Step = tuple[str, str, dict[str, Any]]
STEPS = st.tuples(st.sampled_from(KINDS), st.sampled_from(("a", "b", "c")), CHANGES)
WORKS = st.lists(STEPS, min_size=1, max_size=6)
GROUPS = st.lists(WORKS, min_size=1, max_size=4)
"""Works of one commit."""

FRESH = {"name": "Tea", "category": "1", "country": None, "status": "active", "settings_json": "{}"}


def done(connection: Connection, name: str, work: list[Step], *, by_itself: bool) -> list[Any]:
    """What the steps of a work give; each `by_itself`: nothing waits to be written, nothing is remembered."""
    told = []
    for number, step in enumerate(work):
        told.append(taken(connection, f"{name}/{number}", *step))
        if by_itself:
            send_waiting(connection)
            forget_rows(connection)
    return told


def taken(connection: Connection, name: str, what: str, which: str, how: dict[str, Any]) -> Any:
    if what == "put":
        return ROWS.insert(connection, {**FRESH, "created_us": 1, **how, "id": name, "category": "1"})
    if what in LOOKING:
        row = ROWS.find(connection, which)
        if what == "insert" and row is None:
            ROWS.insert(connection, {**FRESH, "created_us": 1, "id": which, **how})
        elif what == "change" and row is not None:
            ROWS.update(connection, {**row._asdict(), **how})
        return row and row._asdict()
    if what == "link":
        return LINKED.add(connection, {"subject": which, "digest": how.get("name", "").encode()})
    if what == "send":
        return SENT.add(connection, {"topic": "payments", "key": which.encode(), "value": name.encode()})
    if what == "fail":
        raise MoneyError
    if what == "mark":
        return MARKED.add(connection, {"the_category": "1", "name": f"marked by {name}"})
    place = {"the_category": how.get("category") or "1"}
    if what == "list":
        return [row._asdict() for row in FOUND.all(connection, place)]
    return (COUNTED if what == "count" else GONE).run(connection, place)


async def lived(engine: Engine, groups: list[list[list[Step]]], *, by_itself: bool = False) -> list[Any]:
    """What all works give, those of a group asked at once unless each is `by_itself`, and then all rows."""
    store = Store(engine, InlineScheduling())
    await store.write(emptied)
    told: list[Any] = []
    for place, works in enumerate(groups):
        asked = [
            store.write(
                lambda c, name=f"{place}/{number}", work=work: done(c, name, work, by_itself=by_itself),
                [ROWS.wanted(which) for what, which, _ in work if what in LOOKING],
            )
            for number, work in enumerate(works)
        ]
        parts = [[one] for one in asked] if by_itself else [asked]
        found = [one for part in parts for one in await asyncio.gather(*part, return_exceptions=True)]
        told.append([one if isinstance(one, list) else type(one) for one in found])
    return [*told, await store.read(kept)]


def emptied(connection: Connection) -> None:
    for table in (merchants, outbox, subject_surrogates):
        connection.execute(delete(table))


def kept(connection: Connection) -> list[Any]:
    """All rows; the numbers of the outbox have gaps where a work was undone, their order counts."""
    own = [
        list(connection.execute(select(t).order_by(*t.primary_key.columns)))
        for t in (merchants, subject_surrogates)
    ]
    sent = select(outbox.c.key, outbox.c.value).order_by(outbox.c.id)
    return [[tuple(row) for row in rows] for rows in (*own, connection.execute(sent))]


@contextmanager
def opened(folder: Path, server: str | None) -> Iterator[Engine]:
    with stores.on(server):
        engine = open_engine(stores.url(folder))
        try:
            yield engine
        finally:
            engine.dispose()


def test_works_together_give_and_leave_on_both_stores_what_each_step_by_itself_does(
    tmp_path: Path, postgres: str
) -> None:
    with opened(tmp_path / "here", None) as here, opened(tmp_path / "there", postgres) as there:

        @given(st.lists(GROUPS, min_size=1, max_size=4))
        @settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
        def alike(groups: list[list[list[Step]]]) -> None:
            expected = asyncio.run(lived(here, groups, by_itself=True))
            assert asyncio.run(lived(here, groups)) == expected
            assert asyncio.run(lived(there, groups)) == expected

        alike()
