"""Exact sliding windows and running statistics: what a profile keeps of its past.

Times are integer microseconds, amounts integers, so sums are exact whatever the order of additions.
"""

from bisect import bisect_right
from math import sqrt

import msgspec

SECOND_US = 1_000_000
"""Times are integer microseconds everywhere."""
MINUTE_US = 60 * SECOND_US
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US
KEPT_US = 31 * DAY_US
"""The longest window, and a day for events that come late."""

LENGTH_MAX = 2_048
"""Most moments kept per window: counts saturate between half of it and all of it, far above the last bin."""


class Window(msgspec.Struct, array_like=True, gc=False):
    """Moments in time order with running totals; counts and sums of any window by two binary searches.

    An event that comes late is put at its own time, so that every later question about any moment is exact.
    Nothing older than `KEPT_US` before the newest is promised to be there.

    >>> window = Window()
    >>> window.add(10, 500); window.add(30, 700); window.add(20, 1)
    >>> window.count(30, 15), window.total(30, 15), window.count(20, 100)
    (2, 701, 2)
    """

    times: list[int] = []
    totals: list[int] = []
    forgotten_total: int = 0

    def add(self, moment_us: int, amount: int = 1) -> None:
        """Take one event in. Cost is constant but for events that come late."""
        times, totals = self.times, self.totals
        if not times or moment_us >= times[-1]:
            times.append(moment_us)
            totals.append((totals[-1] if totals else self.forgotten_total) + amount)
            size = len(times)
            # Looked at one time in 32, and then half at once: forgetting costs a constant share of adding.
            if size & 31 == 0 and (size >= LENGTH_MAX or times[size >> 1] < moment_us - KEPT_US):
                self._forget(size >> 1)
        else:
            self._insert(bisect_right(times, moment_us), moment_us, amount)

    def remove(self, moment_us: int, amount: int) -> bool:
        """Take one event of that moment and amount out again; False where it is no longer kept."""
        place = bisect_right(self.times, moment_us) - 1
        while place >= 0 and self.times[place] == moment_us:
            before = self.totals[place - 1] if place else self.forgotten_total
            if self.totals[place] - before == amount:
                del self.times[place], self.totals[place]
                self._shift(place, -amount)
                return True
            place -= 1
        return False

    def grow(self, moment_us: int, more: int) -> bool:
        """Add to the amount of an event of that moment, and count none; False where it is no longer kept."""
        place = bisect_right(self.times, moment_us) - 1
        if place < 0 or self.times[place] != moment_us:
            return False
        self._shift(place, more)
        return True

    def end(self, now_us: int) -> int:
        """How many kept events are not later than `now_us`."""
        times = self.times
        if not times or times[-1] <= now_us:
            return len(times)
        return bisect_right(times, now_us)

    def count(self, now_us: int, width_us: int) -> int:
        """Events in (now - width, now]."""
        end = self.end(now_us)
        return end - bisect_right(self.times, now_us - width_us, 0, end)

    def counts_and_totals(self, now_us: int, widths_us: tuple[int, ...]) -> list[tuple[int, int]]:
        """(count, sum) in (now - width, now] for each width, the widest first."""
        if not self.times:
            return [(0, 0)] * len(widths_us)
        first, end, found = 0, self.end(now_us), []
        for width_us in widths_us:
            first = bisect_right(self.times, now_us - width_us, first, end)
            found.append((end - first, self.between(first, end)))
        return found

    def total(self, now_us: int, width_us: int) -> int:
        """Sum of amounts in (now - width, now]."""
        end = self.end(now_us)
        return self.between(bisect_right(self.times, now_us - width_us, 0, end), end)

    def between(self, first: int, end: int) -> int:
        """Sum of amounts of the events at places first … end - 1."""
        if end <= first:
            return 0
        return self.totals[end - 1] - (self.totals[first - 1] if first else self.forgotten_total)

    def _insert(self, place: int, moment_us: int, amount: int) -> None:
        self.times.insert(place, moment_us)
        self.totals.insert(place, self.totals[place - 1] if place else self.forgotten_total)
        self._shift(place, amount)
        if len(self.times) >= LENGTH_MAX:  # one event of the future makes all others late
            self._forget(len(self.times) >> 1)

    def _shift(self, first: int, amount: int) -> None:
        totals = self.totals
        for place in range(first, len(totals)):
            totals[place] += amount

    def _forget(self, count: int) -> None:
        self.forgotten_total = self.totals[count - 1]
        del self.times[:count], self.totals[:count]


class RunningStats(msgspec.Struct, array_like=True, gc=False):
    """Count, mean and squared deviations (Welford), with a prior so that short histories do not shout.

    The prior is worth `PRIOR_WEIGHT` observations and says that values deviate by `prior_deviation`.

    >>> amounts = RunningStats()
    >>> for amount in (10.0, 20.0, 30.0):
    ...     amounts.add(amount)
    >>> amounts.mean, amounts.deviation(prior_deviation=2.0)
    (20.0, 7.211102550927978)
    """

    count: int = 0
    mean: float = 0.0
    squares: float = 0.0

    def add(self, value: float) -> None:
        """Take one value in."""
        self.count += 1
        delta = value - self.mean
        self.mean += delta / self.count
        self.squares += delta * (value - self.mean)

    def deviation(self, prior_deviation: float) -> float:
        """Standard deviation, drawn towards the prior while the history is short."""
        return sqrt(
            (self.squares + PRIOR_WEIGHT * prior_deviation * prior_deviation)
            / (self.count - 1 + PRIOR_WEIGHT)
            if self.count
            else prior_deviation * prior_deviation
        )


PRIOR_WEIGHT = 2.0
"""Two observations: enough that a second, equal amount does not make every other one extreme."""
