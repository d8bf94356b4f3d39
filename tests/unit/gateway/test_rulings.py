"""What was done with a payment, and on whose word, is on the log: engine, test card or fallback, and late."""

from pathlib import Path
from typing import Any

import pytest

from events.log.port import Record
from events.types import PaymentAuthorized, PaymentBlocked, PaymentDecidedLate, PaymentDeclined
from events.vocabulary import Outcome, Ruling
from gateway.payments.intents import Intent
from gateway.payments.outcomes import TEST_OUTCOMES
from gateway.processor_port import TestRisk
from gateway.requests import ConfirmIntent, CreateIntent, RiskContextInput
from tests.gateway_world import World, live_through

CONTEXT = RiskContextInput(ip="192.0.2.7", device_id="device-1", email="a@example.com")


async def confirmed(world: World, test_risk: TestRisk | None = None, **members: Any) -> Intent:
    caller = await world.caller()
    token = await world.token(test_risk=test_risk)
    body = CreateIntent(amount=1250, currency="eur", payment_method=token, risk_context=CONTEXT, **members)
    intent = await world.gateway.payments.create(caller, body)
    return await world.gateway.payments.confirm(caller, intent.id, ConfirmIntent())


async def ruled(world: World, kind: type[PaymentAuthorized | PaymentBlocked | PaymentDeclined]) -> Ruling:
    """The ruling on the one event of its kind, once it is on the log."""
    found: list[Ruling | None] = []

    def there() -> bool:
        found[:] = [e.ruling for e in world.log.events("payments") if isinstance(e, kind)]
        return bool(found)

    await world.until(there)
    [ruling] = found
    assert ruling is not None
    return ruling


async def decided_late(world: World, outcome: Outcome) -> PaymentDecidedLate:
    """The event of what a decision did that came after the fallback's."""
    asked: list[Record] = []
    found: list[PaymentDecidedLate] = []

    def question() -> bool:
        asked[:] = [r for place, rs in world.log.records.items() if place.topic == "assessments" for r in rs]
        return bool(asked)

    def there() -> bool:
        found[:] = [e for e in world.log.events("payments") if isinstance(e, PaymentDecidedLate)]
        return bool(found)

    await world.until(question)
    world.risk.outcome, world.risk.risk_score = outcome, 80
    world.risk.answer(asked[0])
    await world.until(there)
    [event] = found
    return event


def test_the_engines_word_is_on_the_log_with_the_end_it_led_to(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await confirmed(world)

        ruling = await ruled(world, PaymentAuthorized)
        assert (ruling.by, ruling.outcome, ruling.risk_score) == ("engine", "allow", 12)

    live_through(tmp_path, story)


def test_a_decline_tells_what_was_ruled_before_the_issuer_was_asked(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        world.processor.decline_code = "insufficient_funds"
        await confirmed(world)

        assert (await ruled(world, PaymentDeclined)).outcome == "allow"

    live_through(tmp_path, story)


@pytest.mark.parametrize("risk", ["blocked", "highest"])
def test_a_blocked_test_card_says_that_it_is_one_on_the_log_and_to_its_merchant(
    tmp_path: Path, risk: TestRisk
) -> None:
    async def story(world: World) -> None:
        intent = await confirmed(world, risk)

        ruling = await ruled(world, PaymentBlocked)
        assert (ruling.by, ruling.outcome) == ("test_card", "block")
        assert ruling.risk_score == TEST_OUTCOMES[risk].score
        assert intent.outcome is not None
        assert intent.outcome.seller_message == ruling.text
        assert "test card" in ruling.text

    live_through(tmp_path, story)


@pytest.mark.parametrize("outcome", ["review", "block"])
def test_a_test_card_keeps_its_documented_answer_whatever_rules_say(tmp_path: Path, outcome: Outcome) -> None:
    async def story(world: World) -> None:
        world.risk.outcome, world.risk.risk_score = outcome, 95
        intent = await confirmed(world, "normal")

        assert intent.status == "succeeded"
        assert intent.outcome is not None
        assert (intent.outcome.risk_level, intent.outcome.reason) == ("normal", None)
        assert (await ruled(world, PaymentAuthorized)).by == "test_card"

    live_through(tmp_path, story)


def test_a_fallback_is_on_the_log_as_one(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        world.risk.silent = True
        await confirmed(world)

        ruling = await ruled(world, PaymentAuthorized)
        assert (ruling.by, ruling.outcome, ruling.risk_score) == ("fallback", "allow", None)
        assert ruling.text == "The risk decision came too late."

    live_through(tmp_path, story, deadline_seconds=0.05)


@pytest.mark.parametrize(
    ("capture_method", "outcome", "effect"),
    [("manual", "block", "voided"), ("manual", "review", "held"), ("automatic", "block", "refunded")],
)
def test_what_a_late_decision_did_is_on_the_log(
    tmp_path: Path, capture_method: str, outcome: Outcome, effect: str
) -> None:
    async def story(world: World) -> None:
        world.risk.silent = True
        intent = await confirmed(world, capture_method=capture_method)
        event = await decided_late(world, outcome)

        assert (event.payment_id, event.effect) == (intent.id, effect)
        assert (event.ruling.by, event.ruling.outcome, event.ruling.risk_score) == ("engine", outcome, 80)

    live_through(tmp_path, story, deadline_seconds=0.05)
