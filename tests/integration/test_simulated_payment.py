"""Gateway and processor together, a payment from confirm to capture, in one thread under virtual time.

Everything but the risk engine is real: HTTP application, services, stores, outbox, vault, ISO 8583 messages,
network and issuers. Clock, randomness, network, store and scheduling are parameters, so the same seed writes
the same log, byte for byte.
"""

import random
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from events.clock import VirtualClock
from gateway.api.application import make_application
from gateway.processor.card_input import CardInput, check
from gateway.processor_port import TokenRegistered, TokenRegistration, TokenRegistry
from gateway.scheduling import InlineScheduling
from tests.gateway_world import START, World
from tests.processor_parts import Bench
from tests.virtual_time import NothingCanHappenError, run_virtually

CARD = "4000027600000017"
"""No documented test card: those have their own outcome, whatever the engine says."""
INTENTS = "/v1/payment_intents"
CONTEXT = {"ip": "192.0.2.7", "device_id": "device-1", "email": "a@example.com"}


class LateRegistry:
    """The API's registry, named after the processor that needs it was made."""

    registry: TokenRegistry

    async def register(self, registration: TokenRegistration) -> TokenRegistered:
        return await self.registry.register(registration)


class Simulation:
    """Both processes in one thread."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.clock = VirtualClock(START)
        self.scheduling = InlineScheduling()
        registry = LateRegistry()
        self.bench = Bench(scheduling=self.scheduling, clock=self.clock, registry=registry, seed=seed)
        self.world = World(folder, clock=self.clock, scheduling=self.scheduling, deadline_seconds=0.25)
        self.world.entropy = random.Random(seed + 1).randbytes
        self.world.processor = self.bench.cards
        self._registry = registry

    async def live(self, story: Callable[["Simulation"], Awaitable[None]]) -> bytes:
        async with self.world as world:
            self._registry.registry = world.gateway.tokens
            self.scheduling.spawn(self.bench.processor.keep_house(self.scheduling), "processor")
            transport = httpx2.ASGITransport(app=make_application(world.gateway))
            headers = {"authorization": f"Bearer {world.keys['test']}"}
            async with httpx2.AsyncClient(
                transport=transport, base_url="http://weir", headers=headers
            ) as self.http:
                await story(self)
        return b"\n".join(bytes(record.value or b"") for record in world.log.written)

    async def token(self, number: str = CARD) -> str:
        card = check(CardInput(number=number, exp_month=12, exp_year=2031, cvc="737"), self.clock.now())
        key = self.world.keys["test"]
        return str((await self.bench.processor.tokens.create(key, card, self.clock.now()))["id"])

    async def paid(self, number: str = CARD, **members: Any) -> dict[str, Any]:
        """Create and confirm; the intent, also where it was refused."""
        body = {"amount": 1250, "currency": "eur", "payment_method": await self.token(number)}
        body |= {"risk_context": CONTEXT, **members}
        created = (await self.http.post(INTENTS, json=body)).json()
        answer = (await self.http.post(f"{INTENTS}/{created['id']}/confirm")).json()
        return dict(answer.get("error", {}).get("payment_intent", answer))


def simulated(folder: Path, story: Callable[[Simulation], Awaitable[None]], seed: int = 7) -> bytes:
    """The bytes of the event log that the story leaves."""
    folder.mkdir(exist_ok=True)
    simulation = Simulation(folder, seed)
    return run_virtually(simulation.clock, lambda: simulation.live(story))


async def a_day_at_the_till(simulation: Simulation) -> None:
    """An automatic payment, a manual one captured later, a decline, a review, and a late block."""
    world = simulation.world
    paid = await simulation.paid()
    assert paid["status"] == "succeeded", paid
    await world.until(lambda: world.payment_events(paid["id"])[-1:] == ["payment.captured"])

    manual = await simulation.paid(capture_method="manual")
    await simulation.scheduling.sleep(20)
    captured = await simulation.http.post(f"{INTENTS}/{manual['id']}/capture", json={})
    assert captured.json()["status"] == "succeeded"

    declined = await simulation.paid("4000000000009995")
    assert declined["last_payment_error"]["decline_code"] == "insufficient_funds"

    world.risk.outcome = "review"
    held = await simulation.paid()
    await simulation.http.post(f"/v1/reviews/{held['review']}/reject")
    await world.until(lambda: world.payment_events(held["id"])[-1:] == ["payment.canceled"])

    world.risk.outcome, world.risk.delay_seconds = "block", 0.4
    late = await simulation.paid(capture_method="manual")
    assert late["not_assessed"]
    await world.until(lambda: world.payment_events(late["id"])[-1:] == ["payment.canceled"])
    assert await simulation.bench.states() == {"captured": 2, "declined": 1, "reversed": 2}


def test_a_payment_goes_from_confirm_to_capture_in_virtual_time(tmp_path: Path) -> None:
    begun = time.monotonic()

    log = simulated(tmp_path, a_day_at_the_till)

    assert log.count(b'"payment.captured"') == 2
    assert time.monotonic() - begun < 120


def test_the_same_seed_writes_the_same_log_byte_for_byte(tmp_path: Path) -> None:
    first = simulated(tmp_path / "first", a_day_at_the_till, seed=7)
    again = simulated(tmp_path / "again", a_day_at_the_till, seed=7)
    other = simulated(tmp_path / "other", a_day_at_the_till, seed=8)

    assert first == again
    assert first != other


def test_a_silent_network_is_asked_again_and_charges_once(tmp_path: Path) -> None:
    async def story(simulation: Simulation) -> None:
        simulation.bench.line.faults["0100"] = ["silent", "unreachable"]
        simulation.bench.line.silence_seconds = 8.0

        intent = await simulation.paid()

        ends = {"succeeded": {"captured": 1}, "requires_payment_method": {"reversed": 1}}

        async def ended() -> bool:
            after = (await simulation.http.get(f"{INTENTS}/{intent['id']}")).json()
            return ends.get(after["status"]) == await simulation.bench.states()

        await simulation.world.until(ended, seconds=120)
        assert simulation.bench.line.types.count("0100") == 1

    simulated(tmp_path, story)


def test_a_simulation_in_which_nothing_can_happen_says_so_instead_of_hanging() -> None:
    async def story() -> None:
        import asyncio

        await asyncio.Event().wait()

    with pytest.raises(NothingCanHappenError):
        run_virtually(VirtualClock(START), story)
