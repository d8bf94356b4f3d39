"""Payments through the gateway's services, with processor and risk engine at hand."""

import asyncio
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from structlog.testing import capture_logs

from events.types import (
    AssessmentRequested,
    PaymentAuthorized,
    PaymentCaptured,
    PaymentDeclined,
    PaymentEvent,
)
from gateway.errors import InvalidRequestError, NotFoundError, UnexpectedStateError
from gateway.payments.intents import Intent
from gateway.payments.service import ATTEMPTS_MAX
from gateway.processor_port import ProcessorAnswer
from gateway.requests import (
    CancelIntent,
    CaptureIntent,
    ConfirmIntent,
    CreateIntent,
    ListIntents,
    RiskContextInput,
)
from gateway.store.intent_rows import unfinished_attempts
from tests.gateway_world import START, World, live_through, live_virtually

CONTEXT = RiskContextInput(ip="192.0.2.7", device_id="device-1", email="a@example.com")
SHOPPER_UNKNOWN = RiskContextInput()
COMPLETE = ["payment.created", "payment.confirmed", "payment.authorized", "payment.captured"]


def order(**members: object) -> CreateIntent:
    return CreateIntent(**{"amount": 1250, "currency": "eur", "risk_context": CONTEXT, **members})


async def created(world: World, **members: object) -> Intent:
    token = await world.token()
    return await world.gateway.payments.create(
        await world.caller(), order(**{"payment_method": token, **members})
    )


async def confirmed(world: World, **members: object) -> Intent:
    intent = await created(world, **members)
    return await confirm(world, intent.id)


async def confirm(world: World, payment_id: str, **members: object) -> Intent:
    body = ConfirmIntent(**members)
    return await world.gateway.payments.confirm(await world.caller(), payment_id, body)


