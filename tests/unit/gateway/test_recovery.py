"""Sweeps drive on what was left behind, and nothing that has ended meanwhile."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from gateway.payments.recovery import Recovery
from gateway.requests import ConfirmIntent, CreateIntent
from gateway.store.intent_rows import unfinished_attempts
from tests.gateway_world import World


async def _blocked(world: World) -> str:
    """A payment that ends as blocked while its confirm is waited for."""
    world.risk.outcome, world.risk.risk_score = "block", 95
    caller = await world.caller()
    body = CreateIntent(amount=1999, currency="eur", payment_method=await world.token())
    intent = await world.gateway.payments.create(caller, body)
    await world.gateway.payments.confirm(caller, intent.id, ConfirmIntent())
    return intent.id


def test_an_attempt_that_was_blocked_while_a_sweep_read_it_is_not_authorized(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.payments.flights.RECOVERY_DEADLINE_SECONDS", 0.05)

    async def story() -> None:
        async with World(tmp_path) as world:
            ended = asyncio.Event()
            seen: list[str] = []
            read = world.store.read

            async def slowly(work: Any) -> Any:
                found = await read(work)
                if work is unfinished_attempts and found:
                    seen.extend(attempt.payment_id for attempt in found)
                    await ended.wait()
                return found

            monkeypatch.setattr(world.store, "read", slowly)
            world.risk.delay_seconds = 0.2
            paying = asyncio.create_task(_blocked(world))
            while not seen:
                sweeping = asyncio.create_task(world.gateway.recovery.sweep())
                await asyncio.wait({sweeping}, timeout=0.02)
            payment = await paying
            ended.set()
            await sweeping
            await asyncio.sleep(0.3)  # longer than the recovered flight would wait for a decision

            assert seen == [payment]
            assert world.processor.calls == []
            assert world.payment_events(payment)[-1] == "payment.blocked"

    asyncio.run(story())


@pytest.mark.parametrize("loop", ["relay", "recovery"])
def test_a_loop_that_dies_of_an_error_nobody_foresaw_ends_the_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loop: str
) -> None:
    async def fail(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("gateway.payments.recovery.SWEEP_SECONDS", 0.01)

    async def story() -> None:
        async with World(tmp_path) as world:
            assert not world.failed.is_set()
            if loop == "relay":
                monkeypatch.setattr(world.gateway.relay, "drain", fail)
                world.gateway.relay.nudge()
            else:
                monkeypatch.setattr(Recovery, "sweep", fail)
            await asyncio.wait_for(world.failed.wait(), timeout=30)

    asyncio.run(story())


def test_a_gateway_that_is_stopped_has_not_failed(tmp_path: Path) -> None:
    async def story() -> None:
        world = World(tmp_path)
        async with world:
            pass

        assert not world.failed.is_set()

    asyncio.run(story())
