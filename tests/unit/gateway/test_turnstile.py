"""A turnstile in virtual time: bounded inside and in its queues, fair among merchants, quick to refuse."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from events.clock import VirtualClock
from gateway.pressure.errors import OverloadedError
from gateway.pressure.turnstile import (
    AFTER_SECONDS_MAX,
    IN_USE_MAX,
    STANDING_SECONDS,
    STANDING_WAIT_SECONDS_MAX,
    STANDING_WAITING_MAX,
    WAIT_SECONDS_MAX,
    WAITING_MAX,
    Party,
    Turnstile,
)
from tests.gateway_world import START
from tests.virtual_time import run_virtually

LOUD, QUIET = Party("loud", "test"), Party("quiet", "test")


def turnstile(limit: int) -> Turnstile:
    draws = count()
    return Turnstile(limit, lambda: next(draws) % 256)


def live(story: Callable[[], Awaitable[None]]) -> None:
    run_virtually(VirtualClock(START), story)


async def visit(gate: Turnstile, party: Party, seconds: float) -> float | None:
    """How long it waited before it came in, None where it was refused."""
    loop = asyncio.get_running_loop()
    asked_at = loop.time()
    try:
        await gate.enter(party)
    except OverloadedError:
        return None
    waited = loop.time() - asked_at
    await asyncio.sleep(seconds)
    gate.leave(party)
    return waited


async def at_rate(
    gate: Turnstile, party: Party, rate: float, seconds: float, each: float
) -> list[float | None]:
    """Visits that come at a steady rate, whatever becomes of those before."""
    visits = []
    for _ in range(int(rate * seconds)):
        visits.append(asyncio.ensure_future(visit(gate, party, each)))
        await asyncio.sleep(1 / rate)
    return await asyncio.gather(*visits)


def test_who_finds_room_comes_in_at_once() -> None:
    async def story() -> None:
        gate = turnstile(2)
        await gate.enter(LOUD)
        await gate.enter(QUIET)
        assert (gate.in_use, gate.waiting, gate.refused) == (2, 0, 0)

    live(story)


def test_a_burst_waits_for_its_turn_and_nobody_of_it_is_refused() -> None:
    async def story() -> None:
        gate = turnstile(10)
        waits = await asyncio.gather(*(visit(gate, LOUD, 0.03) for _ in range(9 + WAITING_MAX)))
        assert None not in waits
        assert gate.in_use == gate.waiting == 0

    live(story)


def test_beyond_its_queue_a_merchant_is_refused_at_once() -> None:
    async def story() -> None:
        gate = turnstile(1)
        await gate.enter(LOUD)
        waiting = [asyncio.ensure_future(gate.enter(LOUD)) for _ in range(WAITING_MAX)]
        await asyncio.sleep(0)

        assert gate.is_closed_to(LOUD)
        assert not gate.is_closed_to(QUIET)
        with pytest.raises(OverloadedError) as raised:
            await gate.enter(LOUD)

        assert 1 <= raised.value.after_seconds <= AFTER_SECONDS_MAX
        assert raised.value.headers == {"retry-after": str(raised.value.after_seconds)}
        for each in waiting:
            each.cancel()

    live(story)


def test_nobody_waits_longer_than_the_bound_for_a_refusal() -> None:
    async def story() -> None:
        gate, loop = turnstile(1), asyncio.get_running_loop()
        await gate.enter(LOUD)
        asked_at = loop.time()
        with pytest.raises(OverloadedError):
            await gate.enter(QUIET)

        assert loop.time() - asked_at == pytest.approx(WAIT_SECONDS_MAX)
        assert (gate.in_use, gate.waiting, gate.refused) == (1, 0, 1)

    live(story)


def test_in_a_queue_that_stands_there_is_almost_no_waiting() -> None:
    async def story() -> None:
        gate = turnstile(10)
        waits = await at_rate(gate, LOUD, 400, 5, 0.05)
        late = [wait for wait in waits[int(400 * 2 * STANDING_SECONDS) :] if wait is not None]

        # Nine at once, a twentieth of a second each: 180 a second are let in, twice as many come.
        assert len(late) == pytest.approx(180 * (5 - 2 * STANDING_SECONDS), rel=0.05)
        assert max(late) <= STANDING_WAIT_SECONDS_MAX
        assert gate.in_use == gate.waiting == 0

    live(story)


def test_a_flood_of_one_takes_nothing_from_another_who_asks_for_less_than_its_share() -> None:
    async def story() -> None:
        gate = turnstile(10)
        loud, quiet = await asyncio.gather(
            at_rate(gate, LOUD, 2000, 5, 0.05), at_rate(gate, QUIET, 50, 5, 0.05)
        )

        assert None not in quiet
        assert max(wait for wait in quiet if wait is not None) < 0.05
        assert sum(wait is not None for wait in loud) == pytest.approx(150 * 5, rel=0.1)

    live(story)


def test_two_who_flood_alike_get_alike() -> None:
    async def story() -> None:
        gate = turnstile(10)
        one, other = await asyncio.gather(
            at_rate(gate, LOUD, 500, 5, 0.05), at_rate(gate, QUIET, 1000, 5, 0.05)
        )
        done = [sum(wait is not None for wait in waits) for waits in (one, other)]
        assert done[0] == pytest.approx(done[1], rel=0.1)

    live(story)


def test_slow_visits_of_one_do_not_keep_the_other_out() -> None:
    async def story() -> None:
        gate = turnstile(10)
        slow = asyncio.ensure_future(at_rate(gate, LOUD, 100, 5, 1.0))
        quick = await at_rate(gate, QUIET, 20, 5, 0.05)
        assert None not in quick
        await slow

    live(story)


def test_where_the_limit_falls_beneath_a_flood_another_still_comes_in_at_once() -> None:
    async def story() -> None:
        gate = turnstile(64)
        slow = [asyncio.ensure_future(visit(gate, LOUD, 1.0)) for _ in range(64)]
        await asyncio.sleep(0.01)
        gate.limit = 16
        assert gate.in_use > gate.limit

        quick = await at_rate(gate, QUIET, 20, 0.9, 0.05)

        assert set(quick) == {0.0}
        await asyncio.gather(*slow)

    live(story)


def test_however_many_merchants_there_are_no_more_are_inside_than_the_bound() -> None:
    async def story() -> None:
        gate = turnstile(16)
        parties = [Party(f"m_{number}", "test") for number in range(IN_USE_MAX)]
        visits = [asyncio.ensure_future(visit(gate, party, 1.0)) for party in parties * 2]
        await asyncio.sleep(0.01)
        assert gate.in_use == IN_USE_MAX
        assert sum(wait is None for wait in await asyncio.gather(*visits)) == IN_USE_MAX

    live(story)


def test_after_a_flood_everything_is_as_before() -> None:
    async def story() -> None:
        gate = turnstile(10)
        await at_rate(gate, LOUD, 2000, 3, 0.05)
        assert await visit(gate, LOUD, 0.05) == 0.0
        assert not gate.is_closed_to(LOUD)

    live(story)


def test_a_lower_limit_lets_nobody_in_until_enough_have_left_and_a_higher_one_at_once() -> None:
    async def story() -> None:
        gate = turnstile(2)
        await gate.enter(LOUD)
        await gate.enter(LOUD)
        gate.limit = 1
        waiting = asyncio.ensure_future(gate.enter(QUIET))
        await asyncio.sleep(0)
        gate.leave(LOUD)
        assert not waiting.done()
        gate.limit = 2
        await waiting
        assert gate.in_use == 2

    live(story)


def test_who_gives_up_just_as_a_place_becomes_free_takes_none() -> None:
    async def story() -> None:
        gate = turnstile(1)
        await gate.enter(LOUD)
        waiting = asyncio.ensure_future(gate.enter(QUIET))
        next_one = asyncio.ensure_future(gate.enter(QUIET))
        await asyncio.sleep(0.01)
        waiting.cancel()
        gate.leave(LOUD)
        await asyncio.sleep(0.01)

        assert waiting.cancelled()
        assert next_one.done()
        assert (gate.in_use, gate.waiting) == (1, 0)

    live(story)


class Callers:
    """Callers who come, go and give up, and a book of who is inside."""

    def __init__(self, gate: Turnstile) -> None:
        self.gate = gate
        self.asked: list[tuple[Party, asyncio.Future[None]]] = []
        self.inside: Counter[Party] = Counter()

    def do(self, step: str, number: int) -> None:
        party = Party(f"m_{number % 3}", "test")
        if step == "enter":
            self.asked.append((party, asyncio.ensure_future(self.gate.enter(party))))
        elif step == "leave" and self.inside[party]:
            self.inside[party] -= 1
            self.gate.leave(party)
        elif step == "cancel" and self.asked:
            self.asked[number % len(self.asked)][1].cancel()

    def settle(self) -> None:
        for party, task in [each for each in self.asked if each[1].done()]:
            self.asked.remove((party, task))
            if not task.cancelled() and task.exception() is None:
                self.inside[party] += 1

    def leave(self) -> None:
        for party in self.inside.elements():
            self.gate.leave(party)


@settings(max_examples=60, deadline=None)
@given(
    limit=st.integers(1, 4),
    steps=st.lists(
        st.tuples(st.sampled_from(["enter", "leave", "cancel", "sleep"]), st.integers(0, 7)), max_size=60
    ),
)
def test_whatever_happens_no_place_is_lost_and_none_is_given_twice(
    limit: int, steps: list[tuple[str, int]]
) -> None:
    async def story() -> None:
        callers = Callers(gate := turnstile(limit))
        for step, number in steps:
            callers.do(step, number)
            await asyncio.sleep(0.1 * number * (step == "sleep"))
            await asyncio.sleep(0)
            callers.settle()
            assert gate.in_use <= limit
            assert gate.waiting <= len(callers.asked)
        await asyncio.sleep(1)
        callers.settle()

        assert (gate.in_use, gate.waiting) == (callers.inside.total(), 0)
        callers.leave()
        assert gate.in_use == 0
        await asyncio.gather(*(gate.enter(LOUD) for _ in range(limit)))

    live(story)


def test_of_a_standing_queue_few_places_are_left() -> None:
    async def story() -> None:
        gate = turnstile(1)
        await gate.enter(QUIET)
        flood = asyncio.ensure_future(at_rate(gate, LOUD, 1000, 2, 0.0))
        await asyncio.sleep(2 * STANDING_SECONDS)
        assert gate.waiting <= STANDING_WAITING_MAX
        await flood

    live(story)
