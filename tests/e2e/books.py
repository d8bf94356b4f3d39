"""Reading the books of a running platform: what gateway, processor, acquirer, learner and log hold."""

import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from events.codec import decode
from events.errors import UnreadableEventError
from events.log import open_log
from events.log.port import Log, TopicPartition
from events.types import Event
from gateway.store.finding import store_url

_UNDONE_INCREMENTS = (
    "SELECT reference, increments.stan, increments.transmitted_at FROM increments"
    " JOIN attempts USING (attempt_id) WHERE increments.status = 'reversed'"
)
_REAL_ORDERS = "SELECT * FROM rail_orders WHERE currency <> ''"
_DUE_CAPTURES = (
    "SELECT 1 FROM intents LEFT JOIN reviews ON reviews.id = review_id"
    " WHERE capture_due_us <= (SELECT MAX(created_us) FROM intents)"
    " AND (review_id IS NULL OR reviews.closed_us IS NOT NULL) LIMIT 1"
)
"""Captures that were put off to a time which the newest payment's has reached."""
LEARNER = "learning/learning.sqlite"
READ = ("assessments", "decisions", "payments", "labels", "accounts", "dead-letters")
Row = Mapping[str, Any]


@dataclass
class Books:
    """Rows by name of store and table; events by topic, in the order of their partitions."""

    intents: dict[str, Row]
    attempts: list[Row]
    outbox: int
    labels: list[Row]
    processor: dict[str, Row]
    waiting_advices: int
    undone_increments: set[tuple[str, str, str]]
    """Reference, trace number and time of increments that the processor took back."""
    rail_orders: dict[str, Row]
    """Attempts that accounts pay, as the processor has them; `rails` as the rails have them."""
    rails: dict[str, Row]
    authorizations: list[Row]
    postings: list[Row]
    learned: dict[str, int | None]
    events: dict[str, list[Event]]


def read_books(home: Path, log_url: str) -> Books:
    """Everything, as it stands now."""
    gateway, processor, acquirer = gateway_of(home), home / "processor.sqlite", home / "acquirer.sqlite"
    scored = rows(home / LEARNER, "SELECT payment, fraud FROM scored")
    return Books(
        intents={row["id"]: row for row in gateway("SELECT * FROM intents")},
        attempts=gateway("SELECT * FROM attempts"),
        outbox=len(gateway("SELECT id FROM outbox")),
        labels=gateway("SELECT * FROM labels"),
        processor={row["attempt_id"]: row for row in rows(processor, "SELECT * FROM attempts")},
        waiting_advices=len(rows(processor, "SELECT * FROM advices WHERE state = 'waiting'")),
        undone_increments={
            (row["reference"], f"{row['stan']:06}", row["transmitted_at"])
            for row in rows(processor, _UNDONE_INCREMENTS)
        },
        rail_orders={row["attempt_id"]: row for row in rows(processor, _REAL_ORDERS)},
        rails={row["order_id"]: row for row in rows(home / "rails.sqlite", "SELECT * FROM orders")},
        authorizations=rows(acquirer, "SELECT * FROM authorizations"),
        postings=rows(acquirer, "SELECT * FROM postings"),
        learned={row["payment"]: row["fraud"] for row in scored},
        events=_events(log_url),
    )


def gateway_of(home: Path) -> Callable[[str], list[Row]]:
    """Reads the gateway's own store, wherever the home has it."""
    url = store_url(home)
    if url.startswith("sqlite:"):
        return partial(rows, home / "gateway.sqlite")
    return partial(_rows_on_postgresql, url)


def _rows_on_postgresql(url: str, query: str) -> list[Row]:
    with psycopg.connect(url, autocommit=True, row_factory=dict_row) as connection:
        return list(connection.execute(query.encode()))


def rows(path: Path, query: str) -> list[Row]:
    """Read a database beside its owner."""
    connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=30)
    connection.row_factory = sqlite3.Row
    try:
        return [dict(row) for row in connection.execute(query)]
    finally:
        connection.close()


def is_quiet(home: Path) -> bool:
    """Whether nothing is owed: all sent, attempts ended and decided, due captures made, advices answered."""
    gateway, processor = gateway_of(home), home / "processor.sqlite"
    phases = "'assessing', 'awaiting_payer', 'awaiting_confirm', 'incrementing', 'capturing', 'voiding'"
    unfinished = f"phase IN ({phases}) OR decision_id IS NULL"
    # The outbox last: what ends meanwhile puts its event there in the same commit.
    return not (
        gateway(f"SELECT 1 FROM attempts WHERE {unfinished} LIMIT 1")
        or gateway(_DUE_CAPTURES)
        or gateway("SELECT 1 FROM refunds WHERE status = 'pending' LIMIT 1")
        or rows(processor, "SELECT 1 FROM attempts WHERE status = 'sending' LIMIT 1")
        or rows(processor, "SELECT 1 FROM advices WHERE state = 'waiting' LIMIT 1")
        or rows(processor, "SELECT 1 FROM rail_operations WHERE state = 'waiting' LIMIT 1")
        or gateway("SELECT 1 FROM outbox LIMIT 1")
    )


def has_learned(home: Path, log: Log) -> bool:
    """Whether the learner has taken in all that is on its topics, and what itself will put there."""
    reached = {row["place"]: row["next"] for row in rows(home / LEARNER, "SELECT place, next FROM positions")}
    coming = rows(home / LEARNER, "SELECT 1 FROM outbox WHERE topic = 'labels' LIMIT 1")
    return not coming and all(
        reached.get(f"{topic}/{number}", 0) >= end
        for topic in ("decisions", "payments", "labels")
        for number, end in enumerate(log.ends(topic))
    )


def restlessness(home: Path) -> str:
    """What is still owed, in words, for the message of a test that waited in vain."""
    gateway, processor = gateway_of(home), home / "processor.sqlite"
    phases = Counter(
        f"{row['phase']}{'' if row['decision_id'] else ' (no decision)'}"
        for row in gateway("SELECT * FROM attempts")
    )
    waiting = rows(processor, "SELECT * FROM advices WHERE state = 'waiting'")
    outbox = len(gateway("SELECT 1 FROM outbox"))
    due = " a capture is due," if gateway(_DUE_CAPTURES) else ""
    return f"attempts {dict(phases)},{due} outbox {outbox}, waiting advices {waiting}"


def records(log: Log, topic: str) -> Iterator[bytes | None]:
    """Values of all records of a topic up to its present ends, partition by partition."""
    for number, (start, end) in enumerate(zip(log.starts(topic), log.ends(topic), strict=True)):
        if start >= end:
            continue
        reader = log.reader({TopicPartition(topic, number): start})
        try:
            while found := reader.poll(4096, 2.0):
                yield from (record.value for record in found if record.offset < end)
                if found[-1].offset >= end - 1:
                    break
        finally:
            reader.close()


def _events(log_url: str) -> dict[str, list[Event]]:
    """By topic; what cannot be read is left out: whether it was set aside is counted by the dead letters."""
    log = open_log(log_url)
    events: dict[str, list[Event]] = {}
    try:
        for topic in READ:
            events[topic] = []
            for value in records(log, topic):
                with suppress(UnreadableEventError):
                    events[topic].append(decode(value))
    finally:
        log.close()
    return events
