"""Sweeps drive on what was left behind, and nothing that has ended meanwhile."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, cast

import pytest
from sqlalchemy import Connection, select, update

from events.clock import VirtualClock
from events.log.port import Outgoing, Position, TopicPartition
from gateway.errors import ProcessorUnavailableError
from gateway.payments.flights import AUTHORIZATION_SECONDS_MAX, RECOVERY_DEADLINE_SECONDS
from gateway.payments.intents import Attempt, Intent
from gateway.processor_port import AuthorizationRequest, ProcessorAnswer
from gateway.requests import CaptureIntent, ConfirmIntent, CreateIntent
from gateway.scheduling import InlineScheduling, run_for_good
from gateway.store.intent_rows import unfinished_attempts
from gateway.store.tables import attempts
from gateway.store.writer import Store
from tests.gateway_world import START, World, live_virtually
from tests.memory_log import MemoryLog, MemoryReader
from tests.obedient_processor import ObedientProcessor
from tests.processor_parts import Bench
from tests.virtual_time import run_virtually

DECISION_SECONDS = 1.0
LONGER_THAN_A_RECOVERED_FLIGHT_WAITS = 60.0


class SlowStore:
    """A store from which what `slow` names, once it was read, is handed over only when `ended` is set."""

    def __init__(self, store: Store, slow: Literal["attempts", "parties"]) -> None:
        self._store = store
        self._slow = slow
        self.ended = asyncio.Event()
        self.held = asyncio.Event()
        self.seen: list[Attempt] = []

    async def read(self, work: Callable[[Connection], Any]) -> Any:
        found = await self._store.read(work)
        is_sweep = getattr(work, "func", None) is unfinished_attempts
        what = "attempts" if is_sweep else "parties"
        if what == "attempts":
            self.seen = found
        if what == self._slow:
            self.held.set()
            await self.ended.wait()
        return found


class PausingStore:
    """A store whose writes are durable at once, and whose writers hear of it only when `heard` is set."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.heard = asyncio.Event()

    async def write(self, work: Callable[[Connection], Any], wanted: Any = ()) -> Any:
        done = await self._store.write(work)
        await self.heard.wait()
        return done


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


class StumblingProcessor(ObedientProcessor):
    """Fails once, in a way that no processor is known to fail."""

    stumbled = False

    async def authorize(self, request: AuthorizationRequest) -> ProcessorAnswer:
        if not self.stumbled:
            self.stumbled = True
            raise ZeroDivisionError
        return await super().authorize(request)


async def created(world: World, **members: str) -> str:
    body = CreateIntent(amount=1999, currency="eur", payment_method=await world.token(), **members)
    return (await world.gateway.payments.create(await world.caller(), body)).id


async def confirmed(world: World, payment_id: str) -> Intent:
    return await world.gateway.payments.confirm(await world.caller(), payment_id, ConfirmIntent())


async def blocked(world: World) -> str:
    """A payment that ends as blocked while its confirm is waited for."""
    world.risk.outcome, world.risk.risk_score = "block", 95
    world.risk.delay_seconds = DECISION_SECONDS
    payment = await created(world)
    await confirmed(world, payment)
    return payment


def test_an_attempt_that_was_blocked_while_a_sweep_read_it_is_not_authorized(tmp_path: Path) -> None:
    clock = VirtualClock(START)

    async def story() -> None:
        async with World(tmp_path, clock=clock) as world:
            store = SlowStore(world.store, "attempts")
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


def test_an_attempt_whose_flight_began_and_ended_while_a_sweep_read_it_is_not_authorized(
    tmp_path: Path,
) -> None:
    async def story(world: World) -> None:
        world.risk.outcome, world.risk.risk_score = "block", 95
        pausing, slow = PausingStore(world.store), SlowStore(world.store, "parties")
        payments = replace(world.gateway.payments, store=cast("Store", pausing))
        recovery = replace(world.gateway.recovery, store=cast("Store", slow))
        payment = await created(world)
        paying = asyncio.create_task(payments.confirm(await world.caller(), payment, ConfirmIntent()))
        await asyncio.sleep(0.001)
        sweeping = asyncio.create_task(recovery.sweep())
        await slow.held.wait()
        pausing.heard.set()
        await paying
        slow.ended.set()
        await sweeping
        await asyncio.sleep(LONGER_THAN_A_RECOVERED_FLIGHT_WAITS)

        assert world.processor.calls == []
        assert world.payment_events(payment)[-1] == "payment.blocked"

    live_virtually(tmp_path, story)


