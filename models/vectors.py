"""What learning takes from a row as scored, as few bytes: its active slots, and the modeled numbers it has.

A payment waits for its label for days or months, so its row is made ready once and kept small: slots need no
search for bins when the label comes, and of the numbers, of which a payment without device or address lacks
half, only those that are there are kept. About 500 bytes, and a microsecond or two to read back.

Stores keep these bytes and do not look into them. They hold slots: where bins, crosses or columns change,
what is kept on disk is of another format.
"""

from collections.abc import Sequence
from itertools import accumulate, pairwise
from struct import Struct
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from models.feature import Row
from models.slots import NUMERIC, Matrix, Slots, numbers_of, slots_of

_GIVEN_BYTES = -(-len(NUMERIC) // 8)
"""One bit for each number: whether the row has it."""
_slots_of_count = [Struct(f"<{count}H").unpack_from for count in range(256)]
"""A vector's first byte counts its slots; they follow, two bytes each, then the bits, then the numbers."""


class Unpacked(NamedTuple):
    """Vectors read back, in order: active slots by column, numbers as of `models.slots.numbers_of`."""

    slots: list[tuple[int, ...]]
    numbers: Matrix


def packed(rows: Sequence[Row]) -> list[bytes]:
    """The vectors of rows.

    >>> from models.features import CATALOGUE, POSITIONS
    >>> row = [None] * len(CATALOGUE)
    >>> row[POSITIONS["card_amount_z"]] = 2.5
    >>> _, numbers = unpacked(packed([row]))
    >>> numbers[~np.isnan(numbers)].tolist()
    [2.5]
    """
    numbers = numbers_of(rows)
    return packed_matrices(numbers, slots_of(rows, numbers))


def packed_matrices(numbers: Matrix, slots: Slots) -> list[bytes]:
    """The vectors of rows whose numbers and slots are at hand."""
    given, active = ~np.isnan(numbers), slots > 0
    counts = np.count_nonzero(active, axis=1)
    flat_slots, flat_numbers = slots[active].astype("<u2").tobytes(), numbers[given].astype("<f8").tobytes()
    flat_bits = np.packbits(given, axis=1).tobytes()
    slot_ends = pairwise(accumulate((2 * counts).tolist(), initial=0))
    number_ends = pairwise(accumulate((8 * np.count_nonzero(given, axis=1)).tolist(), initial=0))
    bit_starts = range(0, len(flat_bits), _GIVEN_BYTES)
    return [
        b"%c%b%b%b" % (count, flat_slots[a:b], flat_bits[bit : bit + _GIVEN_BYTES], flat_numbers[first:end])
        for count, (a, b), bit, (first, end) in zip(
            counts.tolist(), slot_ends, bit_starts, number_ends, strict=True
        )
    ]


def unpacked(vectors: Sequence[bytes]) -> Unpacked:
    """Vectors of `packed`, read back."""
    slots = [_slots_of_count[vector[0]](vector, 1) for vector in vectors]
    return Unpacked(slots, numbers_of_vectors(vectors))


def numbers_of_vectors(vectors: Sequence[bytes]) -> Matrix:
    """The numbers alone."""
    numbers = np.full((len(vectors), len(NUMERIC)), np.nan)
    starts = [1 + 2 * vector[0] for vector in vectors]
    bits = b"".join([vector[at : at + _GIVEN_BYTES] for vector, at in zip(vectors, starts, strict=True)])
    flat = b"".join([vector[at + _GIVEN_BYTES :] for vector, at in zip(vectors, starts, strict=True)])
    numbers[_flags(bits, len(vectors))] = np.frombuffer(flat, dtype="<f8")
    return numbers


def _flags(bits: bytes, count: int) -> npt.NDArray[np.bool_]:
    rows = np.frombuffer(bits, dtype=np.uint8).reshape(count, _GIVEN_BYTES)
    return np.unpackbits(rows, axis=1, count=len(NUMERIC)).astype(np.bool_)
