"""Time is a parameter."""

from datetime import UTC, datetime, timedelta

from events.clock import FollowingClock, SystemClock, VirtualClock

START = datetime(2026, 1, 1, tzinfo=UTC)


def test_test_time_follows_the_latest_request_and_never_runs_back() -> None:
    clock = FollowingClock(SystemClock())

    clock.follow(START + timedelta(days=2))
    clock.follow(START)

    assert clock.now() == START + timedelta(days=2)


def test_before_the_first_request_test_time_is_the_machines() -> None:
    wall = VirtualClock(START)

    assert FollowingClock(wall).now() == START


def test_virtual_time_moves_only_when_told() -> None:
    clock = VirtualClock(START)

    assert clock.now() == clock.now() == START
    clock.advance(1.5)

    assert clock.now() == START + timedelta(seconds=1.5)
    assert clock.monotonic() == 1.5
