"""Payments through the gateway's services, with processor and risk engine at hand."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from gateway.errors import InvalidRequestError, NotFoundError
from gateway.requests import CancelIntent, CaptureIntent, ConfirmIntent, CreateIntent, RiskContextInput
from tests.gateway_world import World

CONTEXT = RiskContextInput(ip="192.0.2.7", device_id="device-1", email="a@example.com")


def lived(folder: Path, story: Callable[[World], Awaitable[None]], **arguments: float) -> None:
    async def live() -> None:
        async with World(folder, **arguments) as world:
            await story(world)

    asyncio.run(live())


def order(**members: object) -> CreateIntent:
    return CreateIntent(**{"amount": 1250, "currency": "eur", "risk_context": CONTEXT, **members})


async def confirmed(world: World, **members: object) -> str:
    token = await world.token()
    caller = await world.caller()
    intent = await world.gateway.payments.create(caller, order(payment_method=token, **members))
    await world.gateway.payments.confirm(caller, intent.id, ConfirmIntent())
    return intent.id


def test_an_automatic_payment_is_authorized_and_captured(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        payment_id = await confirmed(world)

        intent = await world.intent(payment_id)
        assert (intent.status, intent.amount_received_minor) == ("succeeded", 1250)
        assert intent.outcome and intent.outcome.type == "authorized" and intent.outcome.risk_score == 12
        await world.until(lambda: "payment.captured" in world.payment_events(payment_id))
        assert world.payment_events(payment_id) == [
            "payment.created",
            "payment.confirmed",
            "payment.authorized",
            "payment.captured",
        ]

    lived(tmp_path, story)
