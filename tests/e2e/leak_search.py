"""Searching bytes for digits that must not be there: in every form they might have, streams decompressed.

Planted numbers of one set share their first digits (`Planted.digits`), so that one search finds them all; the
shared part is longer than a BIN, which may be kept. A form that a search cannot find is no proof: the tests
find a canary in each form first.
"""

import base64
import bz2
import gzip
import lzma
import re
import zlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from tests.e2e.leak_codes import SecurityCode, found_codes
from tests.e2e.leak_patterns import Patterns

DECOMPRESSED_BYTES_MAX = 64 * 1024 * 1024
BCD_DIGITS_MIN = 13
"""Fewer, two a byte, are found in any memory by chance."""
ZEROS = bytes(64)
BLOCK_BYTES = 512
"""So many zeros are left out where a block of so many begins. A multiple of eight."""
DEPTH_MAX = 3
"""A stream within a text within a stream: deeper nesting is nobody's."""

_STREAMS = {
    "zlib": re.compile(rb"\x78[\x01\x5e\x9c\xda]"),
    "gzip": re.compile(rb"\x1f\x8b\x08"),
    "bzip2": re.compile(rb"BZh[1-9]1AY&SY"),
    "xz": re.compile(rb"\xfd7zXZ\x00"),
}
_BASE64_TEXT = re.compile(rb"(?:e[AFJN]|H4sI|Qlpo|/Td6|_Td6)[A-Za-z0-9+/_-]{20,}")
_HEX_TEXT = re.compile(rb"(?:78(?:01|5e|9c|da)|1f8b08|425a68|fd377a58)[0-9a-f]{20,}", re.IGNORECASE)
"""Texts that begin as an encoded stream does; what is not compressed is found in its encoded form itself."""


class Planted(NamedTuple):
    """A set of planted secrets by what they share: digits, or any text.

    `held_by` are the programs that cannot do without them: their memory, and what they are sent in the clear.
    """

    name: str
    digits: str
    held_by: tuple[str, ...] = ()


def forms(text: str) -> dict[str, list[bytes]]:
    """How a text of digits and signs may lie in bytes, by the name of the form."""
    plain = text.encode()
    found = {
        "plain": [plain],
        "hex": [plain.hex().encode(), plain.hex().upper().encode()],
        "base64": [pattern for alphabet in (b"+/", b"-_") for pattern in _base64_forms(plain, alphabet)],
        "URL": [b"".join(b"%%%02x" % byte for byte in plain), b"".join(b"%%%02X" % byte for byte in plain)],
        "UTF-16": [plain.decode().encode("utf-16-le")[:-1]],
        "UTF-32": [plain.decode().encode("utf-32-le")[:-3]],
    }
    if text.isdigit():
        found["EBCDIC"] = [text.encode("cp500")]
        if len(text) >= BCD_DIGITS_MIN:
            found["BCD"] = [bytes.fromhex(part) for part in _nibbles(text)]
        found["grouped"] = [separator.join(_groups(text)).encode() for separator in (" ", "-", ":")]
    return {form: list(dict.fromkeys(patterns)) for form, patterns in found.items()}


