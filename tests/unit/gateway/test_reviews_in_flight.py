"""Reviews that a late decision opens while a capture is under way, which the network then refuses."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection

from events.moments import microseconds
from events.types import PaymentRefunded
from gateway.errors import InvalidRequestError
from gateway.payments.intents import Intent
from gateway.requests import CaptureIntent, ConfirmIntent
from gateway.store.review_rows import Review, open_review
from tests.gateway_world import START, World, live_virtually
from tests.unit.gateway.test_precedence import PART_MINOR, confirmed, decides_late

DEADLINE_SECONDS = 0.05
PART = CaptureIntent(amount_to_capture=PART_MINOR, final_capture=False)


async def refused_while_held(world: World, parts: int) -> Intent:
    """An intent of which the last of so many parts was refused, after a review had been opened."""
    await world.caller(at=START)
    world.risk.silent = True
    intent = await confirmed(world, "manual")
    for left in range(parts, 0, -1):
        if left == 1:
            world.processor.refuses_captures, world.processor.refusing = True, "capture"
        await world.gateway.payments.capture(await world.caller(), intent.id, PART)
        await asyncio.sleep(1)
    await decides_late(world, intent, "review", "held")
    world.processor.refusing = None
    await asyncio.sleep(60)
    world.processor.refuses_captures = False
    assert not world.failed.is_set()
    return await world.intent(intent.id)


async def review_named(world: World, review_id: str | None) -> Review:
    return await world.gateway.reviews.retrieve(await world.caller(at=None), review_id or "")


@pytest.mark.parametrize("verdict", ["approve", "reject"])
@pytest.mark.parametrize("parts", [1, 2])
def test_a_capture_that_is_refused_ends_the_review_that_was_opened_meanwhile(
    tmp_path: Path, parts: int, verdict: str
) -> None:
    async def story(world: World) -> None:
        intent = await refused_while_held(world, parts)

        assert (await review_named(world, intent.review_id)).closed_reason == "canceled"
        caller = await world.caller(at=None)
        with pytest.raises(InvalidRequestError) as refused:
            await getattr(world.gateway.reviews, verdict)(caller, intent.review_id or "")
        assert refused.value.code == "review_closed"

    live_virtually(tmp_path, story, DEADLINE_SECONDS)


@pytest.mark.parametrize("refuses", [False, True])
def test_the_part_that_was_captured_before_goes_back_as_nobody_can_approve_it_any_more(
    tmp_path: Path, refuses: bool
) -> None:
    async def story(world: World) -> None:
        world.processor.refuses_refunds = refuses
        intent = await refused_while_held(world, 2)
        network = world.processor.answers[f"{intent.id}_1"]

        assert (intent.status, intent.amount_received_minor) == ("succeeded", PART_MINOR)
        assert intent.amount_refunded_minor == network.refunded_minor == (0 if refuses else PART_MINOR)
        assert intent.refund_owed == refuses
        told = [event for event in world.log.events("payments") if isinstance(event, PaymentRefunded)]
        assert [event.reason for event in told] == ([] if refuses else ["unapproved_review"])

    live_virtually(tmp_path, story, DEADLINE_SECONDS)


def test_a_refused_capture_takes_nothing_back_where_no_review_holds_the_payment(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        intent = await confirmed(world, "manual")
        for refuses in (False, True):
            world.processor.refuses_captures = refuses
            await world.gateway.payments.capture(await world.caller(), intent.id, PART)
            await asyncio.sleep(30)
        after = await world.intent(intent.id)

        assert (after.status, after.amount_received_minor) == ("succeeded", PART_MINOR)
        assert (after.amount_refunded_minor, after.refund_owed) == (0, False)

    live_virtually(tmp_path, story)


@pytest.mark.parametrize("verdict", ["approve", "reject", None])
def test_a_review_of_an_earlier_attempt_does_nothing_to_the_next(tmp_path: Path, verdict: str | None) -> None:
    async def story(world: World) -> None:
        intent = await confirmed(world, "manual")
        await world.store.write(lambda c: open_earlier(c, intent))
        if verdict is None:
            await world.caller(at=START + timedelta(days=6, hours=1))
            await asyncio.sleep(20)
        else:
            with pytest.raises(InvalidRequestError) as refused:
                await getattr(world.gateway.reviews, verdict)(await world.caller(), "prv_earlier")
            assert refused.value.code == "review_closed"

        assert (await world.intent(intent.id)).status == "requires_capture"

    live_virtually(tmp_path, story)


def test_a_payment_whose_first_capture_was_refused_can_be_paid_again_for_its_whole_time(
    tmp_path: Path,
) -> None:
    async def story(world: World) -> None:
        intent = await refused_while_held(world, 1)
        caller = await world.caller(at=START + timedelta(days=5))
        await world.gateway.payments.confirm(caller, intent.id, ConfirmIntent(payment_method="tok_1"))
        await world.caller(at=START + timedelta(days=6, hours=1))
        await asyncio.sleep(20)

        assert (await world.intent(intent.id)).status == "requires_capture"

    live_virtually(tmp_path, story, DEADLINE_SECONDS)


def open_earlier(connection: Connection, intent: Intent) -> None:
    """A review that no build closes any more: one that stayed open while its payment was confirmed again."""
    day_us = microseconds(START + timedelta(days=6))
    at_us = microseconds(START)
    open_review(connection, "prv_earlier", intent, reason="rule", opened_us=at_us, expires_us=day_us)
