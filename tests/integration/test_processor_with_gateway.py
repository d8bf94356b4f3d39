"""API and processor together, a payment from confirm to capture, in one thread under virtual time.

Everything that runs is what production runs; clock, randomness, network, log and scheduling are given.
"""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from events.clock import VirtualClock
from events.types import PaymentAuthenticated
from gateway.payments.intents import Intent
from gateway.processor.card_input import CardInput, check
from gateway.processor_port import AnswerChanged, TokenRegistered, TokenRegistration
from gateway.requests import CancelIntent, CaptureIntent, ConfirmIntent, CreateIntent, RiskContextInput
from tests.gateway_world import START, World
from tests.processor_parts import Bench
from tests.virtual_time import run_virtually

SILENCE_SECONDS = 8.0
COMPLETE = ["payment.created", "payment.confirmed", "payment.authorized", "payment.captured"]
DECLINED = ["payment.created", "payment.confirmed", "payment.declined"]


class Together:
    """A gateway and a processor that know each other through their ports alone."""

    def __init__(self, folder: Path, clock: VirtualClock) -> None:
        self.world = World(folder, clock=clock, deadline_seconds=5.0)
        self.bench = Bench(
            folder / "processor.sqlite", registry=self, scheduling=self.world.scheduling, clock=clock
        )
        self.world.processor = self.bench.cards  # type: ignore[assignment]  # the real one takes its place

        self.bench.listener.passes_on = self

    async def answer_changed(self, change: AnswerChanged) -> None:
        await self.world.gateway.payer_steps.answer_changed(change)

    async def register(self, registration: TokenRegistration) -> TokenRegistered:
        return await self.world.gateway.tokens.register(registration)

    async def start(self) -> None:
        await self.bench.cards.recover()
        self.world.scheduling.spawn(self.bench.processor.keep_house(self.world.scheduling), "housekeeping")

    async def pay(self, number: str = "4242424242424242", **order: Any) -> Intent:
        """One payment, from card to the answer of its confirm."""
        now = self.world.clock.now()
        card = check(CardInput(number=number, exp_month=12, exp_year=2031, cvc="737"), now)
        token = await self.bench.processor.tokens.create(self.world.keys["test"], card, now)
        caller, payments = await self.world.caller(), self.world.gateway.payments
        context = RiskContextInput(ip="192.0.2.7", device_id="device-1")
        body = CreateIntent(
            amount=1250, currency="eur", payment_method=token["id"], risk_context=context, **order
        )
        intent = await payments.create(caller, body)
        return await payments.confirm(caller, intent.id, ConfirmIntent())

    async def cancel(self, intent: Intent) -> None:
        await self.world.gateway.payments.cancel(await self.world.caller(), intent.id, CancelIntent())

    def challenges(self) -> list[tuple[str, str, bool]]:
        """What is told of authentications."""
        told = [e for e in self.world.log.events("payments") if isinstance(e, PaymentAuthenticated)]
        return [(event.result, event.flow, event.liability_shifted) for event in told]


def lived(folder: Path, story: Callable[[Together], Awaitable[None]]) -> Together:
    folder.mkdir(exist_ok=True)
    clock = VirtualClock(START)
    together = Together(folder, clock)

    async def live() -> None:
        async with together.world:
            await together.start()
            await story(together)

    run_virtually(clock, live)
    together.bench.store.close()
    return together


CHALLENGED = "4000000000003220"
SENT_OFF = ["payment.created", "payment.confirmed", "payment.action_required", "payment.authenticated"]


@pytest.mark.parametrize(
    ("code", "status", "events"),
    [
        ("4815", "succeeded", [*SENT_OFF, "payment.authorized", "payment.captured"]),
        ("12", "requires_payment_method", [*SENT_OFF, "payment.declined"]),
    ],
)
def test_a_cardholder_who_is_back_finds_the_payment_at_its_end(
    tmp_path: Path, code: str, status: str, events: list[str]
) -> None:
    async def story(together: Together) -> None:
        intent = await together.pay(CHALLENGED)
        assert intent.next_action is not None
        attempt_id = f"{intent.id}_1"
        together.bench.urls[attempt_id] = intent.next_action.url
        together.bench.type_code(attempt_id, code)

        await together.bench.come_back(attempt_id)

        after = await together.world.intent(intent.id)
        assert after.status == status
        assert after.outcome is not None
        assert after.outcome.three_d_secure is not None
        assert after.outcome.three_d_secure.liability_shifted == (status == "succeeded")
        await together.world.until(lambda: together.world.payment_events(intent.id) == events)

    lived(tmp_path, story)


def test_a_cancel_during_a_challenge_tells_that_it_was_left(tmp_path: Path) -> None:
    async def story(together: Together) -> None:
        intent = await together.pay(CHALLENGED)

        await together.cancel(intent)

        events = [*SENT_OFF, "payment.canceled"]
        await together.world.until(lambda: together.world.payment_events(intent.id) == events)
        assert together.challenges() == [("abandoned", "challenge", False)]

    lived(tmp_path, story)


def test_a_cancel_after_a_challenge_does_not_tell_of_it_again(tmp_path: Path) -> None:
    async def story(together: Together) -> None:
        intent = await together.pay(CHALLENGED, capture_method="manual")
        assert intent.next_action is not None
        attempt_id = f"{intent.id}_1"
        together.bench.urls[attempt_id] = intent.next_action.url
        together.bench.type_code(attempt_id, "4815")
        await together.bench.come_back(attempt_id)

        await together.cancel(intent)

        events = [*SENT_OFF, "payment.authorized", "payment.canceled"]
        await together.world.until(lambda: together.world.payment_events(intent.id) == events)
        assert together.challenges() == [("authenticated", "challenge", True)]

    lived(tmp_path, story)


