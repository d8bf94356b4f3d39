"""Exact windows and moments."""

import random
from statistics import fmean, variance

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.windows import DAY_US, KEPT_US, LENGTH_MAX, RunningStats, Window


def test_a_window_excludes_its_far_edge_and_includes_now() -> None:
    window = Window()
    for moment in (10, 20, 30):
        window.add(moment, moment)

    assert window.count(30, 20) == 2
    assert window.total(30, 20) == 50
    assert window.count(30, 21) == 3


@given(
    st.lists(st.tuples(st.integers(0, 1_000), st.integers(0, 50)), max_size=60),
    st.integers(0, 1_100),
    st.integers(1, 500),
)
def test_counts_and_sums_are_exact_whatever_the_order_in_which_events_come(
    events: list[tuple[int, int]], now: int, width: int
) -> None:
    window = Window()
    for moment, amount in events:
        window.add(moment, amount)

    inside = [amount for moment, amount in events if now - width < moment <= now]
    assert window.count(now, width) == len(inside)
    assert window.total(now, width) == sum(inside)
    assert window.counts_and_totals(now, (width,)) == [(len(inside), sum(inside))]


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


def test_memory_is_bounded_in_time_and_in_number() -> None:
    slow, fast = Window(), Window()
    for day in range(2_000):
        slow.add(day * DAY_US)
    for moment in range(10 * LENGTH_MAX):
        fast.add(moment)

    assert len(slow.times) * DAY_US < 3 * KEPT_US
    assert LENGTH_MAX // 2 <= len(fast.times) <= LENGTH_MAX
    assert slow.count(1_999 * DAY_US, 30 * DAY_US) == 30


def test_memory_is_bounded_where_one_event_of_the_future_makes_all_others_late() -> None:
    window = Window()
    window.add(10**15, 7)
    for moment in range(3 * LENGTH_MAX):
        window.add(moment, 3)
    window.add(-1, 100)  # before all that is kept

    assert len(window.times) <= LENGTH_MAX
    assert window.total(3 * LENGTH_MAX - 1, 10) == 30
    assert window.total(10**15, 10) == 7


def test_forgetting_does_not_change_sums() -> None:
    window = Window()
    for moment in range(3 * LENGTH_MAX):
        window.add(moment, 3)

    assert window.total(3 * LENGTH_MAX - 1, 10) == 30


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
