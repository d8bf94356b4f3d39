"""Merchants and test keys that `up` and `demo` make for themselves: the first request needs no set-up.

The keys are kept under `--keys DIR/operations`, mode 0600; the gateway itself keeps only their digests.
"""

import secrets
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from sqlalchemy import Connection, Engine, select

from gateway import auth
from gateway.auth import Merchant
from gateway.facts import Facts
from gateway.key_files import make_private_folder, write_secret
from gateway.keyring import open_keyring
from gateway.store.database import open_engine
from gateway.store.tables import api_keys, merchants
from simulator.traffic.population import MERCHANTS

FIRST = (Merchant(id="acct_first", name="First Merchant", category="5999", country="DE"),)
DEMO = tuple(
    Merchant(id=f"acct_demo_{number}", name=shop.name, category=shop.category, country=shop.country)
    for number, shop in enumerate(MERCHANTS)
)
ACTOR = "operations"


def first_key(home: Path, keys: Path, at: datetime) -> str:
    """The test key of a merchant made at the first start; the same one later."""
    return _ensured(home, keys / "operations" / "test-key", keys, FIRST, at)[0]


def demo_keys_file(keys: Path) -> Path:
    """Where the simulator finds the keys of its merchants, one a line."""
    return keys / "operations" / "demo-keys"


def ensure_demo_keys(home: Path, keys: Path, at: datetime) -> None:
    """Make the merchants of the simulated month and their test keys, where they are missing."""
    _ensured(home, demo_keys_file(keys), keys, DEMO, at)


def _ensured(home: Path, file: Path, keys: Path, wanted: Sequence[Merchant], at: datetime) -> list[str]:
    make_private_folder(file.parent)
    kept = file.read_text().split() if file.exists() else []
    engine = open_engine(f"sqlite:///{home / 'gateway.sqlite'}")
    try:
        secret = open_keyring(keys).api_keys
        with engine.connect() as connection:
            if len(kept) == len(wanted) and all(_is_valid(connection, secret, key) for key in kept):
                return kept
        kept = _made(engine, secret, wanted, at)
        write_secret(file, "\n".join(kept).encode())
        return kept
    finally:
        engine.dispose()


def _made(engine: Engine, secret: bytes, wanted: Sequence[Merchant], at: datetime) -> list[str]:
    facts = Facts(secrets.token_bytes)
    with engine.connect().execution_options(weir_writes=True) as connection, connection.begin():
        for merchant in wanted:
            if not connection.execute(select(merchants.c.id).where(merchants.c.id == merchant.id)).first():
                auth.create_merchant(connection, facts, merchant, at=at, actor=ACTOR)
        return [
            auth.create_key(
                connection,
                facts,
                merchant_id=merchant.id,
                mode="test",
                secret=secret,
                entropy=secrets.token_bytes,
                at=at,
                actor=ACTOR,
            ).secret
            for merchant in wanted
        ]


def _is_valid(connection: Connection, secret: bytes, key: str) -> bool:
    digest = auth.key_digest(secret, key)
    found = connection.execute(select(api_keys.c.revoked_us).where(api_keys.c.digest == digest)).one_or_none()
    return found is not None and found.revoked_us is None
