"""Merchants and test keys that `up` and `demo` make for themselves: the first request needs no set-up.

The keys are kept under `--keys DIR/operations`, mode 0600; the gateway itself keeps only their digests.
"""

from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import Connection, select

from gateway.auth import Merchant, key_digest
from gateway.backoffice import Backoffice
from gateway.keys.key_files import make_private_folder, write_secret
from gateway.store.tables import api_keys, merchants
from simulator.traffic.population import MERCHANTS

FIRST = (Merchant(id="acct_first", name="First Merchant", category="5999", country="DE"),)
DEMO = tuple(
    Merchant(id=f"acct_demo_{number}", name=shop.name, category=shop.category, country=shop.country)
    for number, shop in enumerate(MERCHANTS)
)


def first_key(home: Path, keys: Path) -> str:
    """The test key of a merchant made at the first start; the same one later."""
    return _ensured(Backoffice(home, keys), keys / "operations" / "test-key", FIRST)[0]


def demo_keys_file(keys: Path) -> Path:
    """Where the simulator finds the keys of its merchants, one a line."""
    return keys / "operations" / "demo-keys"


def ensure_demo_keys(home: Path, keys: Path) -> None:
    """Make the merchants of the simulated month and their test keys, where they are missing."""
    _ensured(Backoffice(home, keys), demo_keys_file(keys), DEMO)


def _ensured(office: Backoffice, file: Path, wanted: Sequence[Merchant]) -> list[str]:
    """The keys in the file; new ones where it is missing or this store does not know them."""
    kept = file.read_text().split() if file.exists() else []
    known = office.write(lambda connection: _known(connection, office.keyring.api_keys, kept))
    if len(kept) == len(wanted) and known == len(wanted):
        return kept
    made = [_new_key(office, merchant) for merchant in wanted]
    make_private_folder(file.parent)
    write_secret(file, "\n".join(made).encode())
    return made


def _new_key(office: Backoffice, merchant: Merchant) -> str:
    if not office.write(lambda connection: _exists(connection, merchant)):
        office.add_merchant(merchant)
    return office.add_key(merchant.id, "test")["secret"]


def _exists(connection: Connection, merchant: Merchant) -> bool:
    return connection.execute(select(merchants.c.id).where(merchants.c.id == merchant.id)).first() is not None


def _known(connection: Connection, secret: bytes, keys: Sequence[str]) -> int:
    digests = [key_digest(secret, key) for key in keys]
    in_force = select(api_keys.c.id).where(api_keys.c.digest.in_(digests), api_keys.c.revoked_us.is_(None))
    return len(connection.execute(in_force).all())
