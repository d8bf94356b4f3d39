"""Calls sent on a schedule, whether earlier ones are answered or not, and timed from their place in it.

A caller that waits for an answer before it asks again leaves out just the calls that a stall would have hit
(coordinated omission). Here a stall delays nothing but itself, and all that were due meanwhile show it.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

Sender = Callable[[int], Awaitable[T]]
"""Told the place in the schedule, from 0."""


async def paced(send: Sender[T], count: int, per_second: float, start: float) -> list[tuple[float, T]]:
    """Milliseconds from each call's due moment to its answer, and the answer, by place.

    `start` is a moment of `time.perf_counter`. A sender that raises ends the whole.
    """
    calls: list[asyncio.Task[tuple[float, T]]] = []
    async with asyncio.TaskGroup() as group:
        for place in range(count):
            due = start + place / per_second
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            calls.append(group.create_task(_timed(send, place, due)))
    return [call.result() for call in calls]


async def _timed(send: Sender[T], place: int, due: float) -> tuple[float, T]:
    answer = await send(place)
    return (time.perf_counter() - due) * 1000, answer
