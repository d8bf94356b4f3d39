"""What `/pay` says of a payment that ended after its first answer."""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import pytest

from gateway.api.pay_desk import answer_to
from gateway.payments.intents import Intent
from gateway.processor_port import PayerAction
from gateway.requests import CancelIntent, RiskContextInput
from tests.gateway_world import START, World, live_virtually
from tests.unit.gateway.test_intents_late_decisions import confirmed, decide_late

UNKNOWN = RiskContextInput()
"""A shopper of whom nothing is known: the fallback holds the capture."""
End = Callable[[World], Awaitable[Intent]]


async def _answered(world: World, intent: Intent) -> tuple[str, str | None]:
    answer = answer_to(await world.intent(intent.id))
    return answer.status, answer.reason


async def _held(world: World) -> Intent:
    world.risk.outcome, world.risk.risk_score = "review", 80
    intent = await confirmed(world)
    assert await _answered(world, intent) == ("pending", "under_review")
    return intent


async def _rejected(world: World) -> Intent:
    intent = await _held(world)
    await world.gateway.reviews.reject(await world.caller(at=None), intent.review_id or "")
    return intent


async def _expired_in_review(world: World) -> Intent:
    intent = await _held(world)
    await world.caller(at=START + timedelta(days=7))
    await world.until(lambda: world.payment_events(intent.id)[-1] == "payment.canceled")
    return intent


async def _canceled_in_review(world: World) -> Intent:
    intent = await _held(world)
    await world.gateway.payments.cancel(await world.caller(at=None), intent.id, CancelIntent())
    return intent


async def _canceled_while_its_payer_was_away(world: World) -> Intent:
    until = START + timedelta(minutes=10)
    world.processor.action = PayerAction(kind="redirect", url="https://pays.example/1", expires_at=until)
    intent = await confirmed(world)
    assert await _answered(world, intent) == ("pending", "action_required")
    await world.gateway.payments.cancel(await world.caller(at=None), intent.id, CancelIntent())
    return intent


async def _blocked_late(world: World) -> Intent:
    world.risk.silent = True
    intent = await confirmed(world, UNKNOWN)
    assert await _answered(world, intent) == ("pending", "under_review")
    await decide_late(world, "block")
    await world.until(lambda: world.payment_events(intent.id)[-1] == "payment.canceled")
    return intent


async def _blocked_late_and_given_back(world: World) -> Intent:
    world.risk.silent = True
    intent = await confirmed(world)
    assert await _answered(world, intent) == ("approved", None)
    await decide_late(world, "block")
    await world.until(lambda: world.payment_events(intent.id)[-1] == "payment.refunded")
    return intent


ENDS: dict[End, str] = {
    _rejected: "rejected",
    _expired_in_review: "expired",
    _canceled_in_review: "canceled",
    _canceled_while_its_payer_was_away: "canceled",
    _blocked_late: "fraud_suspected",
    _blocked_late_and_given_back: "fraud_suspected",
}


@pytest.mark.parametrize("end", ENDS, ids=lambda end: end.__name__)
def test_a_payment_that_did_not_go_through_in_the_end_is_declined_with_the_reason(
    tmp_path: Path, end: End
) -> None:
    async def story(world: World) -> None:
        intent = await end(world)

        assert await _answered(world, intent) == ("declined", ENDS[end])
        assert answer_to(await world.intent(intent.id)).message

    live_virtually(tmp_path, story, 0.05)


def test_what_was_taken_and_stays_taken_is_approved_though_a_late_block_could_not_give_it_back(
    tmp_path: Path,
) -> None:
    async def story(world: World) -> None:
        world.risk.silent = True
        world.processor.refuses_refunds = True
        intent = await confirmed(world)
        await decide_late(world, "block")
        await world.until(lambda: world.payment_events(intent.id)[-1] == "payment.refund_failed")

        assert await _answered(world, intent) == ("approved", None)

    live_virtually(tmp_path, story, 0.05)
