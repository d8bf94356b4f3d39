"""Books that do not close, made from books that do: what an accounting must not overlook."""

from collections.abc import Iterator
from dataclasses import replace

import msgspec

from events.types import DecisionMade, Event, PaymentCaptured
from tests.e2e.books import Books, Row


def tampered(books: Books) -> Iterator[tuple[str, Books]]:
    """One wrong thing at a time, with what it is."""
    decisions, payments = books.events["decisions"], books.events["payments"]
    captured = next(a for a in books.attempts if a["phase"] == "captured")
    decided = next(e for e in decisions if isinstance(e, DecisionMade))
    moved = next(e for e in payments if isinstance(e, PaymentCaptured))
    label, sign_in = books.events["labels"][0], books.events["accounts"][0]
    yield "a lost payment", replace(books, intents=_without(books.intents, captured["payment_id"]))
    for topic, event in (
        ("payments", moved),
        ("decisions", decided),
        ("labels", label),
        ("accounts", sign_in),
    ):
        yield (
            f"an event lost from {topic}",
            _with(books, topic, [e for e in books.events[topic] if e != event]),
        )
    yield (
        "a second decision",
        _with(books, "decisions", [*decisions, msgspec.structs.replace(decided, id="another")]),
    )
    yield "an authorization more", replace(books, authorizations=_with_another(books, captured))
    yield (
        "a hold that nobody gave back",
        replace(books, authorizations=[{**row, "state": "approved"} for row in books.authorizations]),
    )
    yield "money moved twice", replace(books, postings=[*books.postings, *books.postings[-3:]])
    yield (
        "another amount captured",
        replace(books, attempts=[_more(row) if row == captured else row for row in books.attempts]),
    )
    yield "a capture that the processor lacks", replace(books, processor=_approved(books, captured["id"]))
    yield "money that went back unasked", replace(books, processor=_returned(books, captured["id"]))
    yield "a label that was not learned", replace(books, learned=dict.fromkeys(books.learned))
    yield "an event that still waits", replace(books, outbox=1)


def _without(rows: dict[str, Row], name: str) -> dict[str, Row]:
    return {key: row for key, row in rows.items() if key != name}


def _with(books: Books, topic: str, events: list[Event]) -> Books:
    return replace(books, events={**books.events, topic: events})


def _with_another(books: Books, captured: Row) -> list[Row]:
    reference = books.processor[captured["id"]]["reference"]
    return [*books.authorizations, *(r for r in books.authorizations if r["reference"] == reference)]


def _more(row: Row) -> Row:
    return {**row, "capture_minor": row["capture_minor"] + 1}


def _approved(books: Books, attempt: str) -> dict[str, Row]:
    return {**books.processor, attempt: {**books.processor[attempt], "status": "approved"}}


def _returned(books: Books, attempt: str) -> dict[str, Row]:
    return {**books.processor, attempt: {**books.processor[attempt], "refunded_minor": 1}}
