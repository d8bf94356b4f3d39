"""Cards that are forgotten leave the vault, beside a running processor or without one.

Nothing is opened: no key is needed, and no number seen. What is owed for a card that is gone (a capture, a
reversal) is still delivered, as the acquirer knows a payment by its reference; a new payment is declined.
"""

import asyncio
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from gateway.processor import vault_rows
from gateway.processor.store import ProcessorStore
from gateway.scheduling import InlineScheduling


def forget_cards(path: Path, tokens: Sequence[str]) -> None:
    """Delete the records of these tokens from the vault at `path`, if there is one, and their traces.

    Raises `StoreUnavailableError`; doing it again changes nothing.
    """
    if path.exists():
        asyncio.run(_forget(path, tokens))


async def _forget(path: Path, tokens: Sequence[str]) -> None:
    store = ProcessorStore(path, InlineScheduling())
    try:
        await store.transact(lambda database: _delete(database, tokens))
        store.forget_overwritten()
    finally:
        store.close()


def _delete(database: sqlite3.Connection, tokens: Sequence[str]) -> None:
    for token in tokens:
        vault_rows.delete_card(database, token)
