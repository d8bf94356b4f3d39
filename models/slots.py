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


def numbers_of_row(row: Row) -> tuple[float | None, ...]:
    """The modeled numbers of one row in catalogue order, None where missing."""
    numbers: tuple[float | None, ...] = _numbers(row)
    return numbers


def _widths() -> list[int]:
    numeric = [len(EDGES[BY_NAME[name].kind]) + 1 for name in NUMERIC]
    crossed = [int(np.prod([len(COARSE[BY_NAME[n].kind]) + 2 for n in names])) for names in CROSSES]
    return [*numeric, *(CATEGORY_SLOTS for _ in CATEGORIES), *crossed]


FIRST_SLOTS = np.cumsum([1, *_widths()])[:-1]
SLOT_COUNT = int(1 + sum(_widths()))

_first_cross = len(NUMERIC) + len(CATEGORIES)
_columns_of_kind = {
    kind: np.array([NUMBER_COLUMNS[n] for n in NUMERIC if BY_NAME[n].kind == kind], dtype=np.int64)
    for kind in EDGES
}
_by_kind: list[tuple[Matrix, Slots, Slots]] = [
    (np.array(edges), _columns_of_kind[kind], FIRST_SLOTS[_columns_of_kind[kind]][:, None])
    for kind, edges in EDGES.items()
]
_numeric = [(EDGES[BY_NAME[name].kind], int(FIRST_SLOTS[column])) for name, column in NUMBER_COLUMNS.items()]
_crossed_names = sorted({name for names in CROSSES for name in names}, key=NUMBER_COLUMNS.__getitem__)
OFF = -(1 << 40)
"""Where a value is missing that a cross needs: so low that its cell is negative, whatever the others are."""
_crossed = [
    (POSITIONS[name], COARSE[kind], len(COARSE[kind]) + 1 if kind == "days" else OFF)
    for name, kind in ((name, BY_NAME[name].kind) for name in _crossed_names)
]
_crossed_columns = [
    (NUMBER_COLUMNS[name], np.array(edges), never)
    for name, (_, edges, never) in zip(_crossed_names, _crossed, strict=True)
]
_crosses = [
    (int(first), [(_crossed_names.index(n), len(COARSE[BY_NAME[n].kind]) + 2) for n in names])
    for first, names in zip(FIRST_SLOTS[_first_cross:], CROSSES, strict=True)
]
_category_firsts = FIRST_SLOTS[len(NUMERIC) : _first_cross].tolist()
_category_slots: dict[str, int] = {}
_slots_of_texts: dict[tuple[str | None, ...], list[int]] = {}
KEPT_MAX = 4_096
"""Of texts, and of a row's texts together: more than countries, a megabyte or two."""


def slots_of(rows: Sequence[Row], numbers: Matrix) -> Slots:
    """Rows × columns of active slots; `numbers` is `numbers_of(rows)`."""
    # Column by column: NumPy is fastest on what lies side by side.
    by_column = numbers.T.copy()
    slots = np.empty((len(COLUMNS), len(rows)), dtype=np.int64)
    missing = np.isnan(by_column)
    for edges, columns, firsts in _by_kind:
        slots[columns] = edges.searchsorted(by_column[columns], side="right") + firsts
    slots[: len(NUMERIC)][missing] = 0
    texts = [slot for row in rows for slot in _category_slots_of(row)]
    slots[len(NUMERIC) : _first_cross] = np.array(texts, dtype=np.int64).reshape(len(rows), len(CATEGORIES)).T
    _cross(by_column, missing, slots)
    return slots.T


def slots_of_row(row: Row) -> list[int]:
    """The slots of one row, 0 where missing: what `slots_of` finds, without NumPy's costs for each column."""
    slots = [
        0 if value is None or value != value else first + bisect_right(edges, value)
        for (edges, first), value in zip(_numeric, _numbers(row), strict=True)
    ]
    slots += _category_slots_of(row)
    coarse = []
    for position, edges, never in _crossed:
        value = row[position]
        coarse.append(never if value is None or value != value else bisect_right(edges, value))
    for first, parts in _crosses:
        cell = 0
        for place, width in parts:
            cell = cell * width + coarse[place]
        slots.append(first + cell if cell >= 0 else 0)
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
        if len(_category_slots) < KEPT_MAX:
            _category_slots[text] = slot
    return slot


def _category_slots_of(row: Row) -> list[int]:
    texts = _texts(row)
    slots = _slots_of_texts.get(texts)
    if slots is None:
        slots = [
            0 if text is None else first + _category_slot(text)
            for first, text in zip(_category_firsts, texts, strict=True)
        ]
        # Kept for what comes again, as one merchant's payments from one country do, and bounded likewise.
        if len(_slots_of_texts) < KEPT_MAX:
            _slots_of_texts[texts] = slots
    return slots


def _cross(by_column: Matrix, missing: npt.NDArray[np.bool_], slots: Slots) -> None:
    """Fill the columns of crosses. A missing age or gap means "never"; any other switches the cross off."""
    coarse: list[Slots] = []
    for column, edges, never in _crossed_columns:
        index = edges.searchsorted(by_column[column], side="right")
        index[missing[column]] = never
        coarse.append(index)
    for column, (first, parts) in enumerate(_crosses, _first_cross):
        cell = np.zeros(slots.shape[1], dtype=np.int64)
        for place, width in parts:
            cell = cell * width + coarse[place]
        slots[column] = np.where(cell >= 0, cell + first, 0)


def sequential_sums(terms: Matrix) -> Matrix:
    """Sum of each row, added from left to right: the same bits whatever the number of rows."""
    if terms.shape[1] == 0:
        return np.zeros(len(terms))
    return np.add.accumulate(terms, axis=1)[:, -1]
