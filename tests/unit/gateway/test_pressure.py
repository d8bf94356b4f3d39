"""How much is let in: by measured delays, by what waits for the log, and by whether decisions come."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.clock import VirtualClock
from gateway.errors import UnavailableError
from gateway.pressure.adapting import DELAY_SECONDS_MAX, FIRST, LEAST, MOST, Delays, adapted, share_max
from gateway.pressure.admission import AWAY_AFTER_SECONDS, BACKLOG_MAX, FLIGHTS_MAX, Admission
from gateway.pressure.errors import DecisionsLateError, OverloadedError
from gateway.pressure.lateness import (
    IN_TIME_IN_A_ROW,
    LATE_IN_A_ROW,
    LATE_SECONDS,
    Lateness,
    LatePolicy,
)
from gateway.pressure.measuring import Gauge, Outside, Regulator
from gateway.pressure.turnstile import Party
from gateway.scheduling import InlineScheduling
from tests.gateway_world import START, Counter
from tests.virtual_time import run_virtually

PARTY = Party("m_1", "test")
LONG = 2 * DELAY_SECONDS_MAX


@given(st.integers(LEAST, MOST), st.lists(st.tuples(st.floats(0, 10), st.integers(0, 600)), max_size=50))
def test_the_limit_never_leaves_its_bounds(limit: int, ticks: list[tuple[float, int]]) -> None:
    for delay_seconds, in_use_max in ticks:
        limit = adapted(limit, delay_seconds=delay_seconds, in_use_max=in_use_max)
        assert LEAST <= limit <= MOST


def test_while_delays_are_long_less_is_let_in_down_to_the_least() -> None:
    limit = MOST
    for _ in range(30):
        limit = adapted(limit, delay_seconds=LONG, in_use_max=limit)
    assert limit == LEAST


def test_from_the_least_it_is_as_at_first_within_four_seconds_of_calm() -> None:
    limit, ticks = LEAST, 0
    while limit < FIRST:
        limit, ticks = adapted(limit, delay_seconds=0.0, in_use_max=0), ticks + 1
    assert ticks * 0.2 <= 4


def test_beyond_the_first_limit_only_what_is_used_makes_it_grow() -> None:
    assert adapted(FIRST, delay_seconds=0.0, in_use_max=share_max(FIRST) - 1) == FIRST
    assert adapted(FIRST, delay_seconds=0.0, in_use_max=share_max(FIRST)) > FIRST


def test_delays_are_averaged_over_the_time_since_they_were_taken() -> None:
    delays = Delays()
    for seconds in (0.1, 0.3):
        delays.note(seconds)

    assert [delays.take(), delays.take()] == [pytest.approx(0.2), 0.0]


def test_nothing_comes_in_to_write_while_too_many_attempts_have_no_end() -> None:
    async def story() -> None:
        flights = FLIGHTS_MAX + 1
        admission = Admission(Counter(), lambda: flights)
        with pytest.raises(OverloadedError) as raised:
            await admission.enter_to_write(PARTY)
        assert raised.value.after_seconds == AWAY_AFTER_SECONDS
        flights = FLIGHTS_MAX
        await admission.enter_to_write(PARTY)

    asyncio.run(story())


def test_nothing_comes_in_to_write_while_too_much_waits_for_the_log() -> None:
    async def story() -> None:
        admission = Admission(Counter())
        admission.backlog = BACKLOG_MAX + 1
        with pytest.raises(OverloadedError):
            await admission.enter_to_write(PARTY)
        await admission.reads.enter(PARTY)

        admission.backlog = BACKLOG_MAX
        await admission.enter_to_write(PARTY)
        assert (admission.writes.in_use, admission.refused) == (1, 1)

    asyncio.run(story())


class Others:
    """What is outside of an API process, as a test has it."""

    def __init__(self) -> None:
        self.seconds: float | None = 0.0
        self.waiting = 0

    async def delay(self) -> float:
        if self.seconds is None:
            raise UnavailableError("no answer")
        return self.seconds

    async def backlog(self) -> int:
        return self.waiting


@pytest.mark.parametrize("delay", [LONG, None])
def test_a_processor_that_is_slow_or_silent_lets_less_in_and_one_that_is_quick_again_as_before(
    delay: float | None,
) -> None:
    clock = VirtualClock(START)

    async def story() -> None:
        admission, others, scheduling = Admission(Counter()), Others(), InlineScheduling()
        gauge = Gauge(scheduling, Delays())
        outside = Outside(others.delay, others.backlog)
        scheduling.spawn(Regulator(admission, gauge, outside, scheduling).run(), "regulator")
        others.seconds, others.waiting = delay, 7
        await asyncio.sleep(10)
        assert (admission.writes.limit, admission.reads.limit, admission.backlog) == (LEAST, FIRST, 7)

        others.seconds = 0.0
        await asyncio.sleep(6)
        assert (admission.writes.limit, admission.reads.limit) == (FIRST, FIRST)
        await scheduling.stop()

    run_virtually(clock, story)


def test_a_programs_own_writes_count_as_its_delay() -> None:
    async def story() -> None:
        writes = Delays()
        gauge = Gauge(InlineScheduling(), writes)
        writes.note(0.25)
        await gauge.tick()
        assert gauge.seconds == pytest.approx(0.25)
        await gauge.tick()
        assert gauge.seconds == pytest.approx(0.0)

    run_virtually(VirtualClock(START), story)


def late_for_a_while(clock: VirtualClock, policy: LatePolicy) -> Lateness:
    lateness = Lateness(clock, policy)
    for _ in range(LATE_IN_A_ROW):
        lateness.note(in_time=False)
        clock.advance(LATE_SECONDS / (LATE_IN_A_ROW - 2))
    return lateness


def test_payments_are_refused_while_decisions_are_late_where_that_is_the_policy() -> None:
    lateness = late_for_a_while(VirtualClock(START), LatePolicy.REFUSE)

    lateness.require_in_time()  # one is let in to see
    with pytest.raises(DecisionsLateError):
        lateness.require_in_time()


def test_by_default_payments_that_are_late_fall_back() -> None:
    lateness = late_for_a_while(VirtualClock(START), LatePolicy.FALL_BACK)

    for _ in range(100):
        lateness.require_in_time()
    assert lateness.is_late


def test_decisions_that_come_in_time_again_end_the_refusals() -> None:
    clock = VirtualClock(START)
    lateness = late_for_a_while(clock, LatePolicy.REFUSE)
    tries = 0
    while lateness.is_late:
        try:
            lateness.require_in_time()
        except DecisionsLateError:
            clock.advance(0.1)
        else:
            tries += 1
            lateness.note(in_time=True)

    assert tries == IN_TIME_IN_A_ROW
    assert clock.now().timestamp() - START.timestamp() < LATE_SECONDS + 3
    lateness.require_in_time()
    lateness.require_in_time()


def test_a_short_stop_of_the_flow_is_no_lateness() -> None:
    clock = VirtualClock(START)
    lateness = Lateness(clock, LatePolicy.REFUSE)
    for _ in range(10 * LATE_IN_A_ROW):
        lateness.note(in_time=False)
    assert not lateness.is_late
    lateness.note(in_time=True)
    clock.advance(LATE_SECONDS)
    lateness.note(in_time=False)
    assert not lateness.is_late
