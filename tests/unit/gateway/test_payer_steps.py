"""Payments whose payer has to do something: what the API does while it waits, and when the wait is over."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from events.types import PaymentDeclined
from gateway.api.internal import internal_methods
from gateway.api.presenting import next_action_json
from gateway.payments.intents import Intent
from gateway.processor_port import AnswerChanged, Authentication, AuthenticationResult, PayerAction
from gateway.requests import CancelIntent, CaptureIntent, ConfirmIntent, CreateIntent, RiskContextInput
from tests.gateway_world import START, World, live_virtually
from tests.linked import answer_of

CONTEXT = RiskContextInput(ip="192.0.2.7", device_id="device-1", email="a@example.com")
STEP = PayerAction(
    kind="three_d_secure", url="https://bank.example/step/1", expires_at=START + timedelta(minutes=10)
)
SHOP = "https://shop.example/orders/7?from=pay"
BEGUN = ["payment.created", "payment.confirmed", "payment.action_required"]
AUTHENTICATION_FAILED = "payment_intent_authentication_failure"


async def waiting(world: World, **members: object) -> Intent:
    """A confirmed payment that waits for its payer."""
    world.processor.action = STEP
    order = {
        "amount": 1250,
        "currency": "eur",
        "payment_method": await world.token(),
        "risk_context": CONTEXT,
    }
    intent = await world.gateway.payments.create(await world.caller(), CreateIntent(**order, **members))
    body = ConfirmIntent(return_url=SHOP)
    return await world.gateway.payments.confirm(await world.caller(), intent.id, body)


async def told(world: World, intent: Intent) -> Intent:
    """The payment after the processor's word that its answer has changed."""
    await world.gateway.payer_steps.answer_changed(AnswerChanged(attempt_id=f"{intent.id}_1"))
    return await world.intent(intent.id)


async def lapses(world: World) -> list[bool]:
    """Of each decline on the log, whether it was one that lapsed."""
    declines: list[PaymentDeclined] = []

    def told_of() -> bool:
        declines[:] = [e for e in world.log.events("payments") if isinstance(e, PaymentDeclined)]
        return bool(declines)

    await world.until(told_of)
    return [event.lapsed for event in declines]


