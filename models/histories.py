"""The parts that profiles are made of: an entity's own amounts, its trace in time, its counterparties.

Times may come late or run backwards: windows are exact at any moment; ages and gaps are never negative;
"seen" and distinct counts are over everything told so far.
"""

from bisect import bisect_right
from math import log

import msgspec

from models.feature import Value
from models.windows import DAY_US, HOUR_US, MINUTE_US, RunningStats, Window

RELATIVE_DEVIATION_PRIOR = 0.5
"""Before a history says otherwise, amounts deviate by half of their mean."""
LOG_DEVIATION_PRIOR = 0.5
"""The same for the natural logarithm of amounts."""
CLIP_DEVIATIONS = 3.0
"""Own statistics are winsorized: an amount beyond this many deviations enters as that many."""
SEEN_MAX = 256
"""Most counterparties remembered per entity; the one not seen for longest is forgotten first."""
GROUP_MAX = 64
"""Most cards remembered per device, address or customer: beyond it counts saturate."""


def touch(seen: dict[str, int], key: str, moment_us: int, limit: int) -> None:
    """Remember that `key` was seen, the latest last, forgetting the one not seen for longest."""
    # A dictionary keeps the order of insertion: taken out and put in again, the key stands last.
    before = seen.pop(key, moment_us)
    seen[key] = max(before, moment_us)
    if len(seen) > limit:
        del seen[next(iter(seen))]


def days_since(now_us: int, then_us: int | None) -> float | None:
    """Days from then to now, 0 where clocks ran backwards, None where there is no then."""
    if then_us is None:
        return None
    return (now_us - then_us) / DAY_US if now_us > then_us else 0.0


class Amounts(msgspec.Struct, array_like=True, gc=False):
    """An entity's own amounts in the reference currency's minor units, winsorized.

    >>> amounts = Amounts()
    >>> for amount_minor in (900, 1_000, 1_100, 50_000):  # the last enters as three deviations above the mean
    ...     amounts.add(amount_minor)
    >>> round(amounts.mean), round(amounts.z(9_000), 1)
    (1271, 13.2)
    """

    plain: RunningStats = msgspec.field(default_factory=RunningStats)
    logs: RunningStats = msgspec.field(default_factory=RunningStats)
    largest: float = 0.0

    @property
    def mean(self) -> float | None:
        """Mean amount; None without a history."""
        return self.plain.mean if self.plain.count else None

    def z(self, amount_minor: int | None) -> float | None:
        """Deviations from the mean; None without a history."""
        plain = self.plain
        if amount_minor is None or not plain.count:
            return None
        return (amount_minor - plain.mean) / self._deviation()

    def features(self, amount_minor: int | None) -> list[Value]:
        """z, z of the logarithm, ratio to the mean, ratio to the largest."""
        plain = self.plain
        if amount_minor is None or not plain.count:
            return [None, None, None, None]
        # One minor unit stands on both sides of a ratio, so that a history of zeros divides by one.
        logs = self.logs
        return [
            (amount_minor - plain.mean) / self._deviation(),
            (log(amount_minor + 1.0) - logs.mean) / logs.deviation(LOG_DEVIATION_PRIOR),
            (amount_minor + 1.0) / (plain.mean + 1.0),
            (amount_minor + 1.0) / (self.largest + 1.0),
        ]

    def add(self, amount_minor: int | None) -> None:
        """Take a payment in; an unknown amount changes nothing."""
        if amount_minor is None:
            return
        plain = self.plain
        value = float(amount_minor)
        # Held down before it enters, or the spree of a stolen card would make its own amounts usual.
        if plain.count:
            value = min(value, plain.mean + CLIP_DEVIATIONS * self._deviation())
        plain.add(value)
        self.logs.add(log(value + 1.0))
        if value > self.largest:
            self.largest = value

    def _deviation(self) -> float:
        return self.plain.deviation(RELATIVE_DEVIATION_PRIOR * self.plain.mean + 1.0)


class Trace(msgspec.Struct, array_like=True, gc=False):
    """When an entity paid, was declined, first and last came.

    >>> trace = Trace()
    >>> trace.note(0, 500)
    >>> trace.note(HOUR_US, 700)
    >>> trace.counts(HOUR_US), trace.last_total(HOUR_US, 2)
    ((1, 1, 2, 2, 2), 1200)
    """

    payments: Window = msgspec.field(default_factory=Window)
    declines: Window = msgspec.field(default_factory=Window)
    first_us: int | None = None
    last_us: int | None = None

    def note(self, moment_us: int, amount_minor: int | None) -> None:
        """Take a payment in; an unknown amount adds nothing to sums."""
        self.payments.add(moment_us, amount_minor or 0)
        if self.first_us is None or moment_us < self.first_us:
            self.first_us = moment_us
        if self.last_us is None or moment_us > self.last_us:
            self.last_us = moment_us

    def counts(self, now_us: int) -> tuple[int, int, int, int, int]:
        """Payments in 10 minutes, 1 hour, 1, 7 and 30 days."""
        payments = self.payments
        times, end = payments.times, payments.end(now_us)
        if not end:
            return (0, 0, 0, 0, 0)
        # Each window lies within the wider one: the search goes on where that one begins.
        d30 = bisect_right(times, now_us - 30 * DAY_US, 0, end)
        d7 = bisect_right(times, now_us - 7 * DAY_US, d30, end)
        d1 = bisect_right(times, now_us - DAY_US, d7, end)
        h1 = bisect_right(times, now_us - HOUR_US, d1, end)
        m10 = bisect_right(times, now_us - 10 * MINUTE_US, h1, end)
        return (end - m10, end - h1, end - d1, end - d7, end - d30)

    def last_total(self, now_us: int, count: int) -> int:
        """Sum of the last `count` payments that are not later than now."""
        end = self.payments.end(now_us)
        return self.payments.between(end - count, end)

    def usual_per_day(self, now_us: int, count_30d: int) -> float:
        """Payments a day over the last 30 days, or over the entity's age where that is less."""
        # One payment and one day are added: an entity of an hour is not taken for one of 24 payments a day.
        age_days = days_since(now_us, self.first_us) or 0.0
        return (count_30d + 1.0) / (min(age_days, 30.0) + 1.0)

    def gap_and_age(self, now_us: int) -> list[Value]:
        """Days since the last and the first payment."""
        return [days_since(now_us, self.last_us), days_since(now_us, self.first_us)]


def hour_and_day(window: Window, now_us: int) -> list[Value]:
    """Events in 1 hour and 1 day."""
    # Most entities have had none lately, which is answered without a search.
    times = window.times
    if not times or times[-1] <= now_us - DAY_US:
        return [0.0, 0.0]
    return [float(window.count(now_us, HOUR_US)), float(window.count(now_us, DAY_US))]


def seen_within(seen: dict[str, int], now_us: int, widths_us: tuple[int, ...]) -> list[Value]:
    """Distinct keys last seen later than now - width, for each width."""
    return [float(sum(1 for last in seen.values() if last > now_us - width)) for width in widths_us]
