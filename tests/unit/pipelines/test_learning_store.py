"""The learner's database: rows like the store in memory, positions and outbox in one transaction."""

import sqlite3
from pathlib import Path

import numpy as np
import pytest

from events.log.port import Outgoing
from models.features import CATALOGUE
from models.labels import Standing
from models.observations import ModelSnapshot
from models.scored import MemoryStore, Scored, Settled
from models.slots import NUMERIC
from models.windows import DAY_US
from pipelines.errors import StateCorruptError, StateFormatError
from pipelines.learning_step import VERSIONS_KEPT, published
from pipelines.learning_store import LearningStore

ROW = [None if place % 3 else float(place) for place in range(len(CATALOGUE))]
NUMBERS = np.arange(len(NUMERIC), dtype=float).tobytes()


def scored(number: int, day: float = 0.0) -> Scored:
    return Scored(f"pi_{number}", int(day * DAY_US) + number, ROW)


def settled(number: int, arrived_us: int, fraud: bool = True) -> Settled:
    return Settled(f"pi_{number}", Standing(fraud, 2, arrived_us), NUMBERS if number % 2 else None)


@pytest.fixture
def store(tmp_path: Path) -> LearningStore:
    return LearningStore(tmp_path / "learning.sqlite", keep_days=30)


def test_rows_labels_and_history_are_those_of_the_store_in_memory(store: LearningStore) -> None:
    memory = MemoryStore(keep_days=30)
    for one in (store, memory):
        one.remember([scored(number) for number in range(9)])
        one.settle([settled(number, 100 - number, number % 3 == 0) for number in range(9)])
        one.settle([settled(3, 500), settled(5, 50), settled(4, 60)])
        one.remember([scored(1)])
        one.remember([scored(20, day=29)])

    asked = ["pi_3", "pi_404", "pi_1", "pi_20"]
    numbers, frauds = store.history(93, 500)
    expected_numbers, expected_frauds = memory.history(93, 500)

    assert store.find(asked) == memory.find(asked)
    assert list(store.find(asked)) == ["pi_3", "pi_1", "pi_20"]
    assert numbers.tolist() == expected_numbers.tolist()
    assert frauds.tolist() == expected_frauds.tolist()
    assert store.history(0, 94)[1].tolist() == memory.history(0, 94)[1].tolist()


def test_a_payment_older_than_the_memory_is_forgotten(store: LearningStore) -> None:
    store.remember([scored(1)])

    store.remember([scored(2, day=31)])

    assert list(store.find(["pi_1", "pi_2"])) == ["pi_2"]


def test_only_captured_payments_of_which_nothing_was_said_are_silent(store: LearningStore) -> None:
    store.remember([scored(number) for number in range(5)])
    store.note_captured([(f"pi_{number}", number) for number in (0, 1, 2, 3)])
    store.settle([settled(1, 9)])
    store.note_told(["pi_2"])

    assert store.silent(10, 100) == [("pi_0", 0), ("pi_3", 3)]
    assert store.silent(10, 1) == [("pi_0", 0)]
    assert store.silent(2, 100) == [("pi_0", 0)]


def test_what_was_not_committed_is_gone_with_its_positions(tmp_path: Path, store: LearningStore) -> None:
    store.remember([scored(1)])
    store.publish([Outgoing("labels", b"a", b"1")])
    store.commit(b"state", 7, {"labels/0": 3})
    store.remember([scored(2)])
    store.publish([Outgoing("labels", b"b", b"2")])
    store.close()

    again = LearningStore(tmp_path / "learning.sqlite")

    assert list(again.find(["pi_1", "pi_2"])) == ["pi_1"]
    assert again.learner() == (b"state", 7)
    assert again.positions() == {"labels/0": 3}
    assert [record.outgoing.key for record in again.unsent()] == [b"a"]


def test_what_was_sent_leaves_the_outbox_and_what_came_after_stays(store: LearningStore) -> None:
    store.publish([Outgoing("labels", b"a", b"1"), Outgoing("labels", b"b", None)])
    first, second = store.unsent()

    store.sent(first.number)

    assert store.unsent() == [second]
    assert second.outgoing == Outgoing("labels", b"b", None)


def test_a_database_of_another_format_is_refused(tmp_path: Path, store: LearningStore) -> None:
    store.close()
    with sqlite3.connect(tmp_path / "learning.sqlite") as connection:
        connection.execute("UPDATE about SET value = 99")
    connection.close()

    with pytest.raises(StateFormatError, match="has format 99"):
        LearningStore(tmp_path / "learning.sqlite")


def test_a_damaged_database_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "learning.sqlite"
    path.write_bytes(b"no database" * 1000)

    with pytest.raises(StateCorruptError, match=r"learning\.sqlite is damaged"):
        LearningStore(path)


def test_each_version_of_a_model_has_its_own_key_and_the_oldest_kept_is_ended() -> None:
    def keys(version: int) -> list[tuple[bytes, bool]]:
        snapshot = ModelSnapshot(
            name="champion", kind="online", version=version, in_force_from_us=0, labels=1, state=b"x"
        )
        return [(record.key, record.value is None) for record in published(snapshot, {})]

    kept = VERSIONS_KEPT["online"]
    assert keys(kept) == [(f"champion@{kept}".encode(), False)]
    assert keys(kept + 1) == [(f"champion@{kept + 1}".encode(), False), (b"champion@1", True)]
