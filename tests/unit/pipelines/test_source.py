"""The source over the log port, without a flow around it."""

from pathlib import Path
from typing import Any

import pytest

from events.errors import PositionLostError
from events.log.port import Outgoing, Record
from pipelines.order import OrderJournal
from pipelines.order_file import Run, runs_of
from pipelines.source import ONLY_PART, Feed, LogSource
from tests.memory_log import MemoryLog
from tests.unit.pipelines.standin import asked, assessment

TOPICS = ("controls", "labels", "assessments")


def part(log: MemoryLog, home: Path, resumed: dict[str, Any] | None = None) -> Any:
    journal = OrderJournal(home / "order")
    source = LogSource(Feed(log, TOPICS, ("controls",), journal=journal))
    return source.build_part("log", ONLY_PART, resumed)


def read(source: Any, polls: int = 20) -> list[tuple[str, int, int]]:
    batches = [batch for _ in range(polls) for _, batch in source.next_batch()]
    return [tuple(one.record.position) for batch in batches for one in batch.delivered]


def test_controls_are_read_before_anything_else(tmp_path: Path) -> None:
    log = MemoryLog()
    log.append([asked(assessment(1)), Outgoing("controls", b"rule", b"{}")])

    places = read(part(log, tmp_path))

    assert [place[0] for place in places] == ["controls", "assessments"]


def test_a_resumed_source_gives_what_follows_the_snapshot_and_nothing_twice(tmp_path: Path) -> None:
    log = MemoryLog()
    log.append([asked(assessment(number)) for number in range(30)])
    first = part(log, tmp_path / "a")
    before = read(first)
    saved = first.snapshot()
    log.append([asked(assessment(number)) for number in range(30, 50)])

    after = read(part(log, tmp_path / "b", saved))

    assert len(before) == 30
    assert len(after) == 20
    assert not set(before) & set(after)


def test_what_was_read_after_the_snapshot_comes_again_in_the_same_batches_and_order(tmp_path: Path) -> None:
    log = MemoryLog()
    first = part(log, tmp_path)
    saved = first.snapshot()
    batches = []
    for number in (3, 1, 2, 6, 5):
        log.append([asked(assessment(number))])
        batches += [[one.record for one in batch.delivered] for _, batch in first.next_batch()]

    again = part(log, tmp_path, saved)
    repeated = [[one.record for one in batch.delivered] for _ in range(5) for _, batch in again.next_batch()]

    assert repeated == batches


@pytest.mark.parametrize("position", [-1, 3])
def test_a_saved_position_outside_of_the_log_is_an_error_not_a_silent_skip(
    tmp_path: Path, position: int
) -> None:
    log = MemoryLog()
    log.append([Outgoing("labels", b"x", b"{}", 2), Outgoing("labels", b"x", b"{}", 2)])

    with pytest.raises(PositionLostError, match="labels/2"):
        part(log, tmp_path, {"positions": {"labels/2": position}, "batch": 0})


def test_neighbors_of_one_partition_are_one_run() -> None:
    places = [("labels", 2, 0), ("labels", 2, 1), ("labels", 2, 5), ("labels", 3, 0), ("labels", 2, 6)]
    records = [Record(topic, partition, offset, b"", None) for topic, partition, offset in places]

    assert runs_of(records) == [Run("labels", 2, 0, 5), Run("labels", 3, 0, 0), Run("labels", 2, 6, 6)]
