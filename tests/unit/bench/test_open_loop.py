"""The schedule of calls: a stall is seen by every call that was due meanwhile."""

import asyncio
import time

from bench.open_loop import paced


def test_calls_are_sent_on_time_whether_earlier_ones_are_answered_or_not() -> None:
    async def slow(place: int) -> float:
        sent = time.perf_counter()
        await asyncio.sleep(0.5)
        return sent

    async def whole() -> tuple[float, list[tuple[float, float]]]:
        start = time.perf_counter()
        return start, await paced(slow, count=20, per_second=100, start=start)

    start, answers = asyncio.run(whole())

    assert max(sent for _, sent in answers) - start < 0.5, "the last was sent before the first was answered"


def test_a_stall_of_the_whole_is_counted_from_the_moment_at_which_each_call_was_due() -> None:
    async def stalling(place: int) -> int:
        if place == 10:
            time.sleep(0.3)  # stops every call at once, as a stalled server does
        return place

    async def whole() -> list[tuple[float, int]]:
        return await paced(stalling, count=30, per_second=100, start=time.perf_counter())

    answers = asyncio.run(whole())

    assert [place for _, place in answers] == list(range(30))
    assert answers[12][0] > 200, "due 20 ms into the stall of 300 ms, and it waited for the rest of it"
