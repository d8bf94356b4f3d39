"""Rates and latencies by second."""

import pytest

from dashboards.seconds import SECONDS_KEPT, Seconds


def test_the_rate_counts_whole_seconds_before_now() -> None:
    seconds = Seconds()
    for number, moment in enumerate((90.5, 91.5, 91.6, 99.9, 100.2)):
        seconds.decided(moment, ("pi_1", number), "allow")

    assert seconds.per_second(100.3) == pytest.approx(0.4)


def test_the_series_has_one_value_for_every_second_even_where_nothing_happened() -> None:
    seconds = Seconds()
    seconds.decided(50.0, ("pi_1", 1), "block")
    seconds.answered(50.1, 7.0)
    seconds.decided(52.0, ("pi_2", 1), "allow")
    seconds.answered(52.0, 9.0)

    series = seconds.series(52.5)

    assert all(len(values) == SECONDS_KEPT for values in series.values())
    assert series["block"][-3:] == [1.0, 0.0, 0.0]
    assert series["p50"][-3:] == [7.0, None, 9.0]


def test_a_later_word_moves_an_attempt_from_one_outcome_to_the_other_in_its_own_second() -> None:
    seconds = Seconds()
    seconds.decided(50.0, ("pi_1", 1), "allow")
    seconds.decided(52.0, ("pi_1", 1), "review", "allow")
    seconds.decided(52.0, ("pi_0", 1), "block", "allow")  # decided before anyone looked

    series = seconds.series(52.5)

    assert series["allow"][-3:] == [0.0, 0.0, 0.0]
    assert series["review"][-3:] == [1.0, 0.0, 0.0]
    assert series["block"][-3:] == [0.0, 0.0, 0.0]


def test_old_seconds_are_forgotten() -> None:
    seconds = Seconds()
    for moment in range(3 * SECONDS_KEPT):
        seconds.decided(float(moment), ("pi_1", moment), "allow")
        seconds.answered(float(moment), 1.0)

    assert len(seconds._seconds) == SECONDS_KEPT