def test_a_payment_that_needs_its_payer_says_where_to_send_them(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        intent = await waiting(world)

        assert intent.status == "requires_action"
        assert next_action_json(intent) == {
            "type": "redirect_to_url",
            "redirect_to_url": {"url": STEP.url, "return_url": SHOP},
            "upi_await_notification": None,
            "upi_handle_redirect_or_display_qr_code": None,
        }
        await world.until(lambda: world.payment_events(intent.id) == BEGUN)
        assert world.processor.authorized == []

    live_virtually(tmp_path, story)


def test_a_payer_who_did_what_was_asked_has_paid_by_the_time_the_processor_was_told(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        intent = await waiting(world)
        world.processor.payer_is_done(f"{intent.id}_1")

        after = await told(world, intent)

        assert (after.status, after.amount_received_minor, after.next_action) == ("succeeded", 1250, None)
        complete = [*BEGUN, "payment.authorized", "payment.captured"]
        await world.until(lambda: world.payment_events(intent.id) == complete)

    live_virtually(tmp_path, story)


def test_a_payer_who_fails_may_try_another_way(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        intent = await waiting(world)
        world.processor.payer_is_done(f"{intent.id}_1", decline_code=AUTHENTICATION_FAILED)

        after = await told(world, intent)

        assert (after.status, after.next_action, after.token) == ("requires_payment_method", None, None)
        assert after.last_error is not None
        assert after.outcome is not None
        assert (after.last_error.code, after.last_error.decline_code) == (AUTHENTICATION_FAILED, None)
        assert after.outcome.network_status == "not_sent_to_network"
        await world.until(lambda: world.payment_events(intent.id) == [*BEGUN, "payment.declined"])

    live_virtually(tmp_path, story)


def test_a_change_that_nobody_told_of_is_asked_for(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        intent = await waiting(world)
        world.processor.payer_is_done(f"{intent.id}_1")

        await asyncio.sleep(20)

        assert (await world.intent(intent.id)).status == "succeeded"

    live_virtually(tmp_path, story)


def test_a_step_that_is_asked_for_again_is_no_warning_and_names_its_attempt(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        intent = await waiting(world)
        world.processor.payer_is_done(f"{intent.id}_1")
        world.processor.away = 1
        with capture_logs() as logs:
            await told(world, intent)
            await asyncio.sleep(20)

        again = [line for line in logs if line["event"] == "the payer's step is asked for again"]
        assert [(line["log_level"], line["attempt"]) for line in again] == [("info", f"{intent.id}_1")]
        assert (await world.intent(intent.id)).status == "succeeded"

    live_virtually(tmp_path, story)


def test_the_processors_word_over_the_link_ends_the_attempt_and_what_is_no_word_is_refused(
    tmp_path: Path,
) -> None:
    async def story(world: World) -> None:
        methods = internal_methods(world.gateway)
        intent = await waiting(world)
        world.processor.payer_is_done(f"{intent.id}_1")

        for body in ({}, {"attempt_id": 7}, {"attempt_id": "a", "status": "approved"}):
            assert (await answer_of(methods, "answer_changed", body))["error"]["status"] == 400
        assert (await world.intent(intent.id)).status == "requires_action"
        answer = await answer_of(methods, "answer_changed", {"attempt_id": f"{intent.id}_1"})

        assert answer == {"id": 1, "result": None}
        assert (await world.intent(intent.id)).status == "succeeded"

    live_virtually(tmp_path, story)


def test_a_change_told_twice_at_once_and_again_later_ends_the_attempt_once(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        intent = await waiting(world, capture_method="manual")
        world.processor.delay_seconds = 0.2
        world.processor.payer_is_done(f"{intent.id}_1")

        await asyncio.gather(*(told(world, intent) for _ in range(3)))
        after = await told(world, intent)

        assert after.status == "requires_capture"
        await world.until(lambda: world.payment_events(intent.id) == [*BEGUN, "payment.authorized"])

    live_virtually(tmp_path, story)


def test_word_of_a_payment_that_waits_for_nobody_changes_nothing(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        for unknown in ("pi_nobody_1", "nothing"):
            await world.gateway.payer_steps.answer_changed(AnswerChanged(attempt_id=unknown))

        assert world.processor.calls == []

    live_virtually(tmp_path, story)


def test_word_that_comes_too_early_leaves_the_payment_waiting(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        intent = await waiting(world)

        assert (await told(world, intent)).status == "requires_action"

    live_virtually(tmp_path, story)


def test_a_payer_who_never_comes_back_has_not_paid_once_the_time_is_over(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        intent = await waiting(world)

        await world.caller(at=STEP.expires_at - timedelta(seconds=30))
        await asyncio.sleep(5)
        assert (await world.intent(intent.id)).status == "requires_action"
        await world.caller(at=STEP.expires_at)
        await asyncio.sleep(5)

        after = await world.intent(intent.id)
        assert after.status == "requires_payment_method"
        assert after.last_error is not None
        assert after.outcome is not None
        assert after.last_error.code == AUTHENTICATION_FAILED
        assert after.outcome.network_status == "not_sent_to_network"
        assert world.processor.answers[f"{intent.id}_1"].status == "reversed"
        assert await lapses(world) == [True]
        world.processor.payer_is_done(f"{intent.id}_1")
        assert (await told(world, intent)).status == "requires_payment_method"

    live_virtually(tmp_path, story)


@pytest.mark.parametrize(
    ("code", "result", "lapsed"),
    [
        ("insufficient_funds", None, False),
        ("insufficient_funds", "authenticated", False),
        (AUTHENTICATION_FAILED, "failed", False),
        (AUTHENTICATION_FAILED, "abandoned", True),
        ("payment_declined", None, False),
        ("payment_collect_request_expired", None, True),
        ("payment_timed_out", None, True),
    ],
)
def test_a_decline_tells_whether_anybody_said_no_or_the_time_ran_out(
    tmp_path: Path, code: str, result: AuthenticationResult | None, lapsed: bool
) -> None:
    async def story(world: World) -> None:
        if result is not None:
            world.processor.authentication = Authentication(flow="challenge", result=result)
        intent = await waiting(world)
        world.processor.payer_is_done(f"{intent.id}_1", decline_code=code)

        await told(world, intent)

        assert await lapses(world) == [lapsed]

    live_virtually(tmp_path, story)


def test_what_the_payer_did_in_time_counts_though_it_is_heard_of_late(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        intent = await waiting(world)
        world.processor.payer_is_done(f"{intent.id}_1")
        await world.caller(at=STEP.expires_at)

        assert (await told(world, intent)).status == "succeeded"

    live_virtually(tmp_path, story)


@pytest.mark.parametrize("is_done", [False, True])
def test_a_restart_in_the_middle_loses_neither_the_wait_nor_what_the_payer_did(
    tmp_path: Path, is_done: bool
) -> None:
    async def story(world: World) -> None:
        intent = await waiting(world)
        if is_done:
            world.processor.payer_is_done(f"{intent.id}_1")
        await world.restart()
        assert (await world.intent(intent.id)).next_action == STEP
        if not is_done:
            world.processor.payer_is_done(f"{intent.id}_1")

        assert (await told(world, intent)).status == "succeeded"

    live_virtually(tmp_path, story)


@pytest.mark.parametrize("members", [{}, {"capture_method": "manual"}])
def test_a_capture_that_comes_after_a_restart_outlives_the_next(
    tmp_path: Path, members: dict[str, str]
) -> None:
    async def story(world: World) -> None:
        intent = await waiting(world, **members)
        world.processor.payer_is_done(f"{intent.id}_1")
        if members:
            await told(world, intent)
        await world.restart()
        world.processor.refusing = "capture"
        if members:
            await world.gateway.payments.capture(await world.caller(), intent.id, CaptureIntent())
        else:
            await told(world, intent)
        await asyncio.sleep(1)
        await world.restart()
        world.processor.refusing = None

        await world.until(lambda: world.payment_events(intent.id)[-1:] == ["payment.captured"])

    live_virtually(tmp_path, story)


def test_a_processor_that_is_away_is_asked_again(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        intent = await waiting(world)
        world.processor.payer_is_done(f"{intent.id}_1")
        world.processor.away = 2

        await asyncio.sleep(60)

        assert (await world.intent(intent.id)).status == "succeeded"

    live_virtually(tmp_path, story)


def test_a_payment_that_waits_for_its_payer_can_be_canceled_and_is_paid_no_more(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        intent = await waiting(world)

        after = await world.gateway.payments.cancel(await world.caller(), intent.id, CancelIntent())

        assert (after.status, after.next_action) == ("canceled", None)
        await world.until(lambda: world.payment_events(intent.id) == [*BEGUN, "payment.canceled"])
        assert world.processor.answers[f"{intent.id}_1"].status == "reversed"
        assert world.processor.authorized == []

    live_virtually(tmp_path, story)


def test_a_cancel_as_the_payer_passes_tells_that_they_did(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        world.processor.authentication = Authentication(flow="challenge", result="authenticated")
        intent = await waiting(world)
        world.processor.payer_is_done(f"{intent.id}_1")

        await world.gateway.payments.cancel(await world.caller(), intent.id, CancelIntent())

        ended = [*BEGUN, "payment.authenticated", "payment.canceled"]
        await world.until(lambda: world.payment_events(intent.id) == ended)
        assert world.processor.answers[f"{intent.id}_1"].status == "reversed"

    live_virtually(tmp_path, story)


def test_an_elevated_risk_is_held_for_review_after_the_payers_step(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        world.risk.outcome, world.risk.risk_score = "review", 70
        intent = await waiting(world)
        world.processor.payer_is_done(f"{intent.id}_1")

        after = await told(world, intent)

        assert after.status == "requires_capture"
        assert after.review_id is not None
        assert after.outcome is not None
        assert (after.outcome.type, after.outcome.risk_score) == ("manual_review", 70)

    live_virtually(tmp_path, story)


def test_a_payer_who_approves_once_the_payment_is_given_up_gets_the_money_back(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        intent = await waiting(world)
        world.processor.refusing = "reverse"
        await world.caller(at=STEP.expires_at)
        await asyncio.sleep(5)

        world.processor.payer_is_done(f"{intent.id}_1")
        world.processor.refusing = None
        await asyncio.sleep(60)

        assert (await world.intent(intent.id)).status == "requires_payment_method"
        assert world.processor.answers[f"{intent.id}_1"].status == "reversed"

    live_virtually(tmp_path, story)


@pytest.mark.parametrize("is_done", [False, True])
def test_a_block_that_comes_while_the_payer_is_away_ends_the_payment_whatever_they_do(
    tmp_path: Path, is_done: bool
) -> None:
    async def story(world: World) -> None:
        world.risk.outcome, world.risk.delay_seconds = "block", 3.0
        intent = await waiting(world)
        assert intent.not_assessed
        if is_done:
            world.processor.payer_is_done(f"{intent.id}_1")
        else:
            # As the processor calls a challenge that it is told to take back.
            taken = Authentication(flow="challenge", result="abandoned")
            world.processor.become(f"{intent.id}_1", authentication=taken)

        await asyncio.sleep(10)

        after = await world.intent(intent.id)
        assert (after.status, after.not_assessed) == ("requires_payment_method", False)
        assert after.outcome is not None
        reversed_ = "reversed_after_approval" if is_done else "not_sent_to_network"
        assert (after.outcome.type, after.outcome.network_status) == ("blocked", reversed_)
        assert world.processor.answers[f"{intent.id}_1"].status == "reversed"
        await world.until(lambda: world.payment_events(intent.id) == [*BEGUN, "payment.blocked"])

    live_virtually(tmp_path, story, deadline_seconds=0.25)


def test_a_block_that_comes_while_the_processor_is_asked_takes_an_approval_back(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        world.risk.outcome, world.risk.delay_seconds = "block", 3.0
        intent = await waiting(world)
        world.processor.payer_is_done(f"{intent.id}_1")
        world.processor.delay_seconds = 2.0
        await asyncio.sleep(1.5)

        await told(world, intent)
        await asyncio.sleep(15)

        after = await world.intent(intent.id)
        assert after.outcome is not None
        assert (after.status, after.outcome.type) == ("requires_payment_method", "blocked")
        assert world.processor.answers[f"{intent.id}_1"].status == "reversed"

    live_virtually(tmp_path, story, deadline_seconds=0.25)


def test_a_late_allow_while_the_payer_is_away_takes_the_fallbacks_place(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        world.risk.delay_seconds = 3.0
        intent = await waiting(world)
        await asyncio.sleep(10)
        world.processor.payer_is_done(f"{intent.id}_1")

        after = await told(world, intent)

        assert (after.status, after.not_assessed) == ("succeeded", False)
        assert after.outcome is not None
        assert after.outcome.risk_score == 12

    live_virtually(tmp_path, story, deadline_seconds=0.25)
