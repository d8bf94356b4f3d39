"""Time as a parameter: business time is UTC and comes from one clock; deadlines use monotonic seconds."""

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Where time comes from. `now` never runs backwards within one process."""

    def now(self) -> datetime:
        """Business time: aware, UTC, microseconds."""
        ...

    def monotonic(self) -> float:
        """Seconds for deadlines, time-outs and latencies; only differences mean something."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


class FollowingClock:
    """Test mode's clock: follows the latest time that a request carried, and stands still between.

    Until the first `follow` it is the machine's clock. A time earlier than the latest leaves `now` as it is:
    the request's own events still carry their own time.
    """

    def __init__(self, wall: Clock) -> None:
        self._wall = wall
        self.latest: datetime | None = None

    def follow(self, moment: datetime) -> bool:
        """Move on to a request's time, if it is the latest so far; whether it was."""
        later = self.latest is None or moment > self.latest
        if later:
            self.latest = moment
        return later

    def set_back(self, moment: datetime | None) -> None:
        """Follow this time from now on, or none: an operator's word, which may be earlier."""
        self.latest = moment

    def now(self) -> datetime:
        return self.latest or self._wall.now()

    def monotonic(self) -> float:
        return self._wall.monotonic()


class VirtualClock:
    """A clock that only moves when told to: the one of simulations and tests."""

    def __init__(self, start: datetime) -> None:
        self._now = start
        self._elapsed_seconds = 0.0

    def advance(self, seconds: float) -> None:
        """Let time pass, business and monotonic alike."""
        self._elapsed_seconds += seconds
        self._now += timedelta(seconds=seconds)

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return self._elapsed_seconds
