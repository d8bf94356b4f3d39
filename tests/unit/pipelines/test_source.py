"""The source over the log port, without a flow around it."""

from pathlib import Path
from typing import Any

import pytest

from events.errors import PositionLostError
from events.log.port import Outgoing, Record
from pipelines.order import OrderJournal
from pipelines.order_file import Run, runs_of
from pipelines.source import ONLY_PART, Feed, LogSource, written_positions
from tests.memory_log import MemoryLog
from tests.unit.pipelines.standin import asked, assessment

TOPICS = ("controls", "labels", "assessments")


def part(log: MemoryLog, home: Path, start: dict[str, int] | None = None, batch: int = 0) -> Any:
    journal = OrderJournal(home / "order")
    source = LogSource(Feed(log, TOPICS, ("controls",), start=start or {}, batch=batch, journal=journal))
    return source.build_part("log", ONLY_PART, None)


def read(source: Any, polls: int = 20) -> list[tuple[str, int, int]]:
    batches = [batch for _ in range(polls) for _, batch in source.next_batch()]
    return [tuple(one.record.position) for batch in batches for one in batch.delivered]


def test_controls_are_read_before_anything_else(tmp_path: Path) -> None:
    log = MemoryLog()
    log.append([asked(assessment(1)), Outgoing("controls", b"rule", b"{}")])

    places = read(part(log, tmp_path))

    assert [place[0] for place in places] == ["controls", "assessments"]


def test_a_source_that_starts_where_a_batch_ended_gives_what_follows_and_nothing_twice(
    tmp_path: Path,
) -> None:
    log = MemoryLog()
    log.append([asked(assessment(number)) for number in range(30)])
    batches = [batch for _, batch in part(log, tmp_path / "a").next_batch()]
    before = [tuple(one.record.position) for one in batches[-1].delivered]
    log.append([asked(assessment(number)) for number in range(30, 50)])

    after = read(part(log, tmp_path / "b", written_positions(batches[-1].reached), batches[-1].number))

    assert len(before) == 30
    assert len(after) == 20
    assert not set(before) & set(after)


@pytest.mark.parametrize("at", [0, 2])
def test_what_was_read_after_a_batch_comes_again_in_the_same_batches_and_order(
    tmp_path: Path, at: int
) -> None:
    log = MemoryLog()
    first = part(log, tmp_path)
    batches = []
    for number in (3, 1, 2, 6, 5):
        log.append([asked(assessment(number))])
        batches += [batch for _, batch in first.next_batch()]
    start = written_positions(batches[at - 1].reached) if at else {}

    again = part(log, tmp_path, start, batch=at)

    assert [batch for _ in range(5 - at) for _, batch in again.next_batch()] == batches[at:]


@pytest.mark.parametrize("position", [-1, 3])
def test_a_saved_position_outside_of_the_log_is_an_error_not_a_silent_skip(
    tmp_path: Path, position: int
) -> None:
    log = MemoryLog()
    log.append([Outgoing("labels", b"x", b"{}", 2), Outgoing("labels", b"x", b"{}", 2)])

    with pytest.raises(PositionLostError, match="labels/2"):
        part(log, tmp_path, {"labels/2": position})


def test_neighbors_of_one_partition_are_one_run() -> None:
    places = [("labels", 2, 0), ("labels", 2, 1), ("labels", 2, 5), ("labels", 3, 0), ("labels", 2, 6)]
    records = [Record(topic, partition, offset, b"", None) for topic, partition, offset in places]

    assert runs_of(records) == [Run("labels", 2, 0, 5), Run("labels", 3, 0, 0), Run("labels", 2, 6, 6)]