def test_a_cardholder_who_never_comes_back_has_paid_or_not_all_the_same(tmp_path: Path) -> None:
    async def story(together: Together) -> None:
        paid, forgotten = await together.pay(CHALLENGED), await together.pay(CHALLENGED)
        assert paid.next_action is not None
        together.bench.urls["paid"] = paid.next_action.url
        together.bench.type_code("paid", "4815")
        together.bench.listener.passes_on = None

        await asyncio.sleep(60)
        assert (await together.world.intent(paid.id)).status == "succeeded"
        assert (await together.world.intent(forgotten.id)).status == "requires_action"

        await asyncio.sleep(600)
        assert (await together.world.intent(forgotten.id)).status == "requires_payment_method"
        assert await together.bench.states() == {"declined": 2, "captured": 1}

    lived(tmp_path, story)


def test_a_payment_goes_from_confirm_to_capture(tmp_path: Path) -> None:
    async def story(together: Together) -> None:
        intent = await together.pay()

        assert (intent.status, intent.amount_received_minor) == ("succeeded", 1250)
        await together.world.until(lambda: together.world.payment_events(intent.id) == COMPLETE)
        assert together.bench.line.types == ["0100", "0220"]
        assert await together.bench.states() == {"captured": 1}

    lived(tmp_path, story)


def test_a_declined_card_is_told_with_its_reason(tmp_path: Path) -> None:
    async def story(together: Together) -> None:
        intent = await together.pay("4000000000009995")

        assert intent.status == "requires_payment_method"
        await together.world.until(lambda: together.world.payment_events(intent.id) == DECLINED)
        assert await together.bench.states() == {"declined": 1}

    lived(tmp_path, story)


def test_an_issuer_that_stays_silent_costs_virtual_seconds_and_ends_reversed(tmp_path: Path) -> None:
    async def story(together: Together) -> None:
        together.bench.line.silence_seconds = SILENCE_SECONDS
        together.bench.line.faults = {"0100": ["silent"], "0420": ["silent"]}
        began = together.world.clock.monotonic()

        intent = await together.pay()

        assert together.world.clock.monotonic() - began >= SILENCE_SECONDS
        assert intent.status != "succeeded"
        await together.world.until(lambda: together.bench.processor.advices.waiting == 0)
        assert together.bench.line.types == ["0100", "0420", "0421"]
        assert await together.bench.states() == {"reversed": 1}

    together = lived(tmp_path, story)

    assert together.world.clock.monotonic() > 2 * SILENCE_SECONDS


TROUBLES = [
    ("4000000000081044", "insufficient_funds", "declined_by_network", {"reversed": 1}),
    ("4000000000081051", None, "approved_by_network", {"captured": 1}),
    ("4000000000081069", "processing_error", "reversed_after_approval", {"reversed": 1}),
    ("4000000000081077", "processing_error", "reversed_after_approval", {"reversed": 1}),
]


@pytest.mark.parametrize(("number", "said", "network_status", "states"), TROUBLES)
def test_a_merchant_can_try_what_goes_wrong_on_the_way(
    tmp_path: Path, number: str, said: str | None, network_status: str, states: dict[str, int]
) -> None:
    async def story(together: Together) -> None:
        together.bench.line.silence_seconds = SILENCE_SECONDS

        intent = await together.pay(number)

        error = intent.last_error
        assert (error and (error.decline_code or error.code)) == said
        assert intent.outcome is not None
        assert intent.outcome.network_status == network_status
        assert intent.outcome.advice_code == ("try_again_later" if said else None)

        async def at_rest() -> bool:
            return await together.bench.states() == states and not together.bench.processor.advices.waiting

        for _ in range(200):
            if await at_rest():
                break
            await together.world.scheduling.sleep(0.5)
        assert await at_rest()

    lived(tmp_path, story)


def test_a_capture_of_more_than_the_processor_holds_has_an_end(tmp_path: Path) -> None:
    async def story(together: Together) -> None:
        intent = await together.pay(capture_method="manual")
        # As if the two sides disagreed.
        await together.bench.store.transact(lambda db: db.execute("UPDATE attempts SET authorized_minor = 9"))

        caller = await together.world.caller()
        await together.world.gateway.payments.capture(caller, intent.id, CaptureIntent())

        await together.world.until(
            lambda: together.world.payment_events(intent.id)[-1] == "payment.capture_failed"
        )
        after = await together.world.intent(intent.id)
        assert (after.status, after.amount_received_minor) == ("requires_payment_method", 0)
        await together.world.until(lambda: together.bench.processor.advices.waiting == 0)
        assert await together.bench.states() == {"reversed": 1}

    lived(tmp_path, story)


def test_the_same_story_from_the_same_seed_leaves_the_same_bytes(tmp_path: Path) -> None:
    async def story(together: Together) -> None:
        together.bench.line.silence_seconds = SILENCE_SECONDS
        together.bench.line.faults = {"0100": [], "0220": ["silent"]}
        intents = [await together.pay(), await together.pay("4000000000000002"), await together.pay()]
        await together.world.until(lambda: together.bench.processor.advices.waiting == 0)
        await together.world.until(
            lambda: together.world.payment_events(intents[-1].id)[-1] == "payment.captured"
        )

    runs = []
    for name in ("first", "second"):
        together = lived(tmp_path / name, story)
        database = sqlite3.connect(tmp_path / name / "processor.sqlite")
        attempts = database.execute("SELECT * FROM attempts ORDER BY attempt_id").fetchall()
        database.close()
        runs.append((together.bench.line.sent, together.world.log.records, attempts))

    assert runs[0] == runs[1]
    assert len(runs[0][2]) == 3
