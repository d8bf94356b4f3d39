"""When a flow writes down what it has: pure, told the time and the amount of work."""

from datetime import datetime, timedelta


class CommitPace:
    """Commits are due `seconds` after the first batch that was not committed, or at once where it is urgent.

    >>> from datetime import UTC
    >>> pace, noon = CommitPace(0.25), datetime(2026, 1, 1, 12, tzinfo=UTC)
    >>> pace.taken_in(noon, urgent=False), pace.taken_in(noon + timedelta(seconds=0.25), urgent=False)
    (False, True)
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self.due_at: datetime | None = None
        """None: there is nothing to commit."""

    def taken_in(self, now: datetime, *, urgent: bool) -> bool:
        """Batches were taken in; whether to commit now."""
        if self.due_at is None:
            self.due_at = now + timedelta(seconds=self._seconds)
        return urgent or now >= self.due_at

    def committed(self) -> None:
        """Nothing waits any more."""
        self.due_at = None


class SpillPace:
    """Changed rows are written each time that so many decisions were made.

    >>> pace = SpillPace(256)
    >>> pace.made(200), pace.made(56), pace.made(200)
    (False, True, False)
    """

    def __init__(self, decisions: int) -> None:
        self._decisions = decisions
        self._made = 0

    def made(self, decisions: int) -> bool:
        """Decisions were made; whether to write now."""
        self._made += decisions
        if self._made < self._decisions:
            return False
        self._made = 0
        return True

    def written(self) -> None:
        """Everything was written for another reason."""
        self._made = 0
