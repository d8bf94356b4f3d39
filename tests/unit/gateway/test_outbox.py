"""The outbox: what is committed reaches the log, in order, at least once, whatever goes away meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest
from sqlalchemy import select

from events.errors import LogUnavailableError
from events.log.port import Outgoing, Position
from gateway.outbox import Relay
from gateway.requests import CreateIntent
from gateway.store.tables import outbox
from tests.gateway_world import World
from tests.memory_log import MemoryLog

pytestmark = pytest.mark.both_stores


class UnsteadyLog(MemoryLog):
    """Away for the first appends; `double` appends and then says that it could not."""

    away = 0
    double = 0

    def append(self, records: Sequence[Outgoing]) -> list[Position]:
        if self.away:
            self.away -= 1
            raise LogUnavailableError("away")
        positions = super().append(records)
        if self.double:
            self.double -= 1
            raise LogUnavailableError("the answer was lost")
        return positions


def lived(folder: Path, story: Callable[[World, UnsteadyLog], Awaitable[None]]) -> None:
    async def live() -> None:
        world = World(folder)
        log = UnsteadyLog()
        world.log = log
        async with world:
            await story(world, log)

    asyncio.run(live())


async def created(world: World, count: int = 1) -> list[str]:
    caller = await world.caller()
    body = CreateIntent(amount=100, currency="eur")
    return [(await world.gateway.payments.create(caller, body)).id for _ in range(count)]


async def waiting(world: World) -> int:
    rows = await world.store.read(lambda c: c.execute(select(outbox.c.id)).all())
    return len(rows)


def test_events_wait_for_a_log_that_is_away_and_then_leave_in_order(tmp_path: Path) -> None:
    async def story(world: World, log: UnsteadyLog) -> None:
        await world.until(lambda: len(log.events("audit")) == 3)
        log.away = 2
        ids = await created(world, 5)

        await world.until(lambda: len(log.events("payments")) == 5)

        assert [event.payment_id for event in log.events("payments")] == ids  # type: ignore[attr-defined]  # payments

    lived(tmp_path, story)


def test_what_the_log_has_acknowledged_leaves_the_outbox(tmp_path: Path) -> None:
    async def story(world: World, log: UnsteadyLog) -> None:
        await created(world, 3)

        async def empty() -> bool:
            return await waiting(world) == 0

        await world.until(empty)
        assert len(log.events("payments")) == 3

    lived(tmp_path, story)


def test_an_append_whose_answer_was_lost_comes_twice_with_one_id(tmp_path: Path) -> None:
    async def story(world: World, log: UnsteadyLog) -> None:
        await world.until(lambda: len(log.events("audit")) == 3)
        log.double = 1
        await created(world)

        await world.until(lambda: len(log.events("payments")) == 2)

        first, second = log.events("payments")
        assert first == second

    lived(tmp_path, story)


def test_what_a_stopped_process_left_is_sent_by_the_next(tmp_path: Path) -> None:
    async def story(world: World, log: UnsteadyLog) -> None:
        log.away = 1_000_000
        await created(world, 2)
        await world.restart()
        assert await waiting(world) >= 2
        log.away = 0

        await world.until(lambda: len(log.events("payments")) == 2)

    lived(tmp_path, story)


def test_rows_of_another_process_are_found_without_a_nudge(tmp_path: Path) -> None:
    async def story(world: World, log: UnsteadyLog) -> None:
        from gateway.event_recorder import EventRecorder

        recorder = EventRecorder(world.entropy)
        at = world.clock.now()
        await world.store.write(
            lambda c: recorder.audit(c, at, actor="someone", action="api_key.create", resource="key_1")
        )

        await world.until(lambda: len(log.events("audit")) == 4)

    lived(tmp_path, story)


def test_a_drained_outbox_is_not_sent_again(tmp_path: Path) -> None:
    async def story(world: World, log: UnsteadyLog) -> None:
        await created(world, 2)
        await world.until(lambda: len(log.events("payments")) == 2)

        async def empty() -> bool:
            return await waiting(world) == 0

        await world.until(empty)
        await Relay(world.store, log, world.scheduling).drain()

        assert len(log.events("payments")) == 2

    lived(tmp_path, story)
