"""Exact sliding windows and running statistics: what a profile keeps of its past.

Times are integer microseconds, amounts integers, so sums are exact whatever the order of additions.
"""

from bisect import bisect_left, bisect_right
from math import sqrt

import msgspec

from models.thinning import Thinned, thin

SECOND_US = 1_000_000
"""Times are integer microseconds everywhere."""
MINUTE_US = 60 * SECOND_US
HOUR_US = 60 * MINUTE_US
DAY_US = 24 * HOUR_US
KEPT_US = 31 * DAY_US
"""The longest window, and a day for events that come late."""

LENGTH_MAX = 2_048
"""Most moments kept per window: so many events within `KEPT_US` are exact, more have a small error."""
THINNED_LENGTH_MAX = LENGTH_MAX * 3 // 4
"""Thinning frees a quarter, so that its cost is shared by as many events at least."""


class Window(msgspec.Struct, array_like=True, gc=False):
    """Moments in time order with running totals; counts and sums of any window by two binary searches.

    An event that comes late is put at its own time, so that every later question about any moment is exact.
    Nothing older than `KEPT_US` before the newest is promised to be there. Beyond `LENGTH_MAX` events within
    `KEPT_US` it is thinned (`models.thinning`): of what happened since the far edge of a window it may then
    tell one part in `thinned.fineness` too much. Amounts are never negative.

    >>> window = Window()
    >>> window.add(10, 500); window.add(30, 700); window.add(20, 1)
    >>> window.count(30, 15), window.total(30, 15), window.count(20, 100)
    (2, 701, 2)
    """

    times: list[int] = []
    totals: list[int] = []
    forgotten_total: int = 0
    thinned: Thinned | None = None

    def add(self, moment_us: int, amount: int = 1) -> None:
        """Take one event in. Cost is constant but for events that come late."""
        times, totals = self.times, self.totals
        if not times or moment_us >= times[-1]:
            times.append(moment_us)
            totals.append((totals[-1] if totals else self.forgotten_total) + amount)
            if self.thinned is not None:
                self._count(len(times) - 1)
            size = len(times)
            # Looked at one time in 32, and then half at once: forgetting costs a constant share of adding.
            if size & 31 == 0 and times[size >> 1] < moment_us - KEPT_US:
                self._forget(size >> 1)
            elif size > LENGTH_MAX:
                self._make_room(moment_us)
        else:
            self._insert(bisect_right(times, moment_us), moment_us, amount)

    def remove(self, moment_us: int, amount: int) -> bool:
        """Take one event of that moment and amount out again; False where it is no longer kept."""
        if self.thinned is not None:
            return self._remove_thinned(self.thinned, moment_us, amount)
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
        place = self._place_of(moment_us)
        if place is None:
            return False
        self._shift(place, more)
        return True

    def end(self, now_us: int) -> int:
        """How many kept moments are not later than `now_us`."""
        times = self.times
        if not times or times[-1] <= now_us:
            return len(times)
        return bisect_right(times, now_us)

    def count(self, now_us: int, width_us: int) -> int:
        """Events in (now - width, now]."""
        end = self.end(now_us)
        return self.events(bisect_right(self.times, now_us - width_us, 0, end), end)

    def total(self, now_us: int, width_us: int) -> int:
        """Sum of amounts in (now - width, now]."""
        end = self.end(now_us)
        return self.between(bisect_right(self.times, now_us - width_us, 0, end), end)

    def events(self, first: int, end: int) -> int:
        """Events at places first … end - 1."""
        if self.thinned is None or end <= first:
            return max(end - first, 0)
        counts = self.thinned.counts
        return counts[end - 1] - (counts[first - 1] if first else self.thinned.forgotten_count)

    def between(self, first: int, end: int) -> int:
        """Sum of amounts of the events at places first … end - 1."""
        if end <= first:
            return 0
        return self.totals[end - 1] - (self.totals[first - 1] if first else self.forgotten_total)

    def _place_of(self, moment_us: int, amount: int = 0) -> int | None:
        """Where an event of that moment and amount stands; thinned, it may stand later than it happened."""
        times, thinned = self.times, self.thinned
        if thinned is None:
            place = bisect_right(times, moment_us) - 1
            return place if place >= 0 and times[place] == moment_us else None
        place = bisect_left(times, moment_us)
        if place == len(times) or (times[place] != moment_us and not thinned.hidden_counts[place]):
            return None
        for later in range(place, len(times)):
            if self.events(later, later + 1) and self.between(later, later + 1) >= amount:
                return later
        return None

    def _remove_thinned(self, thinned: Thinned, moment_us: int, amount: int) -> bool:
        place = self._place_of(moment_us, amount)
        if place is None:
            return False
        # Where another event stood there, it takes the place of this one: as much is hidden as before.
        thinned.shift(place, -1)
        self._shift(place, -amount)
        return True

    def _insert(self, place: int, moment_us: int, amount: int) -> None:
        self.times.insert(place, moment_us)
        self.totals.insert(place, self.totals[place - 1] if place else self.forgotten_total)
        self._shift(place, amount)
        if self.thinned is not None:
            self._count(place)
        if len(self.times) > LENGTH_MAX:  # one event of the future makes all others late
            self._make_room(moment_us)

    def _count(self, place: int) -> None:
        if self.thinned is not None:
            self.thinned.insert(place)
            self.thinned.shift(place, 1)

    def _shift(self, first: int, amount: int) -> None:
        totals = self.totals
        for place in range(first, len(totals)):
            totals[place] += amount

    def _make_room(self, moment_us: int) -> None:
        old = bisect_right(self.times, moment_us - KEPT_US)
        if old:
            self._forget(old)
        size = len(self.times)
        if size > LENGTH_MAX:
            if self.thinned is None:
                self.thinned = Thinned(list(range(1, size + 1)), [0] * size, [0] * size)
            thin(self.times, self.totals, self.forgotten_total, self.thinned, THINNED_LENGTH_MAX)

    def _forget(self, count: int) -> None:
        self.forgotten_total = self.totals[count - 1]
        del self.times[:count], self.totals[:count]
        if self.thinned is not None:
            self.thinned.forget(count)
            if self.thinned.is_exact:
                self.thinned = None


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
