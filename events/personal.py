"""Personal fields: sealed under a key of their data subject; what is counted becomes a surrogate.

The gateway owns the keys (`subject → key`) and the mapping (`keyed hash → surrogate`); deleting both makes
the log, the state of the engine and every backup forget the person at once.
"""

import hashlib
import hmac

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
    return hmac.new(secret, f"{kind}\0{value}".encode(), hashlib.sha256).digest()
