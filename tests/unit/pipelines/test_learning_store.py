"""The learner's database: positions and outbox in one transaction with the rows."""

from pathlib import Path

import pytest

from events.log.port import Outgoing
from models.observations import ModelSnapshot
from models.scored import Kept
from models.windows import DAY_US
from pipelines.learning_step import VERSIONS_KEPT, published
from pipelines.learning_store import LearningStore


def scored(number: int, day: float = 0.0) -> Kept:
    return Kept(f"pi_{number}", int(day * DAY_US) + number, b"as scored")


@pytest.fixture
def store(tmp_path: Path) -> LearningStore:
    return LearningStore(tmp_path / "learning.sqlite", keep_days=30)


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


def test_each_version_of_a_model_has_its_own_key_and_the_oldest_kept_is_ended() -> None:
    def keys(version: int) -> list[tuple[bytes, bool]]:
        snapshot = ModelSnapshot(
            name="champion", kind="online", version=version, in_force_from_us=0, labels=1, state=b"x"
        )
        return [(record.key, record.value is None) for record in published(snapshot, {})]

    kept = VERSIONS_KEPT["online"]
    assert keys(kept) == [(f"champion@{kept}".encode(), False)]
    assert keys(kept + 1) == [(f"champion@{kept + 1}".encode(), False), (b"champion@1", True)]
