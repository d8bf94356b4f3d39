"""What time it is for a caller, as both processes see it: a test request may carry a time of its own."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import msgspec
from starlette.requests import Request

from events.clock import Clock, FollowingClock
from events.vocabulary import Mode
from gateway.errors import InvalidRequestError

TEST_TIME_HEADER = "weir-test-time"
FUTURE_MAX = timedelta(minutes=5)
"""How far a report may be ahead of the clock: clocks differ a little, and no report is from tomorrow."""

TEST_TIME_AHEAD_MAX = timedelta(days=400)
"""How far a test request may be ahead of the wall clock: a year of subscriptions fits, and no slip of the
pen, nor anybody else's key, carries test mode off beyond that."""

_FIRST_YEAR = 1990


class BusinessTime:
    """Live mode goes by the clock, test mode follows the latest time that a test request carried."""

    def __init__(self, clock: Clock) -> None:
        self._live = clock
        self._test = FollowingClock(clock)
        self._moved: Callable[[], None] | None = None
        self._resets = 0

    def now(self, mode: Mode) -> datetime:
        """The time of a mode when nobody says another."""
        return (self._test if mode == "test" else self._live).now()

    def carried(self, text: str | None, mode: Mode) -> datetime | None:
        """The time that a request carries; raises `InvalidRequestError`."""
        if text is None:
            return None
        if mode == "live":
            raise InvalidRequestError(
                "Live keys are refused a time of their own.", code="test_time_refused", param=TEST_TIME_HEADER
            )
        return _parsed(text, self._live.now() + TEST_TIME_AHEAD_MAX)

    def follow(self, at: datetime | None) -> None:
        """A test request's time, once its key has proved good: from now on test mode's."""
        if at is not None and self._test.follow(at) and self._moved is not None:
            self._moved()

    def keep_to(self, at: datetime | None, resets: int) -> None:
        """Where test mode's clock was kept; one more reset than is known sets it back."""
        if resets != self._resets:
            self._resets = resets
            self._test.set_back(at)
        else:
            self.follow(at)

    @property
    def resets(self) -> int:
        """How often test mode's clock was reset, as far as this process has heard."""
        return self._resets

    def when_moved(self, call: Callable[[], None]) -> None:
        """Have `call` called each time that test mode's clock has jumped."""
        self._moved = call

    def followed(self) -> datetime | None:
        """The time that test mode follows; None as long as it goes by the clock."""
        return self._test.latest


def carried_time(request: Request) -> str | None:
    """The text of a request's own time, unread."""
    return request.headers.get(TEST_TIME_HEADER)


def _parsed(text: str, latest: datetime) -> datetime:
    """RFC 3339 with a zone; raises `InvalidRequestError`."""
    try:
        at = msgspec.convert(text, datetime)
    except msgspec.ValidationError:
        at = None
    if at is None or at.tzinfo is None or at.year < _FIRST_YEAR or at > latest:
        raise InvalidRequestError(
            "Give a time such as 2026-01-05T10:00:00.000000Z, from 1990 on and at most "
            f"{TEST_TIME_AHEAD_MAX.days} days ahead of the clock.",
            code="parameter_invalid",
            param=TEST_TIME_HEADER,
        )
    return at.astimezone(UTC)
