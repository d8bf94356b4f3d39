"""Rows as learning keeps them: what goes in comes out, to the last bit."""

from hypothesis import given
from hypothesis import strategies as st

from models.feature import Row, Value
from models.features import CATALOGUE
from models.slots import SLOT_COUNT, active_slots, numbers_of, slots_of
from models.vectors import numbers_of_vectors, packed, unpacked

_number = st.one_of(
    st.none(), st.floats(allow_nan=False, width=64), st.sampled_from([0.0, -0.0, 1e30, 5e-324])
)
_text = st.one_of(st.none(), st.sampled_from(["IN", "5411", "ü"]), st.text(max_size=9))
_row: st.SearchStrategy[Row] = st.tuples(
    *(_text if feature.type == "text" else _number for feature in CATALOGUE)
).map(lambda values: list[Value](values))


@given(st.lists(_row, max_size=5))
def test_vectors_give_back_the_slots_and_numbers_of_their_rows(rows: list[Row]) -> None:
    numbers = numbers_of(rows)
    slots = active_slots(slots_of(rows, numbers))

    vectors = packed(rows)

    again = unpacked(vectors)
    assert [list(active) for active in again.slots] == slots
    assert again.numbers.tobytes() == numbers.tobytes()
    assert numbers_of_vectors(vectors).tobytes() == numbers.tobytes()


@given(st.lists(_row, min_size=2, max_size=5))
def test_a_vector_does_not_depend_on_the_rows_beside_it(rows: list[Row]) -> None:
    assert packed(rows) == [vector for row in rows for vector in packed([row])]


def test_two_bytes_hold_every_slot() -> None:
    assert SLOT_COUNT <= 1 << 16
