"""Sweeps drive on what was left behind, and nothing that has ended meanwhile."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from sqlalchemy import Connection

from events.clock import VirtualClock
from events.log.port import Outgoing, Position, TopicPartition
from gateway.errors import ProcessorUnavailableError
from gateway.payments.intents import Attempt
from gateway.requests import ConfirmIntent, CreateIntent
from gateway.scheduling import InlineScheduling, run_for_good
from gateway.store.intent_rows import unfinished_attempts
from gateway.store.writer import Store
from tests.gateway_world import START, World
from tests.memory_log import MemoryLog, MemoryReader
from tests.processor_parts import Bench
from tests.virtual_time import run_virtually

DECISION_SECONDS = 1.0
LONGER_THAN_A_RECOVERED_FLIGHT_WAITS = 60.0


class SlowStore:
    """A store from which unfinished attempts, once read, are handed over only when `ended` is set."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.ended = asyncio.Event()
        self.seen: list[Attempt] = []

    async def read(self, work: Callable[[Connection], Any]) -> Any:
        found = await self._store.read(work)
        if work is unfinished_attempts:
            self.seen = found
            await self.ended.wait()
        return found


class FailingLog(MemoryLog):
    """Fails, once it is told to, in a way that no log is known to fail."""

    failing = ""

    def append(self, records: Sequence[Outgoing]) -> list[Position]:
        if self.failing == "append" and any(record.topic != "decisions" for record in records):
            raise ZeroDivisionError
        return super().append(records)

    def reader(self, start: Mapping[TopicPartition, int]) -> MemoryReader:
        if self.failing == "reader":
            raise ZeroDivisionError
        return super().reader(start)


async def blocked(world: World) -> str:
    """A payment that ends as blocked while its confirm is waited for."""
    world.risk.outcome, world.risk.risk_score = "block", 95
    world.risk.delay_seconds = DECISION_SECONDS
    caller = await world.caller()
    body = CreateIntent(amount=1999, currency="eur", payment_method=await world.token())
    intent = await world.gateway.payments.create(caller, body)
    await world.gateway.payments.confirm(caller, intent.id, ConfirmIntent())
    return intent.id


def test_an_attempt_that_was_blocked_while_a_sweep_read_it_is_not_authorized(tmp_path: Path) -> None:
    clock = VirtualClock(START)

    async def story() -> None:
        async with World(tmp_path, clock=clock) as world:
            store = SlowStore(world.store)
            recovery = replace(world.gateway.recovery, store=cast("Store", store))
            paying = asyncio.create_task(blocked(world))
            await asyncio.sleep(DECISION_SECONDS / 2)
            sweeping = asyncio.create_task(recovery.sweep())
            payment = await paying
            store.ended.set()
            await sweeping
            await asyncio.sleep(LONGER_THAN_A_RECOVERED_FLIGHT_WAITS)

            assert [attempt.payment_id for attempt in store.seen] == [payment]
            assert world.processor.calls == []
            assert world.payment_events(payment)[-1] == "payment.blocked"

    run_virtually(clock, story)


@pytest.mark.parametrize("failing", ["append", "reader"])
def test_a_loop_that_dies_of_an_error_nobody_foresaw_ends_the_program(tmp_path: Path, failing: str) -> None:
    async def story() -> None:
        world = World(tmp_path)
        world.log = log = FailingLog()
        log.failing = failing
        async with world:
            await asyncio.wait_for(world.failed.wait(), timeout=30)

    asyncio.run(story())


def test_a_gateway_that_is_stopped_has_not_failed(tmp_path: Path) -> None:
    async def story() -> None:
        world = World(tmp_path)
        async with world:
            await blocked(world)

        assert not world.failed.is_set()

    asyncio.run(story())


def test_housekeeping_that_dies_of_an_error_nobody_foresaw_ends_the_processor() -> None:
    async def story() -> None:
        failed = asyncio.Event()
        scheduling = InlineScheduling()
        bench = Bench()
        bench.line.faults = {"0220": ["silent"]}
        await bench.authorize("a", await bench.token())
        with pytest.raises(ProcessorUnavailableError):
            await bench.capture("a")
        bench.clock.advance(120)
        bench.store.close()
        run_for_good(scheduling, bench.processor.keep_house(scheduling), "housekeeping", failed.set)
        await asyncio.wait_for(failed.wait(), timeout=30)
        await scheduling.stop()

    asyncio.run(story())