def _base64_forms(plain: bytes, alphabet: bytes) -> Iterator[bytes]:
    """At each of the three alignments: without the characters that neighbors have a part in."""
    for before in range(3):
        coded = base64.b64encode(b"\0" * before + plain + b"\0\0", alphabet)
        first = -(-before * 8 // 6)
        last = (before + len(plain)) * 8 // 6
        yield coded[first:last]


def _nibbles(digits: str) -> Iterator[str]:
    """Two digits a byte, beginning at either half of one."""
    yield digits[: len(digits) // 2 * 2]
    yield digits[1 : 1 + (len(digits) - 1) // 2 * 2]


def _groups(digits: str) -> list[str]:
    """As printed on a card. What is left of the last group is not searched for: it differs between cards."""
    return [digits[at : at + 4] for at in range(0, len(digits), 4)]


class Search:
    """Looks for sets of planted secrets, and for security codes that stand alone."""

    def __init__(self, *planted: Planted, codes: tuple[SecurityCode, ...] = ()) -> None:
        self._codes = codes
        self._patterns = Patterns(
            [
                (f"{each.name} as {form}", pattern)
                for each in planted
                for form, patterns in forms(each.digits).items()
                for pattern in patterns
            ]
        )

    def plainly(self, content: bytes) -> set[str]:
        """What is found in the bytes as they are: `NAME as FORM`."""
        return self._patterns.found(content).union(
            *({f"a security code, {form}" for form in found_codes(code, content)} for code in self._codes)
        )

    def deeply(self, content: bytes, depth: int = 0) -> set[str]:
        """Also in streams and encoded texts that the bytes hold."""
        found = self.plainly(content)
        if depth < DEPTH_MAX:
            for name, inner in (*_streams(content), *_texts(content)):
                found |= {f"{what} in {name}" for what in self.deeply(inner, depth + 1)}
        return found


def condensed(content: bytes) -> bytes:
    """Without the zeros of what was never written, which are most of a memory: no secret holds so many."""
    whole = len(content) // BLOCK_BYTES
    if not whole:
        return content
    words = np.frombuffer(content, np.uint64, whole * BLOCK_BYTES // 8).reshape(whole, -1)
    used = np.append(words.any(axis=1), any(content[whole * BLOCK_BYTES :]))
    if used.all():
        return content
    edges = np.flatnonzero(np.diff(used, prepend=False, append=False)).reshape(-1, 2) * BLOCK_BYTES
    return ZEROS.join(content[first:last] for first, last in edges.tolist())


def _streams(content: bytes) -> Iterator[tuple[str, bytes]]:
    view = memoryview(content)
    for name, start in _STREAMS.items():
        for match in start.finditer(content):
            inner = _decompressed(name, view[match.start() :])
            if inner:
                yield name, inner


def _decompressed(name: str, content: memoryview) -> bytes:
    """As much of a stream as can be read; nothing where it is none."""
    try:
        if name == "zlib":
            return zlib.decompressobj().decompress(content, DECOMPRESSED_BYTES_MAX)
        if name == "gzip":
            return zlib.decompressobj(wbits=31).decompress(content, DECOMPRESSED_BYTES_MAX)
        if name == "bzip2":
            return bz2.BZ2Decompressor().decompress(content, DECOMPRESSED_BYTES_MAX)
        return lzma.LZMADecompressor().decompress(content, DECOMPRESSED_BYTES_MAX)
    except (zlib.error, OSError, EOFError, lzma.LZMAError):
        return b""


def _texts(content: bytes) -> Iterator[tuple[str, bytes]]:
    """Encoded texts that hold a compressed stream, decoded."""
    for match in _BASE64_TEXT.finditer(content):
        text = match.group().replace(b"-", b"+").replace(b"_", b"/")
        yield "base64", base64.b64decode(text[: len(text) // 4 * 4])
    for match in _HEX_TEXT.finditer(content):
        yield "hex", bytes.fromhex(match.group()[: len(match.group()) // 2 * 2].decode())


def canaries(text: str) -> dict[str, bytes]:
    """The text in every form that must be found, each between other bytes."""
    plain = text.encode()
    around = {form: b"<<" + pattern + b">>" for form, (pattern, *_) in forms(text).items()}
    around |= {f"base64 at {shift}": base64.b64encode(b"x" * shift + plain + b"yy") for shift in range(3)}
    around |= {
        "UTF-16 big": text.encode("utf-16-be"),
        "BCD shifted": bytes.fromhex(f"f{text}{'f' * (1 + len(text) % 2)}"[: (len(text) + 2) // 2 * 2]),
        "zlib": b"before" + zlib.compress(plain) + b"after",
        "gzip": b"before" + gzip.compress(plain) + b"after",
        "bzip2": b"before" + bz2.compress(plain) + b"after",
        "xz": b"before" + lzma.compress(plain) + b"after",
        "zlib in base64": b'{"state":"' + base64.b64encode(zlib.compress(plain)) + b'"}',
        "gzip in hex": gzip.compress(plain).hex().encode(),
    }
    return around
