"""Finding a security code in the pages of SQLite as they lie on disk: also what is gone, or only in the WAL.

A record there is its length, its row's number, a header with the kind of each cell, and the cells one after
the other (sqlite.org/fileformat2.html, "Record Format"). So three digits that are a whole cell can be told
from three digits within one.
"""

from collections.abc import Iterator

from tests.e2e.leak_codes import SecurityCode

HEADER_BYTES_MAX = 60
"""More columns than any table of ours has."""
BEFORE_BYTES_MAX = 200
"""The digits lie no further behind the header's start than all the cells before them are long."""
_SIZES = {0: 0, 1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8, 7: 8, 8: 0, 9: 0}


def is_cell_in_pages(code: SecurityCode, content: bytes) -> bool:
    """Whether a text or blob that is the code alone is a cell of some record."""
    digits = code.digits.encode()
    kinds = {12 + 2 * len(digits), 13 + 2 * len(digits)}
    at = content.find(digits)
    while at >= 0:
        first = max(1, at - BEFORE_BYTES_MAX)
        # Texts hold no such byte: most digits need no closer look.
        if not kinds.isdisjoint(content[first:at]) and any(
            _is_cell(content, start, at, kinds) for start in range(first, at)
        ):
            return True
        at = content.find(digits, at + 1)
    return False


def _is_cell(content: bytes, start: int, at: int, kinds: set[int]) -> bool:
    """Whether a record whose header begins at `start` has a cell of such a kind at `at`."""
    header_bytes = content[start]
    if not 2 <= header_bytes <= HEADER_BYTES_MAX or start + header_bytes > at:
        return False
    place, found = start + header_bytes, False
    for kind in _varints(content[start + 1 : start + header_bytes]):
        found = found or (place == at and kind in kinds)
        place += _SIZES.get(kind, (kind - 12) // 2)
    return found and _has_length_before(content, start, place - start)


def _has_length_before(content: bytes, start: int, record_bytes: int) -> bool:
    """Whether the record's length stands before it, and between them its row's number, if it has one."""
    for first in range(max(0, start - 12), start):
        numbers = list(_varints(content[first:start]))
        if numbers[:1] == [record_bytes] and len(numbers) <= 2 and content[start - 1] < 0x80:
            return True
    return False


def _varints(content: bytes) -> Iterator[int]:
    value = 0
    for byte in content:
        value = value << 7 | byte & 0x7F
        if byte < 0x80:
            yield value
            value = 0
