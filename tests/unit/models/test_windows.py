"""Exact windows and moments."""

import random
from collections.abc import Sequence
from statistics import fmean, variance

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.thinning import FINENESS_MAX
from models.windows import (
    DAY_US,
    HOUR_US,
    KEPT_US,
    LENGTH_MAX,
    MINUTE_US,
    SECOND_US,
    RunningStats,
    Window,
)


def test_a_window_excludes_its_far_edge_and_includes_now() -> None:
    window = Window()
    for moment in (10, 20, 30):
        window.add(moment, moment)

    assert window.count(30, 20) == 2
    assert window.total(30, 20) == 50
    assert window.count(30, 21) == 3


WIDTHS_US = (MINUTE_US, 10 * MINUTE_US, HOUR_US, DAY_US, 7 * DAY_US, 30 * DAY_US)
STEPS_US = (0, 1, *(width - 1 for width in WIDTHS_US), *WIDTHS_US)

Event = tuple[int, int]


def inside(events: Sequence[Event], now_us: int, width_us: int) -> tuple[int, int]:
    """Number and sum of the events in (now - width, now], one by one."""
    amounts = [amount for moment_us, amount in events if now_us - width_us < moment_us <= now_us]
    return len(amounts), sum(amounts)


def told(window: Window, now_us: int, width_us: int) -> tuple[int, int]:
    return window.count(now_us, width_us), window.total(now_us, width_us)


@given(st.data())
def test_windows_from_a_minute_to_30_days_are_exact_with_late_equal_removed_and_grown_events(
    data: st.DataObject,
) -> None:
    window, events, now_us = Window(), list[Event](), 0
    steps = st.tuples(st.sampled_from(STEPS_US), st.sampled_from((1, 1, 0, -1)))
    for step_us, sign in data.draw(st.lists(steps, max_size=40)):
        now_us += step_us * sign
        newest_us = max(events, default=(now_us, 0))[0]
        if now_us < newest_us - 30 * DAY_US:
            continue  # older than all that is promised
        events.append((now_us, data.draw(st.integers(0, 9))))
        window.add(*events[-1])
        chosen = events[data.draw(st.integers(0, len(events) - 1))]
        if chosen[0] < newest_us - 30 * DAY_US:
            continue
        if data.draw(st.sampled_from((False, False, True))):
            assert window.remove(*chosen)
            events.remove(chosen)
        elif [moment_us for moment_us, _ in events].count(chosen[0]) == 1:
            assert window.grow(chosen[0], 5)
            events[events.index(chosen)] = chosen[0], chosen[1] + 5

    newest_us = max(events, default=(0, 0))[0]
    for asked_us in (newest_us, now_us, newest_us + 1, newest_us + MINUTE_US):
        for width_us in WIDTHS_US:
            if asked_us - width_us >= newest_us - KEPT_US:
                assert told(window, asked_us, width_us) == inside(events, asked_us, width_us)


def test_an_event_that_comes_late_is_put_at_its_own_time() -> None:
    window = Window()
    window.add(100, 1)
    window.add(40, 7)

    assert window.total(50, 20) == 7
    assert window.total(100, 10) == 1


def test_a_question_about_the_past_does_not_count_what_came_after_it() -> None:
    window = Window()
    window.add(10)
    window.add(90)

    assert window.count(50, 100) == 1


def test_an_event_can_be_taken_out_again() -> None:
    window = Window()
    for moment, amount in ((10, 1), (10, 0), (20, 1)):
        window.add(moment, amount)

    assert window.remove(10, 1)
    assert (window.count(20, 100), window.total(20, 100)) == (2, 1)
    assert not window.remove(10, 5)


def test_memory_is_bounded_in_time() -> None:
    window = Window()
    for day in range(2_000):
        window.add(day * DAY_US)

    assert len(window.times) * DAY_US < 3 * KEPT_US
    assert window.count(1_999 * DAY_US, 30 * DAY_US) == 30


def test_as_many_events_as_a_window_keeps_are_exact_whatever_came_before_them() -> None:
    window, events = Window(), [(place * DAY_US, 3) for place in range(100)]
    events += [(140 * DAY_US + place * MINUTE_US, place % 7) for place in range(LENGTH_MAX)]
    for moment_us, amount in events:
        window.add(moment_us, amount)

    assert window.thinned is None
    for width_us in WIDTHS_US:
        assert told(window, events[-1][0], width_us) == inside(events, events[-1][0], width_us)


def test_memory_is_bounded_where_one_event_of_the_future_makes_all_others_late() -> None:
    window = Window()
    window.add(10**15, 7)
    for moment in range(3 * LENGTH_MAX):
        window.add(moment, 3)
    window.add(-1, 100)  # before all that is kept

    assert len(window.times) <= LENGTH_MAX
    assert window.total(3 * LENGTH_MAX - 1, 10) == 30
    assert window.total(10**15, 10) == 7


_bursts = st.lists(
    st.tuples(
        st.sampled_from((0, 1, HOUR_US, DAY_US, 7 * DAY_US, -HOUR_US, -DAY_US)),  # until the burst begins
        st.sampled_from((0, 1, SECOND_US, 10 * MINUTE_US)),  # from event to event
        st.integers(1, 1_500),  # events
        st.sampled_from((0, 1, 1_000, 10**9)),  # amount of most
    ),
    min_size=3,
    max_size=9,
)


