"""A block after the capture gives the money back, once; where the network refuses, a person has to."""

import asyncio
from pathlib import Path

import pytest
from sqlalchemy import select

from events.types import DecisionMade, PaymentRefunded, PaymentRefundFailed
from events.vocabulary import Mode
from gateway.payments.intents import Intent
from gateway.requests import CaptureIntent, ConfirmIntent, CreateIntent, RiskContextInput
from gateway.store.tables import refunds
from tests.gateway_world import START, World, live_virtually
from tests.unit.gateway.test_intents_late_decisions import confirmed, decide_late

CONTEXT = RiskContextInput(ip="192.0.2.7", device_id="device-1", email="a@example.com")


async def captured_on_a_fallback(world: World, mode: Mode = "test") -> Intent:
    world.risk.silent = True
    caller = await world.caller(mode, START)
    token = await world.token(name=f"tok_{mode}", api_key=world.keys[mode])
    body = CreateIntent(amount=1999, currency="eur", payment_method=token, risk_context=CONTEXT)
    intent = await world.gateway.payments.create(caller, body)
    intent = await world.gateway.payments.confirm(caller, intent.id, ConfirmIntent())
    assert (intent.status, intent.not_assessed) == ("succeeded", True)
    return intent


async def statuses(world: World) -> list[str]:
    return await world.store.read(lambda c: list(c.execute(select(refunds.c.status)).scalars()))


def given_back(world: World) -> list[int]:
    """The amount of each refund that the network has made."""
    return [
        amount
        for (_, kind, _), (amount, end) in world.processor.operations.items()
        if kind == "refund" and end == "accepted"
    ]


async def until_told(world: World, intent: Intent, last: str) -> None:
    await world.until(lambda: world.payment_events(intent.id)[-1:] == [last])


@pytest.mark.parametrize("mode", ["test", "live"])
def test_a_late_block_gives_back_what_was_captured(tmp_path: Path, mode: Mode) -> None:
    async def story(world: World) -> None:
        intent = await captured_on_a_fallback(world, mode)
        await until_told(world, intent, "payment.captured")

        await decide_late(world, "block")

        await until_told(world, intent, "payment.refunded")
        after = await world.gateway.payments.retrieve(await world.caller(mode), intent.id)
        assert (after.status, after.amount_received_minor, after.amount_refunded_minor) == (
            "succeeded",
            1999,
            1999,
        )
        assert not after.refund_owed
        assert after.outcome is not None
        assert (after.outcome.risk_level, after.outcome.risk_score) == ("highest", 80)
        [event] = [each for each in world.log.events("payments") if isinstance(each, PaymentRefunded)]
        assert (event.amount_minor, event.reason, event.attempt) == (1999, "late_block", 1)
        assert (given_back(world), await statuses(world)) == ([1999], ["succeeded"])

    live_virtually(tmp_path, story, 0.05)


def test_a_block_that_comes_before_the_capture_is_paid_waits_for_it(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        world.processor.delay_seconds = 5.0
        intent = await captured_on_a_fallback(world)

        await decide_late(world, "block")
        await until_told(world, intent, "payment.decided_late")
        await asyncio.sleep(3)
        assert world.processor.calls[-1] == ("capture", f"{intent.id}_1")

        await until_told(world, intent, "payment.refunded")
        assert world.payment_events(intent.id)[-3:-1] == ["payment.decided_late", "payment.captured"]

    live_virtually(tmp_path, story, 0.05)


def test_where_the_capture_is_refused_there_is_nothing_to_give_back(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        world.processor.delay_seconds = 5.0
        world.processor.refuses_captures = True
        intent = await captured_on_a_fallback(world)
        await decide_late(world, "block")

        async def ended() -> bool:
            return await statuses(world) == ["canceled"]

        await world.until(ended)
        after = await world.intent(intent.id)
        assert (after.status, after.refund_owed) == ("requires_payment_method", False)
        assert world.payment_events(intent.id)[-2:] == ["payment.decided_late", "payment.capture_failed"]
        assert given_back(world) == []

    live_virtually(tmp_path, story, 0.05)


def test_a_refund_that_the_network_refuses_leaves_the_payment_marked_for_a_person(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        world.processor.refuses_refunds = True
        intent = await captured_on_a_fallback(world)

        await decide_late(world, "block")

        await until_told(world, intent, "payment.refund_failed")
        after = await world.intent(intent.id)
        assert (after.amount_refunded_minor, after.refund_owed) == (0, True)
        [event] = [each for each in world.log.events("payments") if isinstance(each, PaymentRefundFailed)]
        assert event.amount_minor == 1999
        assert await statuses(world) == ["failed"]

    live_virtually(tmp_path, story, 0.05)


@pytest.mark.parametrize("trouble", ["away", "lost_answers"])
def test_it_gives_back_once_though_answers_are_lost_and_the_program_starts_anew(
    tmp_path: Path, trouble: str
) -> None:
    async def story(world: World) -> None:
        intent = await captured_on_a_fallback(world)
        await until_told(world, intent, "payment.captured")
        setattr(world.processor, trouble, 1000)

        await decide_late(world, "block")
        await until_told(world, intent, "payment.decided_late")
        await asyncio.sleep(3)
        await world.restart()
        await asyncio.sleep(3)
        assert world.payment_events(intent.id)[-1] == "payment.decided_late"
        setattr(world.processor, trouble, 0)

        await until_told(world, intent, "payment.refunded")
        assert (given_back(world), await statuses(world)) == ([1999], ["succeeded"])
        assert world.payment_events(intent.id).count("payment.refunded") == 1

    live_virtually(tmp_path, story, 0.05)


def test_the_same_late_block_again_gives_nothing_back_again(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        intent = await captured_on_a_fallback(world)
        await decide_late(world, "block")
        await until_told(world, intent, "payment.refunded")

        decisions = [each for each in world.log.events("decisions") if isinstance(each, DecisionMade)]
        await world.gateway.recovery.deal(decisions[0])
        await asyncio.sleep(10)

        assert (given_back(world), await statuses(world)) == ([1999], ["succeeded"])

    live_virtually(tmp_path, story, 0.05)


def test_of_a_payment_whose_last_part_was_refused_only_what_was_captured_is_given_back(
    tmp_path: Path,
) -> None:
    async def story(world: World) -> None:
        world.risk.silent = True
        intent = await confirmed(world, capture_method="manual")
        payments, caller = world.gateway.payments, await world.caller()
        await payments.capture(caller, intent.id, CaptureIntent(amount_to_capture=300, final_capture=False))
        await asyncio.sleep(3)
        world.processor.refusing = "capture"
        await payments.capture(caller, intent.id, CaptureIntent())

        await decide_late(world, "block")
        await until_told(world, intent, "payment.decided_late")
        world.processor.refuses_captures, world.processor.refusing = True, None
        await until_told(world, intent, "payment.refunded")

        after = await world.intent(intent.id)
        assert (given_back(world), after.amount_received_minor, after.amount_refunded_minor) == (
            [300],
            300,
            300,
        )

    live_virtually(tmp_path, story, 0.05)
