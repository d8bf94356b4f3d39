"""Reading what programs show, and telling what passed between two readings."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from operations.figures import Passed, Reading, parsed

BOUNDS = (0.01, 0.1, 1.0)


def counted(*labels: str) -> Reading:
    registry = CollectorRegistry()
    payments = Counter("weir_payments", "…", ["outcome"], registry=registry)
    for label in labels:
        payments.labels(label).inc()
    return Reading(0.0, parsed(generate_latest(registry).decode(), "gateway.api"))


def spread(values: list[float], at: float = 1.0) -> Reading:
    registry = CollectorRegistry()
    seconds = Histogram("weir_confirm_seconds", "…", registry=registry, buckets=BOUNDS)
    for value in values:
        seconds.observe(value)
    return Reading(at, parsed(generate_latest(registry).decode(), "gateway.api"))


def test_rows_are_summed_over_the_labels_that_nobody_asks_for() -> None:
    reading = counted("allow", "allow", "block")

    assert reading.total("weir_payments_total") == 3
    assert reading.total("weir_payments_total", outcome="allow") == 2
    assert reading.by("outcome", "weir_payments_total") == {"allow": 2, "block": 1}


def test_a_program_that_was_started_again_counts_from_nothing() -> None:
    passed = Passed(counted("allow", "allow", "allow"), counted("allow"))

    assert passed.count("weir_payments_total") == 1


def test_what_passed_has_no_mean_and_no_quantile_where_nothing_passed() -> None:
    same = spread([0.05])

    assert Passed(same, same).mean("weir_confirm_seconds") is None
    assert Passed(same, same).quantile(0.5, "weir_confirm_seconds") is None


@given(st.lists(st.floats(0.0, 0.999), min_size=1, max_size=50), st.sampled_from([0.5, 0.9, 0.99]))
def test_a_quantile_lies_within_the_bounds_that_hold_the_true_one(values: list[float], share: float) -> None:
    passed = Passed(spread([]), spread(values))
    rank = max(1, -int(-share * len(values) // 1))
    true = sorted(values)[rank - 1]
    upper = next(bound for bound in BOUNDS if true <= bound)
    lower = max([0.0, *(bound for bound in BOUNDS if bound < upper)])

    told = passed.quantile(share, "weir_confirm_seconds")

    assert told is not None
    assert lower <= told <= upper
    assert passed.mean("weir_confirm_seconds") == pytest.approx(sum(values) / len(values))
