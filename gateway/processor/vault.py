"""The vault's cryptography: one data key per record, wrapped by a versioned key, bound to the record's token.

A record is AES-256-GCM under its own data key with the token as associated data, so that a row moved to
another token does not open. The data key is wrapped (AES key wrap, RFC 3394) by the key-encryption key of
`key_version`, which lives under `--keys`, apart from the records. Rotation wraps the data keys anew and
leaves the sealed content alone.
"""

from dataclasses import dataclass, field

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap, aes_key_wrap

from events.ids import Entropy
from events.personal import mac
from gateway.processor.errors import VaultError

KEY_BYTES = 32
_NONCE_BYTES = 12


@dataclass(frozen=True)
class VaultKeys:
    """Key-encryption keys by version, the version that seals, and the key of the fingerprints."""

    current: int
    wrapping: dict[int, bytes] = field(repr=False)
    fingerprint: bytes = field(repr=False)


class CardData(msgspec.Struct, frozen=True, array_like=True):
    """What the vault keeps of a card. The security code is not among it."""

    number: str
    exp_month: int
    exp_year: int

    def __repr__(self) -> str:
        return "CardData(…)"


class SealedCard(msgspec.Struct, frozen=True):
    """A record as it lies in the vault."""

    token: str
    key_version: int
    wrapped_key: bytes
    nonce: bytes
    content: bytes


def seal(keys: VaultKeys, token: str, card: CardData, entropy: Entropy) -> SealedCard:
    """Seal a card under a new data key."""
    data_key, nonce = entropy(KEY_BYTES), entropy(_NONCE_BYTES)
    content = AESGCM(data_key).encrypt(nonce, msgspec.msgpack.encode(card), token.encode())
    return SealedCard(token, keys.current, _wrap(keys, keys.current, data_key), nonce, content)


def open_sealed(keys: VaultKeys, record: SealedCard) -> CardData:
    """The card of a record; raises `VaultError` where key, record and token do not belong together."""
    data_key = _unwrap(keys, record)
    try:
        content = AESGCM(data_key).decrypt(record.nonce, record.content, record.token.encode())
    except (InvalidTag, ValueError):  # the latter where the nonce has not even its length
        raise VaultError("a record of the vault is damaged or stands under another token") from None
    return msgspec.msgpack.decode(content, type=CardData)


def rewrap(keys: VaultKeys, record: SealedCard) -> SealedCard:
    """The same record with its data key under the current key; raises `VaultError`."""
    wrapped = _wrap(keys, keys.current, _unwrap(keys, record))
    return msgspec.structs.replace(record, key_version=keys.current, wrapped_key=wrapped)


def fingerprint(keys: VaultKeys, number: str) -> str:
    """A keyed hash over the whole number: the same for one number, useless without the key."""
    return mac(keys.fingerprint, number.encode()).hex()


def _wrap(keys: VaultKeys, version: int, data_key: bytes) -> bytes:
    return aes_key_wrap(keys.wrapping[version], data_key)


def _unwrap(keys: VaultKeys, record: SealedCard) -> bytes:
    wrapping_key = keys.wrapping.get(record.key_version)
    if wrapping_key is None:
        raise VaultError(f"the vault key of version {record.key_version} is not in the key folder")
    try:
        return aes_key_unwrap(wrapping_key, record.wrapped_key)
    except InvalidUnwrap:
        raise VaultError("a record's data key was wrapped by another vault key") from None
