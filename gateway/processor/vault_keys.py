"""The vault's keys on disk: `keys/processor/vault.json`, made at first start, rotated on demand.

The wrapping keys and the key of the fingerprints are separate random keys; losing the file loses the cards.
"""

from pathlib import Path

import msgspec

from events.ids import Entropy
from gateway.keys.key_files import exclusively, make_private_folder, write_secret
from gateway.processor.errors import VaultError
from gateway.processor.vault import KEY_BYTES, VaultKeys

FILE_NAME = "vault.json"


class _File(msgspec.Struct, forbid_unknown_fields=True):
    current: int
    wrapping: dict[int, bytes]
    fingerprint: bytes


def open_vault_keys(keys: Path, entropy: Entropy, *, vault_is_empty: bool) -> VaultKeys:
    """The keys under `keys/processor`; made where there are none and the vault holds no card yet.

    Raises `VaultError` where the file is missing though cards are there, or cannot be read: new keys would
    make every card unreadable without a word.
    """
    folder = keys / "processor"
    make_private_folder(folder)
    with exclusively(folder):
        if (folder / FILE_NAME).exists():
            return _read(folder / FILE_NAME)
        if not vault_is_empty:
            raise VaultError(f"{folder / FILE_NAME} is missing, and the vault holds cards: restore the keys")
        return _write(folder / FILE_NAME, VaultKeys(1, {1: entropy(KEY_BYTES)}, entropy(KEY_BYTES)))


def add_key_version(keys: Path, entropy: Entropy) -> VaultKeys:
    """Add a wrapping key that seals from now on; the older ones stay until `retire_key_versions`."""
    folder = keys / "processor"
    with exclusively(folder):
        held = _read(folder / FILE_NAME)
        version = max(held.wrapping) + 1
        wrapping = {**held.wrapping, version: entropy(KEY_BYTES)}
        return _write(folder / FILE_NAME, VaultKeys(version, wrapping, held.fingerprint))


def retire_key_versions(keys: Path, still_used: set[int]) -> VaultKeys:
    """Forget the wrapping keys that no record needs any more."""
    folder = keys / "processor"
    with exclusively(folder):
        held = _read(folder / FILE_NAME)
        wrapping = {v: key for v, key in held.wrapping.items() if v == held.current or v in still_used}
        return _write(folder / FILE_NAME, VaultKeys(held.current, wrapping, held.fingerprint))


def _read(path: Path) -> VaultKeys:
    try:
        file = msgspec.json.decode(path.read_bytes(), type=_File)
    except msgspec.DecodeError:
        raise VaultError(f"{path} cannot be read: restore the keys from a back-up") from None
    lengths = {len(key) for key in (*file.wrapping.values(), file.fingerprint)}
    if lengths != {KEY_BYTES} or file.current not in file.wrapping:
        raise VaultError(f"{path} is not complete: restore the keys from a back-up")
    return VaultKeys(file.current, file.wrapping, file.fingerprint)


def _write(path: Path, keys: VaultKeys) -> VaultKeys:
    write_secret(path, msgspec.json.encode(_File(keys.current, keys.wrapping, keys.fingerprint)))
    return keys
