"""Kafka's record batches in what passed over the wire: whether the search can read them.

A producer may compress a whole batch. What is not compressed, or by gzip, is found where it stands; the other
codecs are not Python's own, so a batch of theirs is told instead of being passed over. The layout is that of
the message format v2 (kafka.apache.org/documentation/#recordbatch).
"""

import re
import struct
from collections import Counter
from collections.abc import Iterator

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
READABLE = {"none", "gzip"}

_HEADER = struct.Struct(">qiibIhiqqqhii")
_PLAUSIBLE = re.compile(rb"(?=\x00\x00\x00.{5}\x00.{7}\x02.{4}\x00[\x00-\x7f])", re.DOTALL)
"""Offsets below 2^40, batches below 16 MB, the format's version, and no attribute that is not defined."""
_RECORDS_MAX = 1_000_000
_FIRST_MS, _LAST_MS = 631_152_000_000, 4_102_444_800_000
"""Of the years 1990 to 2100: what is told as the time of the records."""


def batches_by_codec(content: bytes) -> Counter[str]:
    """How many record batches begin in the bytes, by the codec of their records."""
    return Counter(codec for codec, _ in batches(content))


def batches(content: bytes) -> Iterator[tuple[str, int]]:
    """The codec of each record batch that begins in the bytes, and where."""
    for match in _PLAUSIBLE.finditer(content):
        header = content[match.start() : match.start() + _HEADER.size]
        if len(header) == _HEADER.size:
            _, length, _, _, _, attributes, last, base_ms, max_ms, _, _, _, count = _HEADER.unpack(header)
            known_codec = attributes & 7 < len(CODECS)
            in_bounds = length >= _HEADER.size - 12 and 0 < count <= last + 1 <= _RECORDS_MAX
            if known_codec and in_bounds and _FIRST_MS <= base_ms <= max_ms <= _LAST_MS:
                yield CODECS[attributes & 7], match.start()
