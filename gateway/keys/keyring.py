"""The API process's own secrets: random files under `--keys DIR/api`, made at first start, mode 0600."""

import secrets
from pathlib import Path
from typing import NamedTuple

from gateway.keys.key_files import exclusively, make_private_folder, write_secret

SECRET_BYTES = 32

_IRREPLACEABLE = ("api_keys", "entities", "subjects")
"""Without these, keys open nothing and sealed fields stay sealed; a new one of the rest does no harm."""


class Keyring(NamedTuple):
    """`api_keys` digests API keys, `entities` hashes what is counted, `subjects` wraps subjects' keys,
    `sign_ins` signs the tokens of people who signed in."""

    api_keys: bytes
    entities: bytes
    subjects: bytes
    sign_ins: bytes


def open_keyring(keys: Path) -> Keyring:
    """The keyring of a directory; what is missing is made."""
    folder = keys / "api"
    make_private_folder(folder)
    with exclusively(folder):
        return Keyring(*(_secret(folder / f"{name}.key") for name in Keyring._fields))


def is_complete(keys: Path) -> bool:
    """Whether the directory holds all of a keyring that cannot be made anew; makes nothing."""
    return all((keys / "api" / f"{name}.key").exists() for name in _IRREPLACEABLE)


def _secret(path: Path) -> bytes:
    if not path.exists():
        write_secret(path, secrets.token_bytes(SECRET_BYTES))
    return path.read_bytes()