def test_an_automatic_payment_is_authorized_and_captured(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        intent = await confirmed(world)

        assert (intent.status, intent.amount_received_minor) == ("succeeded", 1250)
        assert intent.outcome is not None
        assert (intent.outcome.type, intent.outcome.risk_score) == ("authorized", 12)
        await world.until(lambda: world.payment_events(intent.id) == COMPLETE)
        assert world.processor.answers[f"{intent.id}_1"].captured_minor == 1250

    live_through(tmp_path, story)


def test_a_manual_payment_waits_for_its_capture_and_takes_part_of_it(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        intent = await confirmed(world, capture_method="manual")
        assert (intent.status, intent.amount_capturable_minor) == ("requires_capture", 1250)

        after = await world.gateway.payments.capture(
            await world.caller(), intent.id, CaptureIntent(amount_to_capture=1000)
        )

        assert (after.status, after.amount_received_minor) == ("succeeded", 1000)
        await world.until(lambda: world.payment_events(intent.id) == COMPLETE)
        [event] = [e for e in world.log.events("payments") if isinstance(e, PaymentCaptured)]
        assert event.amount_minor == 1000

    live_through(tmp_path, story)


def test_the_question_to_the_engine_holds_surrogates_and_countries_but_no_personal_field(
    tmp_path: Path,
) -> None:
    async def story(world: World) -> None:
        await confirmed(world, customer="customer-7")

        [question] = world.log.events("assessments")
        assert isinstance(question, AssessmentRequested)
        assert question.occurred_at == START
        assert question.merchant_category == "5942"
        assert question.context.ip_country == "IN"
        assert question.context.subject == question.context.customer
        written = msgspec.json.encode([world.log.events(topic) for topic in ("assessments", "payments")])
        for personal in (b"192.0.2.7", b"device-1", b"a@example.com", b"customer-7"):
            assert personal not in written

    live_through(tmp_path, story)


def test_one_value_has_one_surrogate_and_another_value_another(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await confirmed(world)
        await confirmed(world)
        await confirmed(world, risk_context=RiskContextInput(ip="192.0.2.8", device_id="device-1"))

        contexts = [e.context for e in world.log.events("assessments") if isinstance(e, AssessmentRequested)]
        assert len({context.ip for context in contexts}) == 2
        assert len({context.device for context in contexts}) == 1

    live_through(tmp_path, story)


@pytest.mark.parametrize(
    ("decline_code", "code", "shown"),
    [
        ("insufficient_funds", "card_declined", "insufficient_funds"),
        ("stolen_card", "card_declined", "generic_decline"),
        ("lost_card", "card_declined", "generic_decline"),
        ("fraudulent", "card_declined", "generic_decline"),
        ("expired_card", "expired_card", None),
    ],
)
def test_a_decline_asks_for_another_card_and_hides_what_a_thief_should_not_know(
    tmp_path: Path, decline_code: str, code: str, shown: str | None
) -> None:
    async def story(world: World) -> None:
        world.processor.decline_code = decline_code
        world.processor.advice_code = "do_not_try_again"
        intent = await confirmed(world)

        assert (intent.status, intent.token) == ("requires_payment_method", None)
        assert intent.last_error is not None
        assert (intent.last_error.code, intent.last_error.decline_code) == (code, shown)
        assert intent.outcome is not None
        assert (intent.outcome.type, intent.outcome.advice_code) == ("issuer_declined", "do_not_try_again")
        await world.until(lambda: "payment.declined" in world.payment_events(intent.id))
        [event] = [e for e in world.log.events("payments") if isinstance(e, PaymentDeclined)]
        assert event.reason == decline_code

    live_through(tmp_path, story)


def test_after_a_decline_another_card_makes_a_second_attempt(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        world.processor.decline_code = "insufficient_funds"
        intent = await confirmed(world)
        world.processor.decline_code = None

        again = await confirm(world, intent.id, payment_method=await world.token(name="tok_2"))

        assert (again.status, again.last_error) == ("succeeded", None)
        assert world.processor.authorized == [f"{intent.id}_1", f"{intent.id}_2"]

    live_through(tmp_path, story)


def test_a_block_never_reaches_the_network(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        world.risk.outcome, world.risk.risk_score = "block", 92
        intent = await confirmed(world)

        assert intent.status == "requires_payment_method"
        assert intent.outcome is not None
        assert (intent.outcome.type, intent.outcome.network_status) == ("blocked", "not_sent_to_network")
        assert (intent.outcome.risk_level, intent.outcome.reason) == ("highest", "highest_risk_level")
        assert world.processor.calls == []
        await world.until(lambda: world.payment_events(intent.id)[-1:] == ["payment.blocked"])

    live_through(tmp_path, story)


def test_a_review_holds_the_capture_until_it_is_approved(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        world.risk.outcome, world.risk.risk_score = "review", 70
        intent = await confirmed(world)
        assert intent.status == "requires_capture"
        assert intent.review_id is not None
        with pytest.raises(InvalidRequestError) as refused:
            await world.gateway.payments.capture(await world.caller(), intent.id, CaptureIntent())
        assert refused.value.code == "payment_intent_under_review"

        await world.gateway.reviews.approve(await world.caller(), intent.review_id)

        assert (await world.intent(intent.id)).status == "succeeded"
        await world.until(lambda: world.payment_events(intent.id)[-1:] == ["payment.captured"])
        [authorized] = [e for e in world.log.events("payments") if isinstance(e, PaymentAuthorized)]
        assert authorized.held

    live_through(tmp_path, story)


def test_an_approved_manual_payment_still_waits_for_its_merchant(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        world.risk.outcome = "review"
        intent = await confirmed(world, capture_method="manual")
        await world.gateway.reviews.approve(await world.caller(), intent.review_id or "")
        assert (await world.intent(intent.id)).status == "requires_capture"

        after = await world.gateway.payments.capture(await world.caller(), intent.id, CaptureIntent())

        assert after.status == "succeeded"

    live_through(tmp_path, story)


@pytest.mark.parametrize("capture_method", ["automatic", "manual"])
def test_a_capture_that_the_network_refuses_ends_and_another_card_may_be_tried(
    tmp_path: Path, capture_method: str
) -> None:
    async def story(world: World) -> None:
        world.processor.refuses_captures = True
        world.processor.away = 0
        intent = await confirmed(world, capture_method=capture_method)
        if capture_method == "manual":
            await world.gateway.payments.capture(await world.caller(), intent.id, CaptureIntent())

        await world.until(lambda: world.payment_events(intent.id)[-1:] == ["payment.capture_failed"])
        after = await world.intent(intent.id)
        assert (after.status, after.amount_received_minor) == ("requires_payment_method", 0)
        assert after.last_error is not None
        assert after.last_error.code == "processing_error"
        assert after.outcome is not None
        assert after.outcome.network_status == "reversed_after_approval"
        await world.gateway.recovery.sweep()
        assert world.processor.calls.count(("capture", f"{intent.id}_1")) == 1
        world.processor.refuses_captures = False
        body = ConfirmIntent(payment_method=await world.token())
        again = await world.gateway.payments.confirm(await world.caller(), intent.id, body)
        assert (again.status, again.attempts) == (
            "succeeded" if capture_method == "automatic" else "requires_capture",
            2,
        )

    live_through(tmp_path, story)


def test_a_capture_is_told_again_while_the_processor_is_away(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        intent = await confirmed(world, capture_method="manual")
        world.processor.away = 3
        await world.gateway.payments.capture(await world.caller(), intent.id, CaptureIntent())

        await world.until(lambda: world.payment_events(intent.id)[-1:] == ["payment.captured"])
        assert world.processor.calls.count(("capture", f"{intent.id}_1")) == 4

    live_through(tmp_path, story)


def test_a_rejected_review_voids_and_is_audited(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        world.risk.outcome = "review"
        intent = await confirmed(world)

        first = await world.gateway.reviews.reject(await world.caller(), intent.review_id or "")
        again = await world.gateway.reviews.reject(await world.caller(), intent.review_id or "")

        assert first == again
        assert (await world.intent(intent.id)).status == "canceled"
        await world.until(lambda: world.payment_events(intent.id)[-1:] == ["payment.canceled"])
        assert world.processor.answers[f"{intent.id}_1"].status == "reversed"
        acts = [e.action for e in world.log.events("audit")]  # type: ignore[attr-defined]  # audit only
        assert acts.count("review.rejected") == 1
        with pytest.raises(InvalidRequestError):
            await world.gateway.reviews.approve(await world.caller(), intent.review_id or "")

    live_through(tmp_path, story)


def test_canceling_an_authorized_payment_voids_it(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        intent = await confirmed(world, capture_method="manual")

        after = await world.gateway.payments.cancel(
            await world.caller(), intent.id, CancelIntent(cancellation_reason="abandoned")
        )

        assert (after.status, after.cancellation_reason) == ("canceled", "abandoned")
        await world.until(lambda: world.payment_events(intent.id)[-1:] == ["payment.canceled"])
        assert world.processor.answers[f"{intent.id}_1"].status == "reversed"
        with pytest.raises(UnexpectedStateError):
            await confirm(world, intent.id)

    live_through(tmp_path, story)


def test_a_debt_that_is_told_again_after_its_end_has_that_end_alone(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        intent = await confirmed(world, capture_method="manual")
        world.processor.away = 1
        await world.gateway.payments.capture(await world.caller(), intent.id, CaptureIntent())
        owed = await world.store.read(lambda c: unfinished_attempts(c, world.gateway.instances.own))
        await world.until(lambda: world.payment_events(intent.id) == COMPLETE)
        asked = len(world.processor.calls)

        with capture_logs() as said:
            for attempt in owed:
                world.gateway.recovery.debts.drive(attempt)
            await world.until(lambda: len(world.processor.calls) > asked)
            await asyncio.sleep(1)

        assert world.payment_events(intent.id) == COMPLETE
        assert said == []

    live_virtually(tmp_path, story)


def test_a_void_is_done_only_when_the_processor_says_so(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        intent = await confirmed(world, capture_method="manual")
        attempt_id = f"{intent.id}_1"
        world.processor.answers[attempt_id] = ProcessorAnswer(attempt_id=attempt_id, status="unknown")
        await world.gateway.payments.cancel(await world.caller(), intent.id, CancelIntent())
        await world.until(lambda: world.processor.calls.count(("reverse", attempt_id)) > 2)
        assert world.payment_events(intent.id)[-1] == "payment.authorized"

        world.processor.answers[attempt_id] = ProcessorAnswer(attempt_id=attempt_id, status="reversed")

        await world.until(lambda: world.payment_events(intent.id)[-1] == "payment.canceled")

    live_virtually(tmp_path, story)


@pytest.mark.parametrize("step", ["cancel", "confirm", "capture", "void", "approve", "reject"])
def test_a_step_that_says_a_time_before_the_one_it_follows_takes_that_step_s_time(
    tmp_path: Path, step: str
) -> None:
    async def story(world: World) -> None:
        earlier = await world.caller(at=START - timedelta(days=365))
        if step == "cancel":
            intent = await created(world)
            after = await world.gateway.payments.cancel(earlier, intent.id, CancelIntent())
            assert after.canceled_us == intent.created_us
        elif step == "confirm":
            intent = await created(world)
            await world.token()
            await world.gateway.payments.confirm(earlier, intent.id, ConfirmIntent(payment_method="tok_1"))
        elif step == "capture":
            intent = await confirmed(world, capture_method="manual")
            await world.gateway.payments.capture(earlier, intent.id, CaptureIntent())
        elif step == "void":
            intent = await confirmed(world, capture_method="manual")
            after = await world.gateway.payments.cancel(earlier, intent.id, CancelIntent())
            assert after.canceled_us == intent.created_us
        else:
            world.risk.outcome = "review"
            intent = await confirmed(world)
            end = getattr(world.gateway.reviews, step)
            review = await end(earlier, intent.review_id)
            assert review.closed_us >= review.opened_us
        last = "canceled" if step in ("cancel", "void", "reject") else "captured"
        await world.until(lambda: world.payment_events(intent.id)[-1:] == [f"payment.{last}"])
        told = [e for e in world.log.events("payments") if isinstance(e, PaymentEvent)]
        assert {event.occurred_at for event in told if event.payment_id == intent.id} == {START}

    live_through(tmp_path, story)


def test_canceling_before_any_attempt_tells_the_network_nothing(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        intent = await created(world)

        await world.gateway.payments.cancel(await world.caller(), intent.id, CancelIntent())

        await world.until(lambda: world.payment_events(intent.id) == ["payment.created", "payment.canceled"])
        assert world.processor.calls == []

    live_through(tmp_path, story)


def test_a_confirm_without_a_payment_method_is_refused(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        intent = await created(world, payment_method=None)

        with pytest.raises(InvalidRequestError) as refused:
            await confirm(world, intent.id)

        assert refused.value.param == "payment_method"
        assert (await world.intent(intent.id)).attempts == 0

    live_through(tmp_path, story)


def test_a_token_of_another_mode_does_not_exist(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        token = await world.token()

        with pytest.raises(NotFoundError):
            await world.gateway.payments.create(await world.caller("live"), order(payment_method=token))

    live_through(tmp_path, story)


@pytest.mark.parametrize(
    ("test_risk", "status", "level"),
    [
        ("blocked", "requires_payment_method", "highest"),
        ("highest", "requires_payment_method", "highest"),
        ("elevated", "requires_capture", "elevated"),
    ],
)
def test_a_documented_test_card_has_its_own_risk_outcome(
    tmp_path: Path, test_risk: str, status: str, level: str
) -> None:
    async def story(world: World) -> None:
        token = await world.token(test_risk=test_risk)  # type: ignore[arg-type]  # a parameter of the test
        intent = await confirmed(world, payment_method=token)

        assert intent.outcome is not None
        assert (intent.status, intent.outcome.risk_level) == (status, level)

    live_through(tmp_path, story)


def test_pages_of_intents_are_newest_first_and_meet_without_gap(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        caller = await world.caller()
        ids = [(await created(world)).id for _ in range(5)]
        first, more = await world.gateway.payments.list(caller, ListIntents(limit=2))
        second, _ = await world.gateway.payments.list(
            caller, ListIntents(limit=3, starting_after=first[-1].id)
        )

        assert more
        assert sorted(i.id for i in first + second) == sorted(ids)
        assert [i.id for i in first + second] == sorted(ids, reverse=True)

    live_through(tmp_path, story)


def test_nobody_tries_card_after_card_on_one_intent(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        world.processor.decline_code = "do_not_honor"
        intent = await created(world)
        for _ in range(ATTEMPTS_MAX):
            await confirm(world, intent.id, payment_method="tok_1")

        with pytest.raises(InvalidRequestError) as refused:
            await confirm(world, intent.id, payment_method="tok_1")

        assert refused.value.code == "confirm_limit_reached"
        assert len(world.processor.authorized) == ATTEMPTS_MAX

    live_through(tmp_path, story)
