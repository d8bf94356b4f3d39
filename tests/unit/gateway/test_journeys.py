"""Where a confirm's time went: hops together are the whole, whatever the clocks of other machines say."""

import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.metrics import REGISTRY
from gateway.journeys import Journey, begin_journey, current_journey, reach

HOPS = ("api", "commit", "log", "flow_and_reply", "acquirer")


def confirmed(journey: Journey, decided_by: str = "engine") -> None:
    for moment in ("committing", "committed", "decided", "answered", "ended"):
        journey.moments[moment] = time.perf_counter()
    journey.decided_by = decided_by


def shown(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


def of_hops() -> dict[str, float]:
    return {hop: shown("weir_confirm_hop_seconds_sum", hop=hop) for hop in HOPS}


@given(st.floats(-3600.0, 3600.0))
def test_hops_together_are_the_whole_and_none_is_negative_however_wrong_a_clock(off_seconds: float) -> None:
    before, whole = of_hops(), shown("weir_confirm_seconds_sum", decided_by="engine")
    journey = Journey()
    confirmed(journey)
    journey.assessed_at = datetime.now(UTC) + timedelta(seconds=off_seconds)

    journey.end("POST", "/v1/payment_intents/{payment_id}/confirm", 200)

    took = {hop: seconds - before[hop] for hop, seconds in of_hops().items()}
    assert min(took.values()) >= -1e-9
    total = shown("weir_confirm_seconds_sum", decided_by="engine") - whole
    assert sum(took.values()) == pytest.approx(total, abs=1e-6)


def test_a_fallbacks_time_is_no_hop_of_the_flow() -> None:
    before = of_hops()
    journey = Journey()
    confirmed(journey, decided_by="fallback")

    journey.end("POST", "/v1/payment_intents/{payment_id}/confirm", 200)

    assert of_hops() == before


def test_a_request_that_confirmed_nothing_counts_as_a_request_alone() -> None:
    before = shown("weir_http_requests_total", method="GET", route="none", status="404")
    confirms = shown("weir_confirm_seconds_count", decided_by="engine")

    begin_journey().end("GET", None, 404)

    assert shown("weir_http_requests_total", method="GET", route="none", status="404") == before + 1
    assert shown("weir_confirm_seconds_count", decided_by="engine") == confirms


def test_a_moment_is_noted_on_the_request_under_way() -> None:
    journey = begin_journey()

    reach("committing")

    assert current_journey() is journey
    assert set(journey.moments) == {"committing"}


def test_a_request_carries_no_trace_while_tracing_is_off() -> None:
    assert Journey().trace is None
