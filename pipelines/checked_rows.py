"""Rows with a checksum: SQLite sees damage to its own pages' order, and none within a value.

>>> without_checksum("card/7", with_checksum("card/7", b"one"))
b'one'
>>> without_checksum("card/8", with_checksum("card/7", b"one")) is None
True
"""

from zlib import crc32

CHECKSUM_BYTES = 4


def with_checksum(key: str, value: bytes) -> bytes:
    """The value as it is kept: a checksum over key and value behind it."""
    return value + crc32(value, crc32(key.encode())).to_bytes(CHECKSUM_BYTES, "little")


def without_checksum(key: str, kept: bytes) -> bytes | None:
    """The value; None where it is not what was kept under this key."""
    value = kept[:-CHECKSUM_BYTES]
    return value if with_checksum(key, value) == kept else None
