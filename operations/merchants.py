"""Merchants and test keys that `up` and `demo` make for themselves: the first request needs no set-up.

The keys are kept under `--keys DIR/operations`, mode 0600; the gateway itself keeps only their digests.
"""

from collections.abc import Sequence
from pathlib import Path

from gateway.backoffice import Backoffice
from gateway.keys.key_files import make_private_folder, write_secret
from gateway.people.merchants import Merchant, MerchantSettings
from simulator.traffic.population import MERCHANTS

FIRST = (Merchant(id="acct_first", name="First Merchant", category="5999", country="DE"),)
DEMO = tuple(
    Merchant(
        id=f"acct_demo_{number}",
        name=shop.name,
        category=shop.category,
        country=shop.country,
        settings=MerchantSettings(plan="scale"),
    )
    for number, shop in enumerate(MERCHANTS)
)


def first_key(home: Path, keys: Path) -> str:
    """The test key of a merchant made at the first start; the same one later."""
    return _ensure_keys(Backoffice(home, keys), keys / "operations" / "test-key", FIRST)[0]


def demo_keys_file(keys: Path) -> Path:
    """Where the simulator finds the keys of its merchants, one a line."""
    return keys / "operations" / "demo-keys"


def ensure_demo_keys(home: Path, keys: Path) -> None:
    """Make the merchants of the simulated month and their test keys, where they are missing."""
    _ensure_keys(Backoffice(home, keys), demo_keys_file(keys), DEMO)


def _ensure_keys(office: Backoffice, file: Path, wanted: Sequence[Merchant]) -> list[str]:
    """The keys in the file; new ones where it is missing or this store does not know them."""
    kept = file.read_text().split() if file.exists() else []
    if len(kept) == len(wanted) and office.knows(kept):
        return kept
    existing = {merchant.id for merchant in office.merchants()}
    for merchant in wanted:
        if merchant.id not in existing:
            office.add_merchant(merchant)
    # All anew, even where one alone is missing: the file is written whole, in the order of the merchants.
    made = [office.add_key(merchant.id, "test")["secret"] for merchant in wanted]
    make_private_folder(file.parent)
    write_secret(file, "\n".join(made).encode())
    return made
