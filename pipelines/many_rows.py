"""Many rows in one statement: with one in each a thread must win the interpreter's lock back each time.

Keys and values lie in one run of bytes, with a list of where each begins and how long it is. As texts in the
list keys would end at a NUL character, and one entity's row would be written over another's.
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from pipelines.checked_rows import with_checksum
from pipelines.state_file import StateFile

ROWS_AT_ONCE = 256
"""Rows a statement: the interpreter's lock is held below a millisecond, the statement itself is no cost."""

KEY = "CAST(substr(content, json_extract(value, '$[0]'), json_extract(value, '$[1]')) AS TEXT)"
PLACES = "FROM (SELECT ? AS content), json_each(?)"
PUT = f"""
INSERT INTO rows SELECT {KEY}, substr(content, json_extract(value, '$[2]'), json_extract(value, '$[3]'))
{PLACES} WHERE true ON CONFLICT (key) DO UPDATE SET value = excluded.value
"""  # no input
REMOVE = f"DELETE FROM rows WHERE key IN (SELECT {KEY} {PLACES})"  # noqa: S608  # no input


def put_rows(file: StateFile, rows: Mapping[str, bytes]) -> None:
    """Put rows into the open transaction, in the order of their keys, as neighbors share a page."""
    ordered = sorted(rows.items())
    for begin in range(0, len(ordered), ROWS_AT_ONCE):
        some = ordered[begin : begin + ROWS_AT_ONCE]
        file.change(PUT, _laid_out((key.encode(), with_checksum(key, value)) for key, value in some))


def remove_rows(file: StateFile, keys: Sequence[str]) -> None:
    """Remove rows in the open transaction."""
    for begin in range(0, len(keys), ROWS_AT_ONCE):
        file.change(REMOVE, _laid_out((key.encode(),) for key in keys[begin : begin + ROWS_AT_ONCE]))


def _laid_out(rows: Iterable[tuple[bytes, ...]]) -> tuple[bytes, str]:
    """All parts of all rows in one run; for each row where its parts begin, from 1, and their lengths."""
    content: list[bytes] = []
    places: list[list[int]] = []
    at = 1
    for row in rows:
        place: list[int] = []
        for part in row:
            place += [at, len(part)]
            at += len(part)
        content += row
        places.append(place)
    return b"".join(content), msgspec.json.encode(places).decode()
