"""Rotation of the vault's wrapping key: a new version seals, every record is wrapped anew, old versions go.

It may be interrupted anywhere: until the last step both versions are in the key folder, and each record says
which one wraps it. It runs at a start, before requests are taken, since a running processor knows the keys
that it was started with.
"""

import sqlite3
from functools import partial
from pathlib import Path

from events.crash import crash_point, declare
from events.ids import Entropy
from gateway.processor import vault, vault_rows
from gateway.processor.store import ProcessorStore
from gateway.processor.vault import VaultKeys
from gateway.processor.vault_keys import add_key_version, retire_key_versions

declare(
    {
        "processor.rotation.version_added": "a new vault key is in place, the records still need the old one",
        "processor.rotation.batch_committed": "some records are wrapped by the new vault key, some are not",
    }
)

BATCH = 500


async def rotate(store: ProcessorStore, keys: Path, entropy: Entropy) -> VaultKeys:
    """The keys after a full rotation; raises `VaultError` where a record cannot be opened."""
    held = add_key_version(keys, entropy)
    crash_point("processor.rotation.version_added")
    while await store.transact(partial(_rewrap_batch, held)):
        crash_point("processor.rotation.batch_committed")
    return retire_key_versions(keys, still_used=await store.transact(vault_rows.key_versions))


def _rewrap_batch(keys: VaultKeys, database: sqlite3.Connection) -> int:
    cards = vault_rows.cards_not_under(database, keys.current, BATCH)
    for card in cards:
        vault_rows.update_wrapping(database, vault.rewrap(keys, card))
    return len(cards)
