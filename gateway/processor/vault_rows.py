"""Sealed cards as rows of the vault: plain functions over one open transaction. Nothing is opened here."""

import sqlite3

import msgspec

from gateway.processor.vault import SealedCard

_COLUMNS = ", ".join(SealedCard.__struct_fields__)


def find_card(database: sqlite3.Connection, token: str) -> SealedCard | None:
    """The sealed card of a token, None where the vault holds none."""
    row = database.execute(
        f"SELECT {_COLUMNS} FROM cards WHERE token = ?",  # noqa: S608  # column names
        (token,),
    ).fetchone()
    return None if row is None else SealedCard(*row)


def insert_card(database: sqlite3.Connection, card: SealedCard) -> None:
    """Keep a sealed card."""
    database.execute("INSERT INTO cards VALUES (?, ?, ?, ?, ?)", msgspec.structs.astuple(card))


def delete_card(database: sqlite3.Connection, token: str) -> None:
    """Forget a card."""
    database.execute("DELETE FROM cards WHERE token = ?", (token,))


def vault_is_empty(database: sqlite3.Connection) -> bool:
    """Whether no card is kept yet."""
    return database.execute("SELECT 1 FROM cards LIMIT 1").fetchone() is None


def cards_not_under(database: sqlite3.Connection, key_version: int, limit: int) -> list[SealedCard]:
    """Cards whose data key another version of the wrapping key wraps, at most `limit`."""
    rows = database.execute(
        f"SELECT {_COLUMNS} FROM cards WHERE key_version <> ? LIMIT ?",  # noqa: S608  # column names
        (key_version, limit),
    )
    return [SealedCard(*row) for row in rows.fetchall()]


def update_wrapping(database: sqlite3.Connection, card: SealedCard) -> None:
    """Record the card's data key as it is wrapped now; the sealed content stays."""
    database.execute(
        "UPDATE cards SET key_version = ?, wrapped_key = ? WHERE token = ?",
        (card.key_version, card.wrapped_key, card.token),
    )


def key_versions(database: sqlite3.Connection) -> set[int]:
    """The versions of the wrapping key that cards still need."""
    return {row[0] for row in database.execute("SELECT DISTINCT key_version FROM cards")}
