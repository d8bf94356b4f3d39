"""An engine that holds next to nothing in memory gives the answers of one that holds everything."""

from collections import Counter
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.engine import Engine, Fact
from models.errors import StateRowError
from models.state import FORGET_EVERY, Bounds, EngineState, Remembered
from models.tables import Generations
from models.windows import DAY_US
from tests.unit.models.drawn_facts import drawn_facts
from tests.unit.models.sample_payments import START_US

TINY = st.builds(Bounds, st.integers(1, 5), st.integers(1, 5), st.integers(1, 4))


class Shelf:
    """Rows outside of memory: all that an engine ever gave out."""

    def __init__(self) -> None:
        self.rows: dict[str, bytes] = {}

    def get(self, row: str) -> bytes | None:
        return self.rows.get(row)

    def put(self, changed: dict[str, bytes | None]) -> None:
        self.rows = {key: value for key, value in (self.rows | changed).items() if value is not None}


def spilling(shelf: Shelf, bounds: Bounds) -> Engine:
    """An engine that has loaded its own rows alone, as after a restart."""
    engine = Engine()
    engine.state.spill_to(shelf, bounds)
    own = ("engine", "model", "control", "anomaly")
    engine.load((key, value) for key, value in shelf.rows.items() if key.partition("/")[0] in own)
    return engine


@given(drawn_facts(), TINY, st.data())
def test_answers_and_rows_are_equal_whatever_fits_into_memory(
    facts: Sequence[Fact], bounds: Bounds, data: st.DataObject
) -> None:
    whole, shelf = Engine(), Shelf()
    engine = spilling(shelf, bounds)

    for fact in facts:
        assert engine.assess([fact]) == whole.assess([fact])
        then = data.draw(st.sampled_from(("nothing", "nothing", "write", "restart")))
        if then != "nothing":
            shelf.put(engine.changed_rows())
        if then == "restart":
            engine = spilling(shelf, bounds)
    shelf.put(engine.changed_rows())

    assert shelf.rows == whole.changed_rows()


@given(drawn_facts(), st.integers(1, 5))
def test_objects_may_be_few_without_a_place_outside_of_memory(facts: Sequence[Fact], hot_max: int) -> None:
    whole, engine = Engine(), Engine(track_changes=False)
    engine.state.spill_to(None, Bounds(hot_max=hot_max))

    assert engine.assess(facts) == whole.assess(facts)


def test_memory_holds_no_more_than_its_bounds() -> None:
    state, shelf = EngineState(), Shelf()
    state.spill_to(shelf, Bounds(hot_max=10, packed_max=20, payments_max=20))

    for number in range(500):
        state.opened("card", f"card_{number}").trace.payments.add(number, 1)
        state.remember(f"pi_{number}", Remembered(number, (None,) * 5, False))
        shelf.put(dict(state.changed_rows()))

    assert len(state.cards) <= 17
    assert state.cards.packed_rows <= 32
    assert [state.cards[f"card_{number}"].trace.payments.times for number in range(500)] == [
        [number] for number in range(500)
    ]


@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), max_size=6),
    st.integers(1, 12),
    st.integers(1, 12),
)
def test_every_profile_that_changed_is_handed_over_as_it_is_whatever_left_meanwhile(
    rounds: list[tuple[int, int]], hot_max: int, packed_max: int
) -> None:
    state, shelf, counts = EngineState(), Shelf(), Counter[str]()
    state.spill_to(shelf, Bounds(hot_max, packed_max, 1))
    for moment, (first, several) in enumerate(rounds):
        for card in map(str, range(first, first + several)):
            state.opened("card", card).trace.payments.add(moment, 1)
            counts[card] += 1
        shelf.put(dict(state.changed_rows()))

    kept = EngineState()
    kept.load(shelf.rows.items())
    assert {card: len(kept.cards[card].trace.payments.times) for card in counts} == counts


def test_what_is_too_old_to_be_remembered_is_forgotten_wherever_it_lies() -> None:
    shelf = Shelf()
    state = EngineState(memory_days=30)
    state.spill_to(shelf, Bounds(1, 1, 1))
    state.remember("old", Remembered(START_US, (None,) * 5, False))
    shelf.put(dict(state.changed_rows()))
    assert state.remembered("old") is not None

    for number in range(FORGET_EVERY):
        state.remember(f"pi_{number}", Remembered(START_US + 31 * DAY_US, (None,) * 5, False))

    assert "payment/old" in shelf.rows
    assert state.remembered("old") is None


def test_a_row_that_cannot_be_read_says_of_which_kind_it_is() -> None:
    state, shelf = EngineState(), Shelf()
    shelf.rows = {"card/c": b"nonsense", "payment/pi_1": b"nonsense"}
    state.spill_to(shelf, Bounds())

    with pytest.raises(StateRowError, match="card"):
        state.seen("card", "c")
    with pytest.raises(StateRowError, match="payment"):
        state.remembered("pi_1")


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 9))), st.integers(1, 8))
def test_a_value_is_in_one_generation_or_has_been_told_to_leave(
    asked: list[tuple[bool, int]], kept_max: int
) -> None:
    gone: dict[str, int] = {}
    kept = Generations[int](kept_max, gone.__setitem__)
    there: dict[str, int] = {}
    for number, (is_put, name) in enumerate(asked):
        key = str(name)
        if is_put:
            kept.drop(key)
            gone.pop(key, None)
            kept.put(key, number)
            there[key] = number
        else:
            found = kept.get(key)
            assert found == (None if key in gone else there.get(key))
        assert dict(kept.items()) | gone == there
        assert len(dict(kept.items())) == len(kept) <= 3 * (max(1, kept_max // 2) + 1)
