"""How many events, and how much, in the windows that features look at: each is half open, (t - width, t]."""

from bisect import bisect_right

from models.windows import DAY_US, HOUR_US, MINUTE_US, Window

M10_US, D7_US, D30_US = 10 * MINUTE_US, 7 * DAY_US, 30 * DAY_US

NO_EVENTS = (0.0, 0.0)
"""Of an entity that has no window for them: none in 1 hour, none in 1 day."""


def counts(payments: Window, now_us: int) -> tuple[int, int, int, int, int]:
    """Payments in 10 minutes, 1 hour, 1, 7 and 30 days."""
    m10, h1, d1, d7, d30, end = places(payments.times, now_us)
    if payments.thinned is None:
        return end - m10, end - h1, end - d1, end - d7, end - d30
    events = payments.events
    return events(m10, end), events(h1, end), events(d1, end), events(d7, end), events(d30, end)


def counts_and_sums(payments: Window, now_us: int) -> tuple[int, int, int, int, int, int, int]:
    """The same counts, and the sums of 1 and 7 days."""
    m10, h1, d1, d7, d30, end = places(payments.times, now_us)
    sum_1d, sum_7d = payments.between(d1, end), payments.between(d7, end)
    if payments.thinned is None:
        return end - m10, end - h1, end - d1, end - d7, end - d30, sum_1d, sum_7d
    return *counts(payments, now_us), sum_1d, sum_7d


def hour_and_day(window: Window, now_us: int) -> tuple[float, float]:
    """Events in 1 hour and 1 day; most entities have had none lately, which is answered without a search."""
    times = window.times
    if not times or times[-1] <= now_us - DAY_US:
        return NO_EVENTS
    return float(window.count(now_us, HOUR_US)), float(window.count(now_us, DAY_US))


def seen_lately(seen: dict[str, int], now_us: int) -> tuple[float, float, float]:
    """Distinct keys last seen in 1 hour, 1 and 7 days; moments later than now count, too."""
    hour_us, day_us, week_us = now_us - HOUR_US, now_us - DAY_US, now_us - D7_US
    in_hour = in_day = in_week = 0
    for last_us in seen.values():
        if last_us > week_us:
            in_week += 1
            if last_us > day_us:
                in_day += 1
                if last_us > hour_us:
                    in_hour += 1
    return float(in_hour), float(in_day), float(in_week)


def places(times: list[int], now_us: int) -> tuple[int, int, int, int, int, int]:
    """Where windows of 10 minutes, 1 hour, 1, 7 and 30 days begin among sorted times, and where now is."""
    end = len(times)
    if end and times[-1] > now_us:
        end = bisect_right(times, now_us)
    # Each window lies within the wider one: the search goes on where that one begins, and ends where the
    # latest event says that all narrower ones are empty. Most entities were last seen long before.
    latest_us = times[end - 1] if end else now_us - D30_US
    if latest_us <= now_us - D30_US:
        return end, end, end, end, end, end
    d30 = 0 if times[0] > now_us - D30_US else bisect_right(times, now_us - D30_US, 0, end)
    if latest_us <= now_us - D7_US:
        return end, end, end, end, d30, end
    d7 = bisect_right(times, now_us - D7_US, d30, end)
    if latest_us <= now_us - DAY_US:
        return end, end, end, d7, d30, end
    d1 = bisect_right(times, now_us - DAY_US, d7, end)
    if latest_us <= now_us - HOUR_US:
        return end, end, d1, d7, d30, end
    h1 = bisect_right(times, now_us - HOUR_US, d1, end)
    m10 = end if latest_us <= now_us - M10_US else bisect_right(times, now_us - M10_US, h1, end)
    return m10, h1, d1, d7, d30, end
