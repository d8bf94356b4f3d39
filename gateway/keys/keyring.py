"""The API process's own secrets: random files under `--keys DIR/api`, made at first start, mode 0600."""

import secrets
from pathlib import Path
from typing import NamedTuple

from gateway.keys.key_files import exclusively, make_private_folder, write_secret

SECRET_BYTES = 32


class Keyring(NamedTuple):
    """`api_keys` digests API keys, `entities` hashes what is counted, `subjects` wraps subjects' keys."""

    api_keys: bytes
    entities: bytes
    subjects: bytes


def open_keyring(keys: Path) -> Keyring:
    """The keyring of a directory; what is missing is made."""
    folder = keys / "api"
    make_private_folder(folder)
    with exclusively(folder):
        return Keyring(*(_secret(folder / f"{name}.key") for name in Keyring._fields))


def is_complete(keys: Path) -> bool:
    """Whether the directory holds a whole keyring; makes nothing."""
    return all((keys / "api" / f"{name}.key").exists() for name in Keyring._fields)


def _secret(path: Path) -> bytes:
    if not path.exists():
        write_secret(path, secrets.token_bytes(SECRET_BYTES))
    return path.read_bytes()