def burst_events(bursts: Sequence[tuple[int, int, int, int]]) -> list[Event]:
    now_us, events = 100 * DAY_US, []
    for pause_us, step_us, count, amount in bursts:
        now_us += pause_us
        for place in range(count):
            now_us += step_us
            # Now and then one that comes late, and one of another amount.
            late_us = 2 * HOUR_US if place % 17 == 5 else 0
            events.append((now_us - late_us, 10**6 if place % 41 == 7 else amount))
    return events


@settings(max_examples=40, deadline=None)
@given(_bursts, st.integers(0, 35 * DAY_US))
def test_beyond_what_a_window_keeps_its_error_is_a_small_part_of_what_happened_since_the_far_edge(
    bursts: Sequence[tuple[int, int, int, int]], ago_us: int
) -> None:
    window, events = Window(), burst_events(bursts)
    for moment_us, amount in events:
        window.add(moment_us, amount)
        assert len(window.times) <= LENGTH_MAX
    newest_us = max(events)[0]
    fineness = FINENESS_MAX if window.thinned is None else window.thinned.fineness
    assert fineness >= 64

    places = (newest_us, newest_us + HOUR_US, newest_us - ago_us, *(moment for moment, _ in events[::97]))
    for now_us in places:
        for width_us in (*WIDTHS_US, ago_us + 1):
            edge_us = now_us - width_us
            if edge_us < newest_us - KEPT_US:
                continue
            since = inside(events, newest_us, newest_us - edge_us) if edge_us < newest_us else (0, 0)
            for is_told, true, all_since in zip(
                told(window, now_us, width_us), inside(events, now_us, width_us), since, strict=True
            ):
                # Told in full up to the newest, it is never too little.
                least = 0 if now_us >= newest_us else -all_since
                assert least <= (is_told - true) * fineness <= all_since


@settings(max_examples=12, deadline=None)
@given(_bursts, st.randoms(use_true_random=False))
def test_events_taken_out_of_a_thinned_window_leave_an_error_of_what_its_gaps_hide(
    bursts: Sequence[tuple[int, int, int, int]], chance: random.Random
) -> None:
    window, kept, newest_us = Window(), list[Event](), 0
    for event in burst_events(bursts):
        window.add(*event)
        kept.append(event)
        newest_us = max(newest_us, event[0])
        if chance.random() < 0.2:
            place = chance.randrange(len(kept))
            moment_us, amount = kept[place]
            if moment_us > newest_us - 20 * DAY_US and window.thinned is not None:
                assert window.remove(moment_us, amount)
                del kept[place]

    for place in range(0, len(window.times), 7):
        edge_us = window.times[place]
        if edge_us > newest_us - 30 * DAY_US and window.thinned is not None:
            width_us = newest_us - edge_us + 1  # its far edge lies in the gap before this place
            if place and window.times[place - 1] == edge_us:
                continue
            count, total = told(window, newest_us, width_us)
            true_count, true_total = inside(kept, newest_us, width_us)
            assert 0 <= count - true_count <= window.thinned.hidden_counts[place]
            assert 0 <= total - true_total <= window.thinned.hidden_totals[place]


def test_a_merchant_of_10_000_payments_a_day_is_told_within_a_hundredth() -> None:
    window, step_us = Window(), DAY_US // 10_000
    for place in range(310_000):
        window.add(place * step_us, 1 + place % 1_000)
    now_us = 309_999 * step_us

    assert len(window.times) <= LENGTH_MAX
    for days in (1, 7, 30):
        assert window.count(now_us, days * DAY_US) == pytest.approx(days * 10_000, rel=0.01)
        assert window.total(now_us, days * DAY_US) == pytest.approx(days * 10_000 * 500.5, rel=0.01)
    assert window.count(now_us, HOUR_US) == 417


def test_a_window_that_has_grown_quiet_is_exact_again() -> None:
    window = Window()
    for place in range(5_000):
        window.add(place * SECOND_US)
    assert window.thinned is not None
    for day in range(1, 200):
        window.add(day * DAY_US)

    assert window.thinned is None
    assert window.count(199 * DAY_US, 30 * DAY_US) == 30


def test_running_statistics_without_a_prior_are_the_mean_and_the_variance() -> None:
    chance = random.Random(3)
    values = [chance.gauss(40, 9) for _ in range(500)]
    stats = RunningStats()
    for value in values:
        stats.add(value)

    assert stats.mean == pytest.approx(fmean(values))
    assert stats.squares / (len(values) - 1) == pytest.approx(variance(values))


def test_a_short_history_deviates_as_the_prior_says() -> None:
    stats = RunningStats()
    assert stats.deviation(5.0) == 5.0
    stats.add(10.0)
    stats.add(10.0)

    assert 0 < stats.deviation(5.0) < 5.0


def test_a_window_read_back_from_its_row_goes_on_as_before() -> None:
    window = Window()
    for moment in range(100):
        window.add(moment, moment)
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(window), type=Window)
    for one in (window, again):
        one.add(100, 9)

    assert again == window


def test_a_thinned_window_read_back_from_its_row_goes_on_as_before() -> None:
    window = Window()
    for moment in range(3 * LENGTH_MAX):
        window.add(moment, moment)
    again = msgspec.msgpack.decode(msgspec.msgpack.encode(window), type=Window)
    for one in (window, again):
        for moment in range(2 * LENGTH_MAX, 4 * LENGTH_MAX):
            one.add(moment, 9)

    assert again == window
