"""What happens when the decision is late, the processor is away, or the process restarts in the middle."""

import asyncio
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from events.log.port import Record
from events.types import PaymentEvent
from events.vocabulary import Outcome
from gateway.errors import InvalidRequestError
from gateway.payments.intents import Attempt, Intent, PaymentOutcome
from gateway.processor_port import Authentication
from gateway.requests import (
    CaptureIntent,
    ConfirmIntent,
    CreateIntent,
    ListIntents,
    ListReviews,
    RiskContextInput,
)
from gateway.store.intent_rows import load_attempt
from gateway.store.process_tables import positions
from tests.gateway_world import START, World, live_through, live_virtually

AUTHENTICATED = Authentication(result="authenticated", flow="challenge", eci="05", liability_shifted=True)
CONTEXT = RiskContextInput(ip="192.0.2.7", device_id="device-1", email="a@example.com")


async def confirmed(
    world: World, context: RiskContextInput = CONTEXT, at: datetime = START, **members: str
) -> Intent:
    caller = await world.caller(at=at)
    body = CreateIntent(
        amount=1250, currency="eur", payment_method=await world.token(), risk_context=context, **members
    )
    intent = await world.gateway.payments.create(caller, body)
    return await world.gateway.payments.confirm(caller, intent.id, ConfirmIntent())


async def attempt_of(world: World, intent: Intent) -> Attempt:
    """The intent's first attempt, as it is stored."""
    attempt = await world.store.read(lambda c: load_attempt(c, intent.id, 1))
    assert attempt is not None
    return attempt


async def question(world: World) -> Record:
    """The one assessment on the log, as a record."""
    places: list[Record] = []

    def there() -> bool:
        places[:] = [r for place, rs in world.log.records.items() if place.topic == "assessments" for r in rs]
        return bool(places)

    await world.until(there)
    return places[0]


async def decide_late(world: World, outcome: Outcome) -> None:
    world.risk.outcome, world.risk.risk_score = outcome, 80
    record = await question(world)
    world.risk.answer(record)


