"""Identifiers: UUIDv7 for events, prefixed random strings for what people see."""

from collections.abc import Callable
from datetime import datetime

Entropy = Callable[[int], bytes]
"""Gives that many random bytes: `secrets.token_bytes`, or a counter or a seeded source in a simulation."""

_VARIANTS = {digit: "89ab"[int(digit, 16) & 0b11] for digit in "0123456789abcdef"}
"""A hexadecimal digit with its upper two bits set to 10."""


def uuid7(now: datetime, entropy: bytes) -> str:
    """UUID version 7 (RFC 9562) of a time and at least 10 bytes of randomness; sorts by time.

    >>> from datetime import UTC
    >>> uuid7(datetime(2026, 1, 1, tzinfo=UTC), bytes(10))
    '019b76da-a800-7000-8000-000000000000'
    """
    moment = f"{int(now.timestamp() * 1000):012x}"
    random = entropy[:10].hex()
    # RFC 9562: the version lies over the first four bits of the randomness, the variant over two later ones.
    variant = _VARIANTS[random[4]]
    return f"{moment[:8]}-{moment[8:]}-7{random[1:4]}-{variant}{random[5:8]}-{random[8:]}"


def prefixed(prefix: str, entropy: bytes) -> str:
    """An identifier such as `pi_5f…`: the prefix names the resource, the rest is random hexadecimal."""
    return f"{prefix}_{entropy.hex()}"


def resource_id(prefix: str, entropy: Entropy) -> str:
    """A new identifier of what people see: 128 random bits, so that nobody finds another's by guessing."""
    return prefixed(prefix, entropy(16))
