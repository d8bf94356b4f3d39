"""Automatic captures that were put off: made in their hour, once, unless somebody was first."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from events.moments import microseconds
from gateway.errors import InvalidRequestError
from gateway.payments.intents import Intent
from gateway.requests import CancelIntent, CaptureIntent, ConfirmIntent, CreateIntent, UpdateIntent
from tests.gateway_world import START, World, live_virtually

SWEEPS_SECONDS = 12


async def put_off(world: World, hours: int = 24, **members: object) -> Intent:
    token = await world.token()
    body = {"amount": 1999, "currency": "eur", "payment_method": token, "confirm": True, **members}
    order = CreateIntent(capture_delay_hours=hours, **body)
    return await world.gateway.payments.create(await world.caller(), order)


async def clock_at(world: World, hours: float) -> None:
    """A test request carries the test clock on; then sweeps pass."""
    await world.caller(at=START + timedelta(hours=hours))
    await asyncio.sleep(SWEEPS_SECONDS)
    assert not world.failed.is_set()


def captures(world: World, intent: Intent) -> int:
    return world.payment_events(intent.id).count("payment.captured")


def test_a_capture_is_made_in_its_hour_and_not_before(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        intent = await put_off(world)
        await clock_at(world, 23.9)
        before = await world.intent(intent.id)
        await clock_at(world, 24.1)
        after = await world.intent(intent.id)

        assert (before.status, before.amount_capturable_minor) == ("requires_capture", 1999)
        assert before.capture_due_us == microseconds(START + timedelta(hours=24))
        assert (after.status, after.amount_received_minor, after.capture_due_us) == ("succeeded", 1999, None)
        assert captures(world, intent) == 1

    live_virtually(tmp_path, story)


def test_what_is_made_manual_before_its_confirm_is_captured_by_nobody_but_its_merchant(
    tmp_path: Path,
) -> None:
    async def story(world: World) -> None:
        intent = await put_off(world, confirm=False)
        payments, caller = world.gateway.payments, await world.caller()
        await world.gateway.updates.update(caller, intent.id, UpdateIntent(capture_method="manual"))
        await payments.confirm(caller, intent.id, ConfirmIntent())
        await clock_at(world, 30)

        assert (await world.intent(intent.id)).status == "requires_capture"
        assert captures(world, intent) == 0

    live_virtually(tmp_path, story)


@pytest.mark.parametrize(
    ("step", "status", "taken"), [("capture", "succeeded", 1), ("cancel", "canceled", 0)]
)
def test_a_merchant_may_capture_or_cancel_before(tmp_path: Path, step: str, status: str, taken: int) -> None:
    async def story(world: World) -> None:
        intent = await put_off(world)
        payments, caller = world.gateway.payments, await world.caller()
        if step == "capture":
            await payments.capture(caller, intent.id, CaptureIntent())
        else:
            await payments.cancel(caller, intent.id, CancelIntent())
        await clock_at(world, 48)

        assert (await world.intent(intent.id)).status == status
        assert captures(world, intent) == taken

    live_virtually(tmp_path, story)


def test_after_a_part_the_rest_is_captured_in_its_hour(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        intent = await put_off(world)
        part = CaptureIntent(amount_to_capture=500, final_capture=False)
        await world.gateway.payments.capture(await world.caller(), intent.id, part)
        await clock_at(world, 25)
        after = await world.intent(intent.id)

        assert (after.status, after.amount_received_minor) == ("succeeded", 1999)
        amounts = [amount for amount, _ in world.processor.operations.values()]
        assert amounts == [500, 1499]

    live_virtually(tmp_path, story)


@pytest.mark.parametrize("approved_at", [12, 36])
def test_a_review_holds_it_and_its_approval_brings_it_to_its_hour(tmp_path: Path, approved_at: int) -> None:
    async def story(world: World) -> None:
        world.risk.outcome, world.risk.risk_score = "review", 70
        intent = await put_off(world)
        await clock_at(world, approved_at)
        held = await world.intent(intent.id)
        assert (held.status, held.review_id is not None) == ("requires_capture", True)
        caller = await world.caller(at=START + timedelta(hours=approved_at))
        await world.gateway.reviews.approve(caller, held.review_id or "")
        await asyncio.sleep(SWEEPS_SECONDS)
        approved = await world.intent(intent.id)
        await clock_at(world, 37)

        assert approved.status == ("requires_capture" if approved_at == 12 else "succeeded")
        assert (await world.intent(intent.id)).status == "succeeded"
        assert captures(world, intent) == 1

    live_virtually(tmp_path, story)


def test_it_is_captured_once_though_the_processor_is_away_and_the_program_starts_anew(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        intent = await put_off(world)
        world.processor.away = 1000
        await clock_at(world, 30)
        await world.restart()
        world.processor.away = 0
        await asyncio.sleep(60)

        assert (await world.intent(intent.id)).status == "succeeded"
        assert captures(world, intent) == 1
        assert len(world.processor.operations) == 1

    live_virtually(tmp_path, story)


def test_only_an_automatic_capture_can_be_put_off(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        with pytest.raises(InvalidRequestError, match="automatic capture"):
            await put_off(world, capture_method="manual")

    live_virtually(tmp_path, story)
