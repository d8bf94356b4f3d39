"""What every store of scored payments promises: replay and production learn the same from the same facts."""

from collections.abc import Callable
from pathlib import Path

import pytest

from models.labels import Standing
from models.scored import Captured, Found, Kept, Labeled, MemoryStore, ScoredStore
from models.windows import DAY_US
from pipelines.learning_store import LearningStore

KEEP_DAYS = 30.0
VECTOR, NEWER = b"as scored", b"as scored again"


def in_memory(_folder: Path) -> ScoredStore:
    return MemoryStore(keep_days=KEEP_DAYS)


def on_disk(folder: Path) -> ScoredStore:
    return LearningStore(folder / "learning.sqlite", keep_days=KEEP_DAYS)


@pytest.fixture(params=[in_memory, on_disk])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ScoredStore:
    make: Callable[[Path], ScoredStore] = request.param
    return make(tmp_path)


def scored(number: int, day: float = 0.0, vector: bytes = VECTOR) -> Kept:
    return Kept(f"pi_{number}", int(day * DAY_US) + number, vector)


def labeled(number: int, arrived_us: int, fraud: bool = True, thinned: bool = False) -> Labeled:
    """The vector is the payment's own number, so that it can be told in the history."""
    return Labeled(f"pi_{number}", Standing(fraud, 2, arrived_us), None if thinned else b"%d" % number)


def test_what_was_remembered_is_found_in_the_order_asked_for(store: ScoredStore) -> None:
    store.remember([scored(number) for number in range(4)])

    found = store.find(["pi_3", "pi_404", "pi_1"])

    assert list(found.items()) == [("pi_3", Found(3, VECTOR, None)), ("pi_1", Found(1, VECTOR, None))]


def test_many_payments_can_be_asked_for_at_once(store: ScoredStore) -> None:
    store.remember([scored(number) for number in range(1_200)])

    asked = [f"pi_{number}" for number in range(1_199, -1, -1)]

    assert list(store.find(asked)) == asked


def test_a_payment_scored_again_keeps_its_label_and_gets_the_newer_vector(store: ScoredStore) -> None:
    store.remember([scored(1)])
    store.label([labeled(1, 9)])

    store.remember([scored(1, day=1, vector=NEWER)])

    assert store.find(["pi_1"]) == {"pi_1": Found(DAY_US + 1, NEWER, Standing(True, 2, 9))}


def test_of_two_labels_for_one_payment_the_last_counts(store: ScoredStore) -> None:
    store.remember([scored(1)])

    store.label([labeled(1, 5, fraud=False), labeled(1, 9, fraud=True)])

    assert store.find(["pi_1"])["pi_1"].standing == Standing(True, 2, 9)
    assert store.history(0, 99) == [(b"1", True)]


def test_history_is_what_arrived_in_the_stretch_by_arrival_and_payment(store: ScoredStore) -> None:
    store.remember([scored(number) for number in range(9)])
    store.label([labeled(number, 100 - number // 2, fraud=number % 3 == 0) for number in range(9)])

    assert store.history(96, 99) == [
        (b"6", True),
        (b"7", False),
        (b"4", False),
        (b"5", False),
        (b"2", False),
        (b"3", True),
    ]


def test_a_payment_that_is_thinned_away_is_not_in_the_history(store: ScoredStore) -> None:
    store.remember([scored(1), scored(2)])
    store.label([labeled(1, 5), labeled(2, 6, fraud=False)])

    store.label([labeled(2, 7, fraud=False, thinned=True)])

    assert store.history(0, 99) == [(b"1", True)]


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
