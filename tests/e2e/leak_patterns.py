"""Looking for hundreds of byte patterns at once, in gigabytes: one pass over the bytes, not one for each."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

PIECE_BYTES = 8 * 1024 * 1024
PAIRS = 3
START_BYTES = 2 * PAIRS
"""Of each pattern so many are looked for in the whole, pair by pair; then the rest is compared."""


class Patterns:
    """Named patterns, each of six bytes or more.

    >>> Patterns([("a card", b"4000027"), ("a word", b"worded")]).found(b"<<4000027>> 40000 word ed")
    {'a card'}
    """

    def __init__(self, named: Sequence[tuple[str, bytes]]) -> None:
        self._by_start: dict[bytes, list[tuple[str, bytes]]] = {}
        self._pairs = [np.zeros(2**16, np.bool_) for _ in range(PAIRS)]
        self._longest = max((len(pattern) for _, pattern in named), default=START_BYTES)
        for name, pattern in named:
            assert len(pattern) >= START_BYTES, name
            self._by_start.setdefault(pattern[:START_BYTES], []).append((name, pattern))
            for table, at in zip(self._pairs, range(0, START_BYTES, 2), strict=True):
                table[pattern[at] | pattern[at + 1] << 8] = True

    def found(self, content: bytes) -> set[str]:
        """The names of those that stand anywhere in the bytes."""
        return {
            name
            for first in range(0, len(content), PIECE_BYTES)
            for name in self._found_in(content[first : first + PIECE_BYTES + self._longest])
        }

    def _found_in(self, piece: bytes) -> Iterator[str]:
        for at in self._likely(np.frombuffer(piece, np.uint8)):
            for name, pattern in self._by_start.get(piece[at : at + START_BYTES], ()):
                if piece.startswith(pattern, at):
                    yield name

    def _likely(self, octets: NDArray[np.uint8]) -> list[int]:
        if len(octets) < START_BYTES:
            return []
        pairs = octets[:-1] | octets[1:].astype(np.uint16) << 8
        places = np.flatnonzero(self._pairs[0][pairs[: len(pairs) - START_BYTES + 2]])
        for number, table in enumerate(self._pairs[1:], 1):
            places = places[table[pairs[places + 2 * number]]]
        found: list[int] = places.tolist()
        return found
