"""How many requests at once: as many as keep what every request passes quick.

What is measured is the wait for our own turns, an event loop's and a commit's, in both programs: never the
wait for a network or an issuer, which is no reason to let in less.
"""

DELAY_SECONDS_MAX = 0.12
"""Ten times that of an unhurried platform, and above what a slow disk's sync takes. Four such waits, and the
decision's, lie on the way of a confirm, which so answers in less than a second."""

FIRST, LEAST, MOST = 64, 16, 512
"""Of one process. The least keeps two cores busy, as commits are shared by those who wait; the most is what
payments take that wait for a slow issuer: two and a half seconds at 200 a second."""

_LESS, _MORE = 0.8, 1.1


def adapted(limit: int, *, delay_seconds: float, in_use_max: int) -> int:
    """The limit from now on: less by a fifth after a long delay, more by a tenth where it was reached.

    >>> adapted(64, delay_seconds=0.5, in_use_max=64), adapted(64, delay_seconds=0.01, in_use_max=64)
    (51, 71)
    >>> adapted(64, delay_seconds=0.01, in_use_max=5)
    64
    """
    if delay_seconds > DELAY_SECONDS_MAX:
        # From what was really in use: a limit that nobody had reached held nothing back.
        return max(LEAST, int(min(limit, max(in_use_max, FIRST)) * _LESS))
    if limit < FIRST:
        return min(FIRST, int(limit * _MORE) + 1)
    return min(MOST, int(limit * _MORE) + 1) if in_use_max >= share_max(limit) else limit


def share_max(limit: int) -> int:
    """How many of so many places one merchant may have: of eight or more, an eighth is kept for others.

    Else one whose payments take seconds would have all places, and leave none before they are over.
    """
    return limit - limit // 8


class Delays:
    """The mean of waits since it was last taken."""

    def __init__(self) -> None:
        self._count = 0
        self._seconds = 0.0

    def note(self, seconds: float) -> None:
        """One wait that has ended."""
        self._count += 1
        self._seconds += seconds

    def take(self) -> float:
        """The mean, in seconds, and begin anew; 0 where nothing waited."""
        mean = self._seconds / self._count if self._count else 0.0
        self._count, self._seconds = 0, 0.0
        return mean
