"""When flows commit and spill, without Bytewax."""

from datetime import UTC, datetime, timedelta

from pipelines.pacing import CommitPace, SpillPace

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
HALF = timedelta(seconds=0.5)


def test_nothing_is_due_before_anything_was_taken_in() -> None:
    assert CommitPace(1.0).due_at is None


def test_a_commit_is_due_a_stretch_after_the_first_batch_however_many_follow() -> None:
    pace = CommitPace(1.0)

    told = [pace.taken_in(NOON + HALF * number, urgent=False) for number in range(3)]

    assert told == [False, False, True]
    assert pace.due_at == NOON + 2 * HALF


def test_what_is_urgent_is_committed_at_once() -> None:
    pace = CommitPace(1.0)

    assert pace.taken_in(NOON, urgent=True)


def test_after_a_commit_the_next_batch_begins_a_new_stretch() -> None:
    pace = CommitPace(1.0)
    pace.taken_in(NOON, urgent=False)
    pace.committed()

    assert pace.due_at is None
    assert not pace.taken_in(NOON + 4 * HALF, urgent=False)
    assert pace.due_at == NOON + 6 * HALF


def test_rows_are_spilled_after_so_many_decisions_and_the_count_begins_anew() -> None:
    pace = SpillPace(10)

    assert [pace.made(count) for count in (9, 0, 1, 9, 25, 9)] == [False, False, True, False, True, False]


def test_a_write_at_the_end_of_an_epoch_puts_the_next_spill_off() -> None:
    pace = SpillPace(10)
    pace.made(9)
    pace.written()

    assert not pace.made(9)
    assert pace.made(1)
