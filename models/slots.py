"""Vectors to active slots: the numbers of many rows at once, the same for one row as for a thousand.

A linear model has one weight per slot. Each column of the slot matrix is one feature or cross; each row has
at most one active slot per column, and slot 0 where the value is missing.
"""

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import pairwise
from operator import itemgetter
from struct import Struct
from zlib import crc32

import numpy as np
import numpy.typing as npt

from models.bins import CATEGORY_SLOTS, COARSE, CROSSES, EDGES
from models.feature import Row
from models.features import BY_NAME, CATALOGUE, POSITIONS

Matrix = npt.NDArray[np.float64]
Slots = npt.NDArray[np.int64]

NUMERIC = tuple(f.name for f in CATALOGUE if f.modeled and f.kind != "category")
CATEGORIES = tuple(f.name for f in CATALOGUE if f.modeled and f.kind == "category")
COLUMNS: tuple[tuple[str, ...], ...] = (*((n,) for n in NUMERIC), *((n,) for n in CATEGORIES), *CROSSES)
"""What each column of the slot matrix is made of."""

_columns = {names: column for column, names in enumerate(COLUMNS)}
NUMBER_COLUMNS = {name: column for column, name in enumerate(NUMERIC)}
"""Where a number stands in a matrix of numbers, and its slot in one of slots."""
NAN = float("nan")
_pack = Struct(f"{len(NUMERIC)}d").pack
_numbers = itemgetter(*(POSITIONS[name] for name in NUMERIC))
_texts = itemgetter(*(POSITIONS[name] for name in CATEGORIES))


def numbers_of(rows: Sequence[Row]) -> Matrix:
    """Rows × modeled numbers in catalogue order; NaN where missing."""
    if not rows:
        return np.empty((0, len(NUMERIC)))
    # Packing is five times as fast as handing NumPy lists with None in them.
    packed = b"".join([_pack(*[NAN if value is None else value for value in _numbers(row)]) for row in rows])
    return np.frombuffer(bytearray(packed)).reshape(len(rows), len(NUMERIC))


def _widths() -> list[int]:
    numeric = [len(EDGES[BY_NAME[name].kind]) + 1 for name in NUMERIC]
    crossed = [int(np.prod([len(COARSE[BY_NAME[n].kind]) + 2 for n in names])) for names in CROSSES]
    return [*numeric, *(CATEGORY_SLOTS for _ in CATEGORIES), *crossed]


FIRST_SLOTS = np.cumsum([1, *_widths()])[:-1]
SLOT_COUNT = int(1 + sum(_widths()))

_by_kind: list[tuple[Matrix, Slots]] = [
    (
        np.array(edges),
        np.array([NUMBER_COLUMNS[n] for n in NUMERIC if BY_NAME[n].kind == kind], dtype=np.int64),
    )
    for kind, edges in EDGES.items()
]
_crossed_names = sorted({name for names in CROSSES for name in names}, key=NUMBER_COLUMNS.__getitem__)
_category_slots: dict[str, int] = {}


def slots_of(rows: Sequence[Row], numbers: Matrix) -> Slots:
    """Rows × columns of active slots; `numbers` is `numbers_of(rows)`."""
    slots = np.zeros((len(rows), len(COLUMNS)), dtype=np.int64)
    missing = np.isnan(numbers)
    for edges, columns in _by_kind:
        values = numbers[:, columns]
        slots[:, columns] = np.searchsorted(edges, values, side="right") + FIRST_SLOTS[columns]
    slots[:, : len(NUMERIC)][missing] = 0
    first = len(NUMERIC)
    for index, row in enumerate(rows):
        for column, text in enumerate(_texts(row), first):
            if text is not None:
                slots[index, column] = FIRST_SLOTS[column] + _category_slot(text)
    _cross(numbers, missing, slots)
    return slots


def slots_of_one(values: Mapping[str, float | str]) -> list[int]:
    """The active slots of one payment, given by names: what `slots_of` finds, without building a matrix."""
    active = []
    for name, value in values.items():
        column = _columns[(name,)]
        first = int(FIRST_SLOTS[column])
        if isinstance(value, str):
            active.append(first + _category_slot(value))
        else:
            active.append(first + bisect_right(EDGES[BY_NAME[name].kind], value))
    for names in CROSSES:
        cell = _cell(names, values)
        if cell is not None:
            active.append(int(FIRST_SLOTS[_columns[names]]) + cell)
    return sorted(active)


def _cell(names: tuple[str, ...], values: Mapping[str, float | str]) -> int | None:
    cell = 0
    for name in names:
        kind, value = BY_NAME[name].kind, values.get(name)
        edges = COARSE[kind]
        if isinstance(value, float):
            index = bisect_right(edges, value)
        elif kind == "days":
            index = len(edges) + 1
        else:
            return None
        cell = cell * (len(edges) + 2) + index
    return cell


def active_slots(slots: Slots) -> list[list[int]]:
    """The active slots of each row, in the order of columns."""
    ends = np.cumsum(np.count_nonzero(slots, axis=1)).tolist()
    flat = slots[slots > 0].tolist()
    return [flat[first:end] for first, end in pairwise([0, *ends])]


def _category_slot(text: str) -> int:
    slot = _category_slots.get(text)
    if slot is None:
        slot = crc32(text.encode()) % CATEGORY_SLOTS
        # Kept for texts that come again, as countries do; bounded, since anybody may invent a category.
        if len(_category_slots) < 4096:
            _category_slots[text] = slot
    return slot


def _cross(numbers: Matrix, missing: npt.NDArray[np.bool_], slots: Slots) -> None:
    """Fill the columns of crosses. A missing age or gap means "never"; any other switches the cross off."""
    coarse: dict[str, Slots] = {}
    for name in _crossed_names:
        column = NUMBER_COLUMNS[name]
        edges = np.array(COARSE[BY_NAME[name].kind])
        index = np.searchsorted(edges, numbers[:, column], side="right")
        index[missing[:, column]] = len(edges) + 1
        coarse[name] = index
    first = len(NUMERIC) + len(CATEGORIES)
    for column, names in enumerate(CROSSES, first):
        cell = np.zeros(len(numbers), dtype=np.int64)
        off = np.zeros(len(numbers), dtype=np.bool_)
        for name in names:
            cell = cell * (len(COARSE[BY_NAME[name].kind]) + 2) + coarse[name]
            if BY_NAME[name].kind != "days":
                off |= missing[:, NUMBER_COLUMNS[name]]
        slots[:, column] = np.where(off, 0, cell + FIRST_SLOTS[column])


def sequential_sums(terms: Matrix) -> Matrix:
    """Sum of each row, added from left to right: the same bits whatever the number of rows."""
    if terms.shape[1] == 0:
        return np.zeros(len(terms))
    return np.add.accumulate(terms, axis=1)[:, -1]
