"""Personal fields: sealed under a key of their data subject; what is counted becomes a surrogate.

The gateway owns the keys (`subject → key`) and the mapping (`keyed hash → surrogate`); deleting both makes
the log, the state of the engine and every backup forget the person at once.
"""

import hmac
from functools import lru_cache

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from events.errors import EventsError

NONCE_BYTES = 12
KEY_BYTES = 32


class UnsealError(EventsError):
    """The sealed fields cannot be opened: another subject's, another key's, or changed."""


def seal(fields: dict[str, str], *, key: bytes, subject: str, nonce: bytes) -> bytes:
    """AES-256-GCM of the fields, bound to `subject`; `nonce` is 12 fresh random bytes and stands in front."""
    return nonce + AESGCM(key).encrypt(nonce, msgspec.json.encode(fields), subject.encode())


def unseal(sealed: bytes, *, key: bytes, subject: str) -> dict[str, str]:
    """The fields; raises `UnsealError`."""
    try:
        plain = AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], subject.encode())
    except (InvalidTag, ValueError):
        raise UnsealError(f"the personal fields of {subject} cannot be opened with this key") from None
    return msgspec.json.decode(plain, type=dict[str, str])


def keyed_hash(secret: bytes, kind: str, value: str) -> bytes:
    """HMAC-SHA-256 of a value that identifies an entity of a kind, under the platform's secret.

    The kind is part of the input, so that an IP and a device id with the same text do not meet.
    """
    return mac(secret, f"{kind}\0{value}".encode())


def mac(secret: bytes, message: bytes) -> bytes:
    """HMAC-SHA-256 under one of the platform's few secrets.

    >>> mac(b"secret", b"message") == hmac.digest(b"secret", b"message", "sha256")
    True
    """
    keyed = _keyed(secret).copy()
    keyed.update(message)
    return keyed.digest()


@lru_cache(maxsize=16)
def _keyed(secret: bytes) -> hmac.HMAC:
    """Before any message: taking in the secret costs ten times as much as a short message."""
    return hmac.new(secret, digestmod="sha256")