def test_after_a_restart_a_decision_has_longer_than_the_deadline_to_come(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        world.risk.silent = True
        payment = await created(world)
        world.processor.away = 1_000
        confirming = asyncio.create_task(confirmed(world, payment))
        await world.until(lambda: bool(world.processor.calls))
        world.processor.away = 0
        world.risk.outcome, world.risk.delay_seconds = "block", RECOVERY_DEADLINE_SECONDS / 2
        world.risk.silent = False
        await world.restart()
        confirming.cancel()

        await world.until(lambda: world.payment_events(payment)[-1:] == ["payment.blocked"])
        assert world.processor.authorized == []
        assert not (await world.intent(payment)).not_assessed

    live_virtually(tmp_path, story, deadline_seconds=0.05)


def test_after_a_restart_no_decision_is_waited_for_without_end(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        world.risk.silent = True
        payment = await created(world)
        confirming = asyncio.create_task(confirmed(world, payment))
        await asyncio.sleep(1)
        await world.restart()
        confirming.cancel()
        await asyncio.sleep(RECOVERY_DEADLINE_SECONDS + 1)

        intent = await world.intent(payment)
        assert (intent.status, intent.not_assessed) == ("requires_capture", True)

    live_virtually(tmp_path, story, deadline_seconds=600)


def test_what_no_processor_answers_for_half_a_minute_is_reversed_and_never_asked_for_again(
    tmp_path: Path,
) -> None:
    async def story(world: World) -> None:
        payment = await created(world)
        world.processor.away = 1_000
        assert (await confirmed(world, payment)).status == "processing"
        await asyncio.sleep(AUTHORIZATION_SECONDS_MAX)
        asked = len(world.processor.calls)
        world.processor.away = 0
        await world.until(lambda: world.payment_events(payment)[-1:] == ["payment.declined"])

        assert {call for call, _ in world.processor.calls[asked:]} == {"reverse"}
        assert world.processor.authorized == []
        intent = await world.intent(payment)
        assert intent.status == "requires_payment_method"
        assert intent.last_error is not None
        assert intent.last_error.code == "processing_error"

    live_virtually(tmp_path, story)


def test_a_capture_of_which_it_is_not_kept_how_much_is_told_to_nobody(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        payment = await created(world, capture_method="manual")
        await confirmed(world, payment)
        world.processor.away = 1_000
        await world.gateway.payments.capture(await world.caller(), payment, CaptureIntent())
        await world.gateway.stop()
        await world.open()
        await world.store.write(lambda c: c.execute(update(attempts).values(capture_minor=None)))
        world.processor.away, world.processor.calls = 0, []
        await world.gateway.start(world.failed.set)
        await asyncio.sleep(LONGER_THAN_A_RECOVERED_FLIGHT_WAITS)

        assert world.processor.calls == []
        assert not world.failed.is_set()

    live_virtually(tmp_path, story)


async def phases(world: World) -> set[str]:
    return await world.store.read(lambda c: set(c.execute(select(attempts.c.phase)).scalars()))


def test_a_capture_nobody_heard_of_is_told_though_who_had_authorized_it_is_gone(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        payment = await created(world, capture_method="manual")
        await confirmed(world, payment)
        world.processor.away = 1_000
        await world.gateway.payments.capture(await world.caller(), payment, CaptureIntent())
        await world.gateway.stop()
        # As it is where the commit of the capture seemed to fail: the process goes on, and nobody is at it.
        await world.open()
        await world.gateway.instances.join()
        await world.store.write(lambda c: c.execute(update(attempts).values(owner="in_gone")))
        world.processor.away = 0
        await world.gateway.recovery.sweep()
        await asyncio.sleep(1)

        assert await phases(world) == {"captured"}

    live_virtually(tmp_path, story)


def test_a_decision_outlives_the_flight_that_broke_off_with_it(tmp_path: Path) -> None:
    clock = VirtualClock(START)
    gateway = World(tmp_path, clock=clock)
    gateway.processor = StumblingProcessor()

    async def story() -> None:
        async with gateway as world:
            world.risk.outcome, world.risk.risk_score = "review", 70
            payment = await created(world)
            assert (await confirmed(world, payment)).status == "processing"
            await asyncio.sleep(LONGER_THAN_A_RECOVERED_FLIGHT_WAITS)

            intent = await world.gateway.payments.retrieve(await world.caller(), payment)
            assert intent.outcome is not None
            assert (intent.outcome.type, intent.outcome.risk_score) == ("manual_review", 70)

    run_virtually(clock, story)


@pytest.mark.parametrize("failing", ["append", "reader"])
def test_a_loop_that_dies_of_an_error_nobody_foresaw_ends_the_program(tmp_path: Path, failing: str) -> None:
    async def story() -> None:
        world = World(tmp_path)
        world.log = log = FailingLog()
        log.failing = failing
        async with world:
            assert await asyncio.wait_for(world.failed.wait(), timeout=30)

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
