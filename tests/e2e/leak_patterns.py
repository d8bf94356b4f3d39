"""Looking for hundreds of byte patterns at once, in gigabytes: one pass over the bytes, not one for each.

Patterns are in eight groups, each of which has a bit. A table for each of the first places says of which
groups a byte may stand there; where the tables agree on a bit over all of them, a pattern may begin. This is
done for all bytes by the C code of `bytes.translate` and NumPy; what follows is compared there alone.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

PIECE_BYTES = 256 * 1024
"""Small enough to stay in a core's own cache from table to table."""
GROUPS = 8
START_BYTES = 6


class Patterns:
    """Named patterns, each of `start_bytes` or more, of which so many are looked for in the whole.

    >>> Patterns([("a card", b"4000027"), ("a word", b"worded")]).found(b"<<4000027>> 40000 word ed")
    {'a card'}
    """

    def __init__(self, named: Sequence[tuple[str, bytes]], start_bytes: int = START_BYTES) -> None:
        self._start_bytes = start_bytes
        self._by_start: dict[bytes, list[tuple[str, bytes]]] = {}
        for name, pattern in named:
            assert len(pattern) >= start_bytes, name
            self._by_start.setdefault(pattern[:start_bytes], []).append((name, pattern))
        # Those that begin alike are in one group, so that its tables let few other bytes through.
        groups = np.array_split(np.array(sorted(self._by_start), object), GROUPS)
        tables = [bytearray(256) for _ in range(start_bytes)]
        for number, group in enumerate(groups):
            for start in group:
                for table, byte in zip(tables, start, strict=True):
                    table[byte] |= 1 << number
        self._tables = [bytes(table) for table in tables]

    def found(self, content: bytes) -> set[str]:
        """The names of those that stand anywhere in the bytes."""
        return {name for name, _ in self.places(content)}

    def places(self, content: bytes) -> Iterator[tuple[str, int]]:
        """Each place where one stands, with its name."""
        for first in range(0, len(content), PIECE_BYTES):
            # Where a piece ends no pattern is missed, and none is seen twice.
            piece = content[first : first + PIECE_BYTES + self._start_bytes - 1]
            for at in self._likely(piece):
                place = first + at
                for name, pattern in self._by_start.get(content[place : place + self._start_bytes], ()):
                    if content.startswith(pattern, place):
                        yield name, place

    def _likely(self, piece: bytes) -> list[int]:
        count = len(piece) - self._start_bytes + 1
        if count <= 0:
            return []
        groups = self._allowed(piece, 0, count)
        for number in range(1, self._start_bytes):
            groups = groups & self._allowed(piece, number, count)
        found: list[int] = np.flatnonzero(groups).tolist()
        return found

    def _allowed(self, piece: bytes, number: int, count: int) -> NDArray[np.uint8]:
        """For each beginning the groups that its byte of that number allows."""
        return np.frombuffer(piece.translate(self._tables[number]), np.uint8, count, number)