def test_a_fallback_decides_at_the_deadline_and_says_so(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        world.risk.silent = True
        intent = await confirmed(world)

        assert (intent.status, intent.not_assessed) == ("succeeded", True)
        assert intent.outcome is not None
        assert (intent.outcome.risk_level, intent.outcome.risk_score) == ("not_assessed", None)

    live_through(tmp_path, story, 0.05)


def test_the_fallback_holds_the_capture_for_a_shopper_of_whom_nothing_is_known(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        world.risk.silent = True
        intent = await confirmed(world, RiskContextInput())

        assert intent.status == "requires_capture"
        assert intent.review_id is not None

    live_through(tmp_path, story, 0.05)


def test_a_late_block_voids_what_is_not_captured(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        world.risk.silent = True
        intent = await confirmed(world, capture_method="manual")
        assert intent.status == "requires_capture"

        await decide_late(world, "block")

        await world.until(lambda: world.payment_events(intent.id)[-1:] == ["payment.canceled"])
        after = await world.intent(intent.id)
        assert after.status == "canceled"
        assert after.outcome is not None
        assert (after.outcome.type, after.outcome.network_status) == ("blocked", "reversed_after_approval")
        assert world.processor.answers[f"{intent.id}_1"].status == "reversed"

    live_through(tmp_path, story, 0.05)


def test_a_late_review_holds_what_is_not_captured(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        world.risk.silent = True
        intent = await confirmed(world, capture_method="manual")

        await decide_late(world, "review")

        async def held() -> bool:
            return (await world.intent(intent.id)).review_id is not None

        await world.until(held)
        with pytest.raises(InvalidRequestError) as refused:
            await world.gateway.payments.capture(await world.caller(), intent.id, CaptureIntent())
        assert refused.value.code == "payment_intent_under_review"

    live_through(tmp_path, story, 0.05)


def test_a_late_review_of_what_the_fallback_holds_opens_no_second_one(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        world.risk.silent = True
        intent = await confirmed(world, RiskContextInput())

        await decide_late(world, "review")

        async def dealt_with() -> bool:
            return (await attempt_of(world, intent)).decision_id is not None

        await world.until(dealt_with)
        reviews, _ = await world.gateway.reviews.list(await world.caller(), ListReviews())
        assert [review.id for review in reviews] == [intent.review_id]

    live_virtually(tmp_path, story, 0.05)


def test_a_late_block_closes_the_review_that_the_fallback_opened(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        world.risk.silent = True
        intent = await confirmed(world, RiskContextInput())

        await decide_late(world, "block")

        await world.until(lambda: world.payment_events(intent.id)[-1:] == ["payment.canceled"])
        review = await world.gateway.reviews.retrieve(await world.caller(), intent.review_id or "")
        assert (review.closed_reason, review.closed_us) == ("canceled", review.opened_us)

    live_virtually(tmp_path, story, 0.05)


def test_a_late_block_of_one_attempt_leaves_the_next_attempts_money_alone(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        world.risk.silent = True
        world.processor.decline_code = "insufficient_funds"
        intent = await confirmed(world, capture_method="manual")
        world.processor.decline_code = None
        body = ConfirmIntent(payment_method=await world.token())
        before = await world.gateway.payments.confirm(await world.caller(), intent.id, body)
        assert (before.status, before.attempts) == ("requires_capture", 2)

        await decide_late(world, "block")

        async def dealt_with() -> bool:
            return (await attempt_of(world, intent)).decision_id is not None

        await world.until(dealt_with)
        assert await world.intent(intent.id) == before
        assert world.processor.answers[f"{intent.id}_2"].status == "approved"
        assert "payment.decided_late" not in world.payment_events(intent.id)

    live_virtually(tmp_path, story, 0.05)


def test_what_a_late_decision_does_is_never_dated_before_the_confirm(tmp_path: Path) -> None:
    confirmed_at = START + timedelta(hours=1)

    async def story(world: World) -> None:
        world.risk.silent = True
        intent = await confirmed(world, at=confirmed_at, capture_method="manual")

        await decide_late(world, "block")

        await world.until(lambda: world.payment_events(intent.id)[-1:] == ["payment.canceled"])
        told = [e for e in world.log.events("payments") if isinstance(e, PaymentEvent)]
        assert {event.occurred_at for event in told} == {confirmed_at}

    live_virtually(tmp_path, story, 0.05)


@pytest.mark.parametrize(
    ("capture_method", "late", "type_", "network_status"),
    [
        ("manual", "review", "manual_review", "approved_by_network"),
        ("manual", "block", "blocked", "reversed_after_approval"),
        ("automatic", "block", "authorized", "approved_by_network"),
    ],
)
def test_once_a_late_decision_has_acted_the_outcome_says_what_the_engine_said(
    tmp_path: Path, capture_method: str, late: Outcome, type_: str, network_status: str
) -> None:
    async def story(world: World) -> None:
        world.risk.silent = True
        world.processor.authentication = AUTHENTICATED
        intent = await confirmed(world, capture_method=capture_method)

        await decide_late(world, late)

        await world.until(lambda: "payment.decided_late" in world.payment_events(intent.id))
        after = await world.intent(intent.id)
        assert after.not_assessed
        assert after.outcome == PaymentOutcome(
            type=type_,
            network_status=network_status,
            reason="elevated_risk_level" if late == "review" else "highest_risk_level",
            risk_level="highest",
            risk_score=80,
            seller_message="This card is used often.",
            three_d_secure=AUTHENTICATED,
        )

    live_virtually(tmp_path, story, 0.05)


def test_a_late_decision_that_changes_nothing_leaves_the_fallbacks_outcome(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        world.risk.silent = True
        intent = await confirmed(world)

        await decide_late(world, "review")

        async def dealt_with() -> bool:
            return (await attempt_of(world, intent)).decision_id is not None

        await world.until(dealt_with)
        assert (await world.intent(intent.id)).outcome == intent.outcome

    live_virtually(tmp_path, story, 0.05)


def test_a_decision_that_comes_while_the_network_is_asked_acts_when_it_has_answered(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        world.risk.silent = True
        world.processor.delay_seconds = 0.5
        confirming = asyncio.ensure_future(confirmed(world, capture_method="manual"))
        await world.until(lambda: bool(world.processor.calls))
        await decide_late(world, "block")
        intent = await confirming

        async def voided() -> bool:
            return (await world.intent(intent.id)).status == "canceled"

        await world.until(voided)
        assert len(world.processor.authorized) == 1

    live_through(tmp_path, story, 0.05)


def test_the_same_decision_twice_changes_nothing(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        world.risk.silent = True
        intent = await confirmed(world, capture_method="manual")
        await decide_late(world, "allow")
        await world.until(lambda: len(world.log.events("decisions")) == 1)
        for place, records in list(world.log.records.items()):
            if place.topic == "decisions":
                records.append(Record(place.topic, place.partition, len(records), b"k", records[0].value))
        await decide_late(world, "block")

        async def read_to_the_end() -> bool:
            kept = await world.store.read(
                lambda c: c.execute(select(positions.c.next_offset)).scalars().all()
            )
            return sum(kept) == 3

        await world.until(read_to_the_end)
        assert (await world.intent(intent.id)).status == "requires_capture"

    live_through(tmp_path, story, 0.05)


def test_a_processor_that_was_away_is_asked_again_and_authorizes_once(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        world.processor.away = 2
        world.processor.lost_answers = 1

        intent = await confirmed(world)

        assert intent.status == "succeeded"
        assert world.processor.authorized == [f"{intent.id}_1"]
        await world.until(lambda: world.payment_events(intent.id)[-1:] == ["payment.captured"])

    live_through(tmp_path, story, 20)


@pytest.mark.parametrize("outcome", ["allow", "review", "block"])
def test_an_attempt_left_in_the_middle_ends_after_a_restart(tmp_path: Path, outcome: Outcome) -> None:
    async def story(world: World) -> None:
        world.risk.silent = True
        confirming = asyncio.ensure_future(confirmed(world))
        record = await question(world)
        await world.restart()
        confirming.cancel()
        world.risk.outcome = outcome
        world.risk.answer(record)

        async def ended() -> bool:
            page = await world.gateway.payments.list(await world.caller(), ListIntents())
            return page[0][0].status != "processing"

        await world.until(ended)
        [intent] = (await world.gateway.payments.list(await world.caller(), ListIntents()))[0]
        expected = {
            "allow": "succeeded",
            "review": "requires_capture",
            "block": "requires_payment_method",
        }
        assert intent.status == expected[outcome]
        assert not intent.not_assessed
        assert len(world.processor.authorized) == (outcome != "block")
        assert intent.outcome is not None
        assert (intent.outcome.network_status == "not_sent_to_network") == (outcome == "block")

    live_through(tmp_path, story, 600)


def test_a_block_after_a_restart_reverses_what_the_first_life_may_have_asked_for(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        world.risk.silent = True
        world.processor.lost_answers = 1_000
        confirming = asyncio.ensure_future(confirmed(world))
        await world.until(lambda: bool(world.processor.authorized))
        await world.restart()
        confirming.cancel()
        world.processor.lost_answers = 0
        await decide_late(world, "block")

        async def blocked() -> bool:
            page = await world.gateway.payments.list(await world.caller(), ListIntents())
            return page[0][0].status == "requires_payment_method"

        await world.until(blocked)
        [attempt_id] = world.processor.authorized
        assert world.processor.answers[attempt_id].status == "reversed"
        [intent] = (await world.gateway.payments.list(await world.caller(), ListIntents()))[0]
        assert intent.outcome is not None
        assert (intent.outcome.type, intent.outcome.network_status) == ("blocked", "reversed_after_approval")

    live_through(tmp_path, story, 0.05)


def test_a_capture_that_is_owed_is_paid_after_a_restart(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        intent = await confirmed(world, capture_method="manual")
        world.processor.away = 1_000
        await world.gateway.payments.capture(await world.caller(), intent.id, CaptureIntent())
        await world.restart()
        world.processor.away = 0

        await world.until(lambda: world.payment_events(intent.id)[-1:] == ["payment.captured"])

    live_through(tmp_path, story, 20)
