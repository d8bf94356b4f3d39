"""Identifiers: UUIDv7 for events, prefixed random strings for what people see."""

from collections.abc import Callable
from datetime import datetime

Entropy = Callable[[int], bytes]
"""Gives that many random bytes: `secrets.token_bytes`, or a counter or a seeded source in a simulation."""


def uuid7(now: datetime, entropy: bytes) -> str:
    """UUID version 7 (RFC 9562) of a time and at least 10 bytes of randomness; sorts by time.

    >>> from datetime import UTC
    >>> uuid7(datetime(2026, 1, 1, tzinfo=UTC), bytes(10))
    '019b76da-a800-7000-8000-000000000000'
    """
    milliseconds = int(now.timestamp() * 1000)
    value = (milliseconds << 80) | int.from_bytes(entropy[:10], "big")
    # RFC 9562: the version and the variant lie over six bits of the randomness.
    value = (value & ~(0xF << 76)) | (0x7 << 76)
    value = (value & ~(0x3 << 62)) | (0x2 << 62)
    digits = f"{value:032x}"
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def prefixed(prefix: str, entropy: bytes) -> str:
    """An identifier such as `pi_5f…`: the prefix names the resource, the rest is random hexadecimal."""
    return f"{prefix}_{entropy.hex()}"


def resource_id(prefix: str, entropy: Entropy) -> str:
    """A new identifier of what people see: 128 random bits, so that nobody finds another's by guessing."""
    return prefixed(prefix, entropy(16))
