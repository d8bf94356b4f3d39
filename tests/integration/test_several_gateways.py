"""Several gateways on one PostgreSQL: each drives its own attempts, and those of one that died."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert

from events.clock import VirtualClock
from events.crash import watched
from events.log.port import Record, TopicPartition
from events.topics import topic_named
from gateway.errors import GatewayError
from gateway.instances import BEAT_SECONDS, LOOKS_MAX
from gateway.outbox import POLL_SECONDS
from gateway.payments.expiry import EXPIRY_SWEEP_SECONDS
from gateway.payments.flights import AUTHORIZATION_SECONDS_MAX, RECOVERY_DEADLINE_SECONDS
from gateway.processor_port import ProcessorAnswer, ReversalRequest
from gateway.requests import ConfirmIntent, CreateIntent
from gateway.store.instance_rows import beats_of_others
from gateway.store.intent_rows import load_attempt
from gateway.store.tables import outbox
from tests.e2e.crash_plan import ON_A_SHARED_STORE
from tests.gateway_world import START, World
from tests.obedient_processor import ObedientProcessor
from tests.virtual_time import run_virtually

pytestmark = pytest.mark.parametrize("store_kind", ["postgresql"], indirect=True)


class DiedError(Exception):
    """The process ended here."""


SILENCE_SECONDS = (LOOKS_MAX + 2) * BEAT_SECONDS
HOUR_SECONDS = 3_600.0


def lived(
    folder: Path,
    story: Callable[[World, World], Awaitable[None]],
    deadline_seconds: float = 600,
    relay_poll_seconds: float = POLL_SECONDS,
) -> None:
    """Run a story with two gateways that share store, log and processor, in virtual time."""
    clock = VirtualClock(START)

    async def live() -> None:
        world = World(folder, clock=clock, deadline_seconds=deadline_seconds)
        world.relay_poll_seconds = relay_poll_seconds
        async with world as one:
            two = await beside(one, "two")
            await story(one, two)
            await two.gateway.stop()

    run_virtually(clock, live)


class NearlyCutOff(ObedientProcessor):
    """What one instance sees of the processor where none of its authorizations comes through."""

    def __init__(self, processor: ObedientProcessor) -> None:
        super().__init__()
        self.refusing = "authorize"
        self._processor = processor

    async def reverse(self, attempt_id: str, request: ReversalRequest) -> ProcessorAnswer:
        return await self._processor.reverse(attempt_id, request)


async def beside(world: World, name: str, processor: ObedientProcessor | None = None) -> World:
    """Another gateway on the same store, as it is started on another machine."""
    other = World(world.folder, clock=world.clock, deadline_seconds=world.deadline_seconds)
    other.log, other.processor, other.keys = world.log, processor or world.processor, world.keys
    other.relay_poll_seconds = world.relay_poll_seconds
    other.entropy, other.instance_name = secrets.token_bytes, name  # type: ignore[assignment]  # bytes as well
    await other.open()
    await other.gateway.start(other.failed.set)
    return other


async def confirming(world: World, **members: Any) -> tuple[str, "asyncio.Task[object]"]:
    """A payment whose confirm waits, with this gateway, for its decision."""
    body = CreateIntent(amount=1999, currency="eur", payment_method=await world.token(), **members)
    payment = (await world.gateway.payments.create(await world.caller(), body)).id
    confirm = world.gateway.payments.confirm(await world.caller(), payment, ConfirmIntent())
    task = asyncio.create_task(confirm)
    await asyncio.sleep(4 * POLL_SECONDS)
    return payment, task


def asked(world: World) -> Record:
    """The one question that waits for a decision."""
    partitions = range(topic_named("assessments").partitions)
    (record,) = [record for number in partitions for record in world.log.on("assessments", number)]
    return record


async def dead(world: World) -> None:
    """It dies: nothing of it goes on, and it says so to nobody."""
    await world.gateway.stop()


def test_a_payment_is_decided_and_ended_once_by_the_gateway_that_confirmed_it(tmp_path: Path) -> None:
    async def story(one: World, two: World) -> None:
        for world in (one, two):
            payment, task = await confirming(world)
            await asyncio.wait_for(task, 60)
            events = one.payment_events(payment)
            assert events[-1] in ("payment.authorized", "payment.captured")
        assert [call for call, _ in one.processor.calls].count("authorize") == 2

    lived(tmp_path, story)


def test_what_a_gateway_left_is_ended_by_the_other_when_it_has_been_silent(tmp_path: Path) -> None:
    async def story(one: World, two: World) -> None:
        one.risk.silent = True
        payment, task = await confirming(two)
        await dead(two)
        task.cancel()
        await asyncio.sleep(SILENCE_SECONDS + RECOVERY_DEADLINE_SECONDS + 5)

        assert one.payment_events(payment)[-1] in ("payment.authorized", "payment.captured")
        assert (await one.intent(payment)).not_assessed
        assert await one.store.read(lambda c: beats_of_others(c, one.gateway.instances.own)) == {}

    lived(tmp_path, story)


def test_a_decision_for_a_dead_gateway_acts_though_the_other_had_read_on_before(tmp_path: Path) -> None:
    async def story(one: World, two: World) -> None:
        one.risk.silent = True
        payment, task = await confirming(two)
        await dead(two)
        task.cancel()
        one.risk.outcome, one.risk.risk_score = "block", 95
        one.risk.answer(asked(one))
        await asyncio.sleep(SILENCE_SECONDS / 2)
        passed = await one.store.read(lambda c: load_attempt(c, payment, 1))
        await asyncio.sleep(SILENCE_SECONDS)

        assert passed is not None
        assert passed.phase == "assessing"
        assert one.payment_events(payment)[-1] == "payment.blocked"
        assert one.processor.authorized == []

    lived(tmp_path, story)


def test_one_that_is_started_again_goes_on_at_once_with_what_it_had(tmp_path: Path) -> None:
    async def story(one: World, two: World) -> None:
        one.risk.silent = True
        payment, task = await confirming(two)
        await dead(two)
        task.cancel()
        again = await beside(one, "two")
        await asyncio.sleep(RECOVERY_DEADLINE_SECONDS + 1)

        assert one.payment_events(payment)[-1] in ("payment.authorized", "payment.captured")
        await again.gateway.stop()

    lived(tmp_path, story)


@pytest.mark.parametrize("point", sorted(ON_A_SHARED_STORE))
def test_one_that_dies_while_it_takes_over_ends_it_when_it_is_started_again(
    tmp_path: Path, point: str
) -> None:
    def die(passed: str) -> None:
        if passed == point:
            raise DiedError

    async def story(one: World, two: World) -> None:
        one.risk.silent = True
        payment, task = await confirming(two)
        await dead(two)
        task.cancel()
        with watched(die):
            await asyncio.wait_for(one.failed.wait(), 2 * SILENCE_SECONDS)
        await one.restart()
        await asyncio.sleep(SILENCE_SECONDS + RECOVERY_DEADLINE_SECONDS)

        assert one.payment_events(payment)[-1] in ("payment.authorized", "payment.captured")

    lived(tmp_path, story)


def test_one_that_was_only_thought_dead_ends_nothing_any_more_and_gives_up(tmp_path: Path) -> None:
    async def story(one: World, two: World) -> None:
        one.risk.silent = True
        payment, task = await confirming(two)
        await asyncio.sleep(BEAT_SECONDS / 2)
        own = two.gateway.instances.own
        beats = (await one.store.read(lambda c: beats_of_others(c, one.gateway.instances.own)))[own]
        assert await one.store.write(lambda c: one.gateway.instances._inherit_in(c, {own: beats}))
        two.risk.outcome = "allow"
        one.risk.outcome, one.risk.risk_score = "block", 95
        one.risk.answer(asked(one))
        await asyncio.sleep(SILENCE_SECONDS + RECOVERY_DEADLINE_SECONDS)

        assert two.failed.is_set()
        assert one.payment_events(payment).count("payment.blocked") == 1
        assert one.processor.authorized == []
        assert (await task).status == "processing"  # type: ignore[attr-defined]  # an intent

    lived(tmp_path, story)


def test_one_that_was_only_thought_dead_takes_nothing_back_that_the_other_drives_on(tmp_path: Path) -> None:
    async def story(one: World, two: World) -> None:
        await dead(two)
        slow = await beside(one, "slow", NearlyCutOff(one.processor))
        one.risk.silent = True
        payment, task = await confirming(slow, capture_method="manual")
        await asyncio.sleep(AUTHORIZATION_SECONDS_MAX / 2)
        own = slow.gateway.instances.own
        beats = (await one.store.read(lambda c: beats_of_others(c, one.gateway.instances.own)))[own]
        assert await one.store.write(lambda c: one.gateway.instances._inherit_in(c, {own: beats}))
        await asyncio.sleep(AUTHORIZATION_SECONDS_MAX)

        assert one.payment_events(payment)[-1] == "payment.authorized"
        assert [answer.status for answer in one.processor.answers.values()] == ["approved"]
        task.cancel()
        await slow.gateway.stop()

    lived(tmp_path, story, deadline_seconds=1)


def test_one_that_gave_an_attempt_up_and_died_has_it_taken_back_by_its_heir(tmp_path: Path) -> None:
    async def story(one: World, two: World) -> None:
        one.risk.silent, one.processor.refusing = True, "authorize"
        payment, task = await confirming(two)
        await asyncio.sleep(2)
        attempt = await one.store.read(lambda c: load_attempt(c, payment, 1))
        assert attempt is not None
        await two.gateway.payer_steps._ends.give_up(attempt)
        await dead(two)
        task.cancel()
        one.processor.refusing = None
        await asyncio.sleep(SILENCE_SECONDS + RECOVERY_DEADLINE_SECONDS + 5)

        assert one.payment_events(payment)[-1] == "payment.declined"
        assert one.processor.authorized == []

    lived(tmp_path, story, deadline_seconds=1)


def test_of_two_confirms_at_two_gateways_one_begins(tmp_path: Path) -> None:
    async def story(one: World, two: World) -> None:
        body = CreateIntent(amount=1999, currency="eur", payment_method=await one.token())
        payment = (await one.gateway.payments.create(await one.caller(), body)).id
        confirms = [
            world.gateway.payments.confirm(await world.caller(), payment, ConfirmIntent())
            for world in (one, two)
        ]
        ends = await asyncio.gather(*confirms, return_exceptions=True)

        assert sorted(isinstance(end, GatewayError) for end in ends) == [False, True]
        assert len(one.processor.authorized) == 1

    lived(tmp_path, story)


def test_when_the_one_that_relays_dies_the_other_does(tmp_path: Path) -> None:
    async def story(one: World, two: World) -> None:
        await dead(one)
        body = CreateIntent(amount=100, currency="eur")
        payment = (await two.gateway.payments.create(await two.caller(), body)).id
        await asyncio.sleep(4 * POLL_SECONDS)

        assert two.payment_events(payment) == ["payment.created"]

    lived(tmp_path, story)


def test_the_one_that_relays_is_woken_by_the_others(tmp_path: Path) -> None:
    async def story(one: World, two: World) -> None:
        body = CreateIntent(amount=100, currency="eur")
        for _ in range(5):
            payment = (await two.gateway.payments.create(await two.caller(), body)).id

            # The wake-up takes the server's time, in which much virtual time may pass.
            await one.until(
                lambda payment=payment: one.payment_events(payment) == ["payment.created"], HOUR_SECONDS / 6
            )

    lived(tmp_path, story, relay_poll_seconds=HOUR_SECONDS)


def test_an_event_that_is_committed_after_one_with_a_higher_number_is_not_missed(tmp_path: Path) -> None:
    async def story(one: World, two: World) -> None:
        row = {"topic": "audit", "key": b"k"}
        before = len(one.log.written)
        with one.store.engine.connect() as late, late.begin():
            late.execute(insert(outbox), {**row, "value": b"first"})
            await two.store.write(lambda c: c.execute(insert(outbox), {**row, "value": b"second"}))
            await asyncio.sleep(4 * POLL_SECONDS)
        await asyncio.sleep(4 * POLL_SECONDS)

        assert [record.value for record in one.log.written[before:]] == [b"second", b"first"]

    lived(tmp_path, story)


def test_the_clock_of_test_mode_is_followed_by_all(tmp_path: Path) -> None:
    later = START + timedelta(days=3)

    async def story(one: World, two: World) -> None:
        await one.caller(at=later)
        await asyncio.sleep(3 * EXPIRY_SWEEP_SECONDS)

        assert (await two.caller(at=None)).at == later

    lived(tmp_path, story)


def test_one_that_joins_reads_the_decisions_from_then_on(tmp_path: Path) -> None:
    async def story(one: World, two: World) -> None:
        _, task = await confirming(one)
        await task
        place = next(p for p, records in one.log.records.items() if p.topic == "decisions" and records)
        third = await beside(one, "three")
        from gateway.store.position_rows import load_positions

        kept = await one.store.read(lambda c: load_positions(c, third.gateway.instances.own, "decisions"))
        assert kept[place.partition] == len(one.log.records[TopicPartition(*place)])
        await third.gateway.stop()

    lived(tmp_path, story)
