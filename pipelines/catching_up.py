"""How far a flow is on its way to the log's end, told while it is long: pure, told the time."""

from typing import NamedTuple

TELL_EVERY_SECONDS = 5.0


class Told(NamedTuple):
    """One line on the way."""

    share_done: float
    records_per_second: int
    seconds_left: int


class CatchingUp:
    """Records taken in out of those that stood in the log at the start.

    >>> way = CatchingUp(10_000, now_seconds=0.0)
    >>> way.took(2_000, now_seconds=2.0), way.took(500, now_seconds=5.0)
    (None, Told(share_done=0.25, records_per_second=500, seconds_left=15))
    >>> way.took(7_500, now_seconds=20.0)
    Told(share_done=1.0, records_per_second=500, seconds_left=0)
    >>> way.took(10, now_seconds=90.0)
    """

    def __init__(self, records: int, now_seconds: float) -> None:
        self._records = records
        self._began = self._told = now_seconds
        self._done = 0
        self._has_told = False

    def took(self, records: int, now_seconds: float) -> Told | None:
        """Records were taken in; what to tell, every few seconds and, if anything was told, at the end."""
        if self._done >= self._records:
            return None
        self._done += records
        is_there = self._done >= self._records
        if now_seconds - self._told < TELL_EVERY_SECONDS and not (is_there and self._has_told):
            return None
        self._told, self._has_told = now_seconds, True
        rate = self._done / max(now_seconds - self._began, 1e-3)
        left = max(self._records - self._done, 0)
        return Told(round(min(self._done / self._records, 1.0), 3), round(rate), round(left / rate))
