"""Whether decisions come in time, and what is done where they do not, by `weir up --late-decisions`."""

from enum import StrEnum

from events.clock import Clock
from gateway.pressure.errors import DecisionsLateError

LATE_IN_A_ROW = 20
LATE_SECONDS = 2.0
"""So many decisions late, one after another, over at least so long: a restart of the flow takes less."""

TRIES_PER_SECOND = 2
"""While payments are refused, so many are let in, to learn whether decisions come again."""

IN_TIME_IN_A_ROW = 3
"""So many decisions in time, one after another, end it."""


class LatePolicy(StrEnum):
    """What becomes of payments while decisions are late."""

    FALL_BACK = "fall-back"
    REFUSE = "refuse"


class Lateness:
    """Counts decisions that were late and in time, and refuses payments where the policy says so."""

    def __init__(self, clock: Clock, policy: LatePolicy = LatePolicy.FALL_BACK) -> None:
        self._clock = clock
        self._policy = policy
        self._late_since = 0.0
        self._late = self._in_time = 0
        self._next_try_at = 0.0
        self.is_late = False
        """Whether decisions have been late for a while."""

    def note(self, *, in_time: bool) -> None:
        """A payment has its decision, or has waited for it in vain."""
        if in_time:
            self._late = 0
            self._in_time += 1
            self.is_late &= self._in_time < IN_TIME_IN_A_ROW
            return
        now = self._clock.monotonic()
        if not self._late:
            self._late_since = now
        self._late += 1
        self._in_time = 0
        self.is_late |= self._late >= LATE_IN_A_ROW and now - self._late_since >= LATE_SECONDS

    def require_in_time(self) -> None:
        """For each payment before it begins; raises `DecisionsLateError` where it would go undecided."""
        if not self.is_late or self._policy is LatePolicy.FALL_BACK:
            return
        now = self._clock.monotonic()
        if now < self._next_try_at:
            raise DecisionsLateError()
        self._next_try_at = now + 1 / TRIES_PER_SECOND
