"""What every store of scored payments promises: replay and production learn the same from the same facts."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from models.feature import Row
from models.features import CATALOGUE
from models.labels import Standing
from models.scored import Captured, Found, Labeled, MemoryStore, Scored, ScoredStore
from models.slots import NUMERIC
from models.windows import DAY_US
from pipelines.learning_store import LearningStore

KEEP_DAYS = 30.0
ROW: Row = [None if place % 3 else float(place) for place in range(len(CATALOGUE))]
NEWER: Row = [1.5 for _ in CATALOGUE]


def in_memory(_folder: Path) -> ScoredStore:
    return MemoryStore(keep_days=KEEP_DAYS)


def on_disk(folder: Path) -> ScoredStore:
    return LearningStore(folder / "learning.sqlite", keep_days=KEEP_DAYS)


@pytest.fixture(params=[in_memory, on_disk])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ScoredStore:
    make: Callable[[Path], ScoredStore] = request.param
    return make(tmp_path)


def scored(number: int, day: float = 0.0, row: Row = ROW) -> Scored:
    return Scored(f"pi_{number}", int(day * DAY_US) + number, row)


def labeled(number: int, arrived_us: int, fraud: bool = True, thinned: bool = False) -> Labeled:
    """`numbers` all hold the payment's own number, so that it can be told in the history."""
    numbers = None if thinned else np.full(len(NUMERIC), float(number)).tobytes()
    return Labeled(f"pi_{number}", Standing(fraud, 2, arrived_us), numbers)


def history(store: ScoredStore, after_us: int, until_us: int) -> list[tuple[float, bool]]:
    numbers, frauds = store.history(after_us, until_us)
    return list(zip(numbers[:, 0].tolist(), frauds.tolist(), strict=True))


def test_what_was_remembered_is_found_in_the_order_asked_for(store: ScoredStore) -> None:
    store.remember([scored(number) for number in range(4)])

    found = store.find(["pi_3", "pi_404", "pi_1"])

    assert list(found.items()) == [("pi_3", Found(3, ROW, None)), ("pi_1", Found(1, ROW, None))]


def test_many_payments_can_be_asked_for_at_once(store: ScoredStore) -> None:
    store.remember([scored(number) for number in range(1_200)])

    asked = [f"pi_{number}" for number in range(1_199, -1, -1)]

    assert list(store.find(asked)) == asked


def test_a_payment_scored_again_keeps_its_label_and_gets_the_newer_row(store: ScoredStore) -> None:
    store.remember([scored(1)])
    store.label([labeled(1, 9)])

    store.remember([scored(1, day=1, row=NEWER)])

    assert store.find(["pi_1"]) == {"pi_1": Found(DAY_US + 1, NEWER, Standing(True, 2, 9))}


def test_of_two_labels_for_one_payment_the_last_counts(store: ScoredStore) -> None:
    store.remember([scored(1)])

    store.label([labeled(1, 5, fraud=False), labeled(1, 9, fraud=True)])

    assert store.find(["pi_1"])["pi_1"].standing == Standing(True, 2, 9)
    assert history(store, 0, 99) == [(1.0, True)]


def test_history_is_what_arrived_in_the_stretch_by_arrival_and_payment(store: ScoredStore) -> None:
    store.remember([scored(number) for number in range(9)])
    store.label([labeled(number, 100 - number // 2, fraud=number % 3 == 0) for number in range(9)])

    assert history(store, 96, 99) == [
        (6.0, True),
        (7.0, False),
        (4.0, False),
        (5.0, False),
        (2.0, False),
        (3.0, True),
    ]


def test_a_payment_that_is_thinned_away_is_not_in_the_history(store: ScoredStore) -> None:
    store.remember([scored(1), scored(2)])
    store.label([labeled(1, 5), labeled(2, 6, fraud=False)])

    store.label([labeled(2, 7, fraud=False, thinned=True)])

    assert history(store, 0, 99) == [(1.0, True)]


def test_a_payment_older_than_the_memory_is_forgotten(store: ScoredStore) -> None:
    store.remember([scored(1)])
    store.note_captured([Captured("pi_1", 1, "test")])

    store.remember([scored(2, day=31)])

    assert list(store.find(["pi_1", "pi_2"])) == ["pi_2"]
    assert store.silent(40 * DAY_US, 100) == []


def test_only_captured_payments_are_silent(store: ScoredStore) -> None:
    store.note_captured([Captured("pi_0", 0, "live")])
    store.remember([scored(number) for number in range(4)])
    store.note_captured([Captured("pi_3", 3, "test")])

    assert store.silent(10, 100) == [("pi_0", 0, "live"), ("pi_3", 3, "test")]


def test_a_payment_whose_money_went_back_is_not_silent_whatever_came_first(store: ScoredStore) -> None:
    store.note_returned([Captured("pi_0", 0, "live")])
    store.remember([scored(number) for number in range(3)])
    store.note_captured([Captured(f"pi_{number}", number, "live") for number in range(3)])
    store.note_returned([Captured("pi_1", 1, "live")])

    assert store.silent(10, 100) == [("pi_2", 2, "live")]


def test_a_payment_with_a_label_or_a_report_on_its_way_is_not_silent(store: ScoredStore) -> None:
    store.remember([scored(number) for number in range(4)])
    store.note_captured([Captured(f"pi_{number}", number, "test") for number in range(4)])

    store.label([labeled(1, 9)])
    store.note_reported(["pi_2", "pi_404"])
    store.remember([scored(2)])

    assert store.silent(10, 100) == [("pi_0", 0, "test"), ("pi_3", 3, "test")]


def test_the_oldest_silent_payments_come_first_up_to_the_time_and_the_limit(store: ScoredStore) -> None:
    store.remember([scored(number) for number in (3, 0, 2, 1)])
    store.note_captured([Captured(f"pi_{number}", number, "test") for number in range(4)])

    assert store.silent(2, 100) == [(f"pi_{number}", number, "test") for number in range(3)]
    assert store.silent(10, 2) == [("pi_0", 0, "test"), ("pi_1", 1, "test")]
