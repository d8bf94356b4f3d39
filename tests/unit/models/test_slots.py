"""Fixed bins, crosses and active slots."""

from functools import reduce
from itertools import pairwise
from operator import add

import numpy as np
import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from models.bins import COARSE, CROSSES, EDGES
from models.feature import Row
from models.features import BY_NAME, CATALOGUE, POSITIONS
from models.slots import (
    CATEGORIES,
    COLUMNS,
    FIRST_SLOTS,
    KEPT_MAX,
    NUMBER_COLUMNS,
    NUMERIC,
    SLOT_COUNT,
    active_slots,
    numbers_of,
    sequential_sums,
    slots_of,
    slots_of_one,
    slots_of_row,
)


def row(**values: float | str) -> Row:
    given: Row = [None] * len(CATALOGUE)
    for name, value in values.items():
        given[POSITIONS[name]] = value
    return given


def slot(given: Row, *names: str) -> int:
    slots = slots_of([given], numbers_of([given]))
    return int(slots[0, COLUMNS.index(names)])


@pytest.mark.parametrize("table", [EDGES, COARSE])
def test_the_edges_of_every_kind_grow(table: dict[str, tuple[float, ...]]) -> None:
    assert all(low < high for edges in table.values() for low, high in pairwise(edges))


def test_every_kind_of_number_has_bins() -> None:
    kinds = {feature.kind for feature in CATALOGUE if feature.kind != "category"}

    assert kinds <= set(EDGES)
    assert kinds <= set(COARSE)


def test_every_cross_is_of_modeled_numbers() -> None:
    assert {name for names in CROSSES for name in names} <= set(NUMERIC)


def test_features_for_people_only_reach_no_model() -> None:
    assert "amount_minor" not in NUMERIC
    assert "currency" not in CATEGORIES


def test_slots_of_different_columns_never_meet() -> None:
    chance = np.random.default_rng(1)
    numbers = chance.lognormal(0, 4, (2_000, len(NUMERIC))) * chance.choice([-1, 1], (2_000, len(NUMERIC)))
    slots = slots_of([row()] * 2_000, numbers)
    ends = [*FIRST_SLOTS[1:].tolist(), SLOT_COUNT]

    for column, (first, end) in enumerate(zip(FIRST_SLOTS.tolist(), ends, strict=True)):
        active = slots[:, column][slots[:, column] > 0]
        assert ((active >= first) & (active < end)).all(), COLUMNS[column]


def test_what_is_missing_is_slot_zero() -> None:
    assert not slots_of([row()], numbers_of([row()])).any()


def test_a_value_on_an_edge_belongs_to_the_bin_above() -> None:
    below, on = slot(row(card_amount_z=1.99), "card_amount_z"), slot(row(card_amount_z=2.0), "card_amount_z")

    assert on == below + 1


def test_a_cross_needs_all_its_parts() -> None:
    names = ("amount_reference_minor", "card_amount_z")

    assert slot(row(amount_reference_minor=900.0), *names) == 0
    assert slot(row(amount_reference_minor=900.0, card_amount_z=3.0), *names) > 0


def test_a_missing_age_means_never_in_a_cross() -> None:
    names = ("card_frauds", "card_fraud_gap_days")

    assert BY_NAME["card_fraud_gap_days"].kind == "days"
    never = slot(row(card_frauds=0.0), *names)
    long_ago = slot(row(card_frauds=0.0, card_fraud_gap_days=500.0), *names)
    assert 0 < long_ago < never


def test_equal_text_has_an_equal_slot_in_its_own_column() -> None:
    assert slot(row(ip_country="IN"), "ip_country") == slot(row(ip_country="IN"), "ip_country") > 0
    assert slot(row(ip_country="IN"), "ip_country") != slot(row(card_country="IN"), "card_country")


def test_more_texts_than_are_kept_have_the_slots_that_they_had_before() -> None:
    rows = [row(ip_country=f"country {number}", card_country="IN") for number in range(KEPT_MAX + 50)]
    alone = [slots_of_row(each) for each in rows]

    assert [slots_of_row(each) for each in rows] == alone
    assert slots_of(rows, numbers_of(rows)).tolist() == alone
    assert len({tuple(slots) for slots in alone}) > 50


def test_active_slots_are_those_that_are_not_zero_in_order() -> None:
    slots = np.array([[0, 3, 0, 7], [0, 0, 0, 0], [1, 0, 0, 9]])

    assert active_slots(slots) == [[3, 7], [], [1, 9]]


def test_numbers_keep_their_bits_and_missing_ones_become_nan() -> None:
    numbers = numbers_of([row(card_amount_z=0.1 + 0.2), row()])

    assert numbers[0, NUMBER_COLUMNS["card_amount_z"]] == 0.1 + 0.2
    assert np.isnan(numbers[1]).all()
    assert numbers_of([]).shape == (0, len(NUMERIC))


def test_sums_have_the_same_bits_whatever_the_number_of_rows() -> None:
    terms = np.random.default_rng(2).normal(size=(300, 131)) * 1e6
    whole = sequential_sums(terms)

    assert all(sequential_sums(terms[n : n + 1])[0] == whole[n] for n in range(300))
    assert whole[0] == reduce(add, terms[0].tolist(), 0.0)  # `sum` compensates from Python 3.12 on


def test_one_payment_by_names_has_the_same_slots_as_its_row() -> None:
    chance = np.random.default_rng(3)
    for _ in range(50):
        given = {name: float(chance.normal() * 50) for name in NUMERIC if chance.random() < 0.7}
        texts = {name: "IN" for name in CATEGORIES if chance.random() < 0.5}
        whole = row(**given, **texts)

        assert slots_of_one({**given, **texts}) == active_slots(slots_of([whole], numbers_of([whole])))[0]


@st.composite
def rows_of_anything(draw: st.DrawFn) -> Row:
    """Values on edges and beside them, far out, missing and not a number."""
    drawn_row: Row = [None] * len(CATALOGUE)
    dice = draw(st.randoms(use_true_random=False))
    for name in NUMERIC:
        kind = BY_NAME[name].kind
        edge = dice.choice([*EDGES[kind], *COARSE[kind]])
        near = [edge, np.nextafter(edge, 1e9), np.nextafter(edge, -1e9), dice.uniform(-100.0, 100.0)]
        drawn_row[POSITIONS[name]] = dice.choice([None, float("nan"), -1e30, 1e30, *map(float, near)])
    for name in CATEGORIES:
        drawn_row[POSITIONS[name]] = dice.choice([None, "", "IN", "no such country"])
    return drawn_row


@drawn(st.lists(rows_of_anything(), min_size=1, max_size=4))
def test_a_row_alone_has_the_slots_that_it_has_among_others(rows: list[Row]) -> None:
    assert [slots_of_row(row) for row in rows] == slots_of(rows, numbers_of(rows)).tolist()
