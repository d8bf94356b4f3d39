"""Authorizations and reviews end in their time: by the clock of their mode, once, across restarts."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.clock import VirtualClock
from events.moments import microseconds
from events.types import LabelReported, PaymentCanceled, PaymentEvent, PaymentReviewExpired
from events.vocabulary import Mode
from gateway.auth import Caller
from gateway.business_time import TEST_TIME_AHEAD_MAX
from gateway.errors import InvalidRequestError
from gateway.payments.intents import Intent
from gateway.payments.lifetimes import (
    DAY_US,
    LIFETIMES,
    Lifetime,
    Lifetimes,
    lifetime_days,
    review_expires_us,
)
from gateway.requests import CancelIntent, CaptureIntent, ConfirmIntent, CreateIntent, ListReviews
from gateway.store.expiry_rows import reset_clock
from tests.gateway_world import START, World, live_virtually
from tests.virtual_time import run_virtually

ROOT = Path(__file__).parents[3]
LATER = START + timedelta(days=7)
"""When an authorization that was confirmed at START ends."""
REVIEW_ENDS = START + timedelta(days=6)


async def confirmed(
    world: World, capture_method: str = "manual", mode: Mode = "test", at: datetime = START
) -> Intent:
    caller = await world.caller(mode, at)
    token = await world.token(name=f"tok_{mode}", api_key=world.keys[mode])
    body = CreateIntent(amount=1999, currency="eur", capture_method=capture_method, payment_method=token)
    intent = await world.gateway.payments.create(caller, body)
    return await world.gateway.payments.confirm(caller, intent.id, ConfirmIntent())


async def held(world: World, capture_method: str = "automatic") -> Intent:
    world.risk.outcome, world.risk.risk_score = "review", 70
    intent = await confirmed(world, capture_method)
    assert intent.review_id is not None
    return intent


async def sweeps(world: World, count: int = 1) -> None:
    """Let some sweeps pass, whether or not a clock has jumped."""
    await asyncio.sleep(6 * count)
    assert not world.failed.is_set()


async def voided(world: World, intent: Intent) -> None:
    await world.until(lambda: world.payment_events(intent.id)[-1:] == ["payment.canceled"])


def told(world: World, intent: Intent) -> list[PaymentEvent]:
    events = {e.id: e for e in world.log.events("payments") if isinstance(e, PaymentEvent)}
    return [event for event in events.values() if event.payment_id == intent.id]


def test_what_is_not_captured_in_seven_days_is_canceled_and_voided(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        intent = await confirmed(world)

        await world.caller(at=LATER)

        await voided(world, intent)
        after = await world.intent(intent.id)
        assert (after.status, after.cancellation_reason) == ("canceled", "expired")
        assert (after.canceled_us, after.amount_capturable_minor) == (microseconds(LATER), 0)
        assert world.processor.answers[f"{intent.id}_1"].status == "reversed"
        canceled = told(world, intent)[-1]
        assert isinstance(canceled, PaymentCanceled)
        assert (canceled.reason, canceled.occurred_at) == ("expired", LATER)

    live_virtually(tmp_path, story)


def test_what_was_captured_in_part_stays_and_the_rest_is_released(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        intent = await confirmed(world)
        part = CaptureIntent(amount_to_capture=500, final_capture=False)
        await world.gateway.payments.capture(await world.caller(), intent.id, part)
        await world.until(lambda: world.payment_events(intent.id)[-1:] == ["payment.captured"])

        await world.caller(at=LATER)

        answers = world.processor.answers
        await world.until(lambda: answers[f"{intent.id}_1"].status == "captured")
        after = await world.intent(intent.id)
        assert (after.status, after.amount_received_minor, after.amount_capturable_minor) == (
            "succeeded",
            500,
            0,
        )
        assert answers[f"{intent.id}_1"].captured_minor == 500

    live_virtually(tmp_path, story)


def test_a_moment_earlier_it_is_there_and_can_be_captured(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        intent = await confirmed(world)
        caller = await world.caller(at=LATER - timedelta(microseconds=1))
        await sweeps(world)

        after = await world.gateway.payments.capture(caller, intent.id, CaptureIntent())

        assert after.status == "succeeded"

    live_virtually(tmp_path, story)


def test_a_capture_after_the_end_is_refused_even_where_no_sweep_has_come_by(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        intent = await confirmed(world)

        with pytest.raises(InvalidRequestError) as refused:
            await world.gateway.payments.capture(await world.caller(at=LATER), intent.id, CaptureIntent())

        assert refused.value.code == "charge_expired_for_capture"
        assert ("capture", f"{intent.id}_1") not in world.processor.calls

    live_virtually(tmp_path, story)


def test_a_review_ends_a_day_before_its_authorization_is_voided_and_labels_nothing(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        intent = await held(world)

        await world.caller(at=REVIEW_ENDS)

        await voided(world, intent)
        review = await world.gateway.reviews.retrieve(await world.caller(), intent.review_id or "")
        assert (review.closed_reason, review.closed_us) == ("expired", microseconds(REVIEW_ENDS))
        assert (await world.intent(intent.id)).cancellation_reason == "expired"
        expired = [event for event in told(world, intent) if isinstance(event, PaymentReviewExpired)]
        assert [(event.review_id, event.occurred_at) for event in expired] == [(review.id, REVIEW_ENDS)]
        assert not any(isinstance(event, LabelReported) for event in world.log.events("labels"))

    live_virtually(tmp_path, story)


@pytest.mark.parametrize("verb", ["approve", "reject"])
def test_a_review_that_has_expired_can_neither_be_approved_nor_rejected(tmp_path: Path, verb: str) -> None:
    async def story(world: World) -> None:
        intent = await held(world)
        close = getattr(world.gateway.reviews, verb)
        caller = await world.caller(at=REVIEW_ENDS)

        for _ in range(2):  # before the sweep has come by, and after
            with pytest.raises(InvalidRequestError) as refused:
                await close(caller, intent.review_id)
            assert refused.value.code == "review_closed"
            await voided(world, intent)

    live_virtually(tmp_path, story)


def test_an_approved_review_leaves_manual_capture_until_the_authorizations_own_end(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        intent = await held(world, "manual")
        before = REVIEW_ENDS - timedelta(hours=1)
        await world.gateway.reviews.approve(await world.caller(at=before), intent.review_id or "")
        await world.caller(at=REVIEW_ENDS)
        await sweeps(world)
        assert (await world.intent(intent.id)).status == "requires_capture"

        await world.caller(at=LATER)

        await voided(world, intent)
        assert "payment.review_expired" not in world.payment_events(intent.id)

    live_virtually(tmp_path, story)


@pytest.mark.parametrize("end", ["captured", "canceled", "declined", "unconfirmed", "succeeded"])
def test_what_has_ended_or_never_began_does_not_expire(tmp_path: Path, end: str) -> None:
    async def story(world: World) -> None:
        caller = await world.caller()
        payments = world.gateway.payments
        if end == "unconfirmed":
            intent = await payments.create(caller, CreateIntent(amount=1999, currency="eur"))
        else:
            world.processor.decline_code = "do_not_honor" if end == "declined" else None
            intent = await confirmed(world, "automatic" if end == "succeeded" else "manual")
        if end == "captured":
            await payments.capture(caller, intent.id, CaptureIntent())
        elif end == "canceled":
            await payments.cancel(caller, intent.id, CancelIntent(cancellation_reason="abandoned"))
        await sweeps(world)
        before, events = await world.intent(intent.id), world.payment_events(intent.id)

        await world.caller(at=START + timedelta(days=400))
        await sweeps(world)

        assert await world.intent(intent.id) == before
        assert world.payment_events(intent.id) == events

    live_virtually(tmp_path, story)


def test_each_mode_goes_by_its_own_clock(tmp_path: Path) -> None:
    clock = VirtualClock(START)

    async def story() -> None:
        async with World(tmp_path, clock=clock) as world:
            live, test = await confirmed(world, mode="live"), await confirmed(world)

            await world.caller(at=LATER)
            await voided(world, test)
            await sweeps(world)
            assert "payment.canceled" not in world.payment_events(live.id)

            clock.advance(7 * 24 * 3600)
            await voided(world, live)
            assert not world.failed.is_set()

    run_virtually(clock, story)


def test_it_expires_once_though_the_processor_is_away_and_the_program_starts_anew(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        intent = await held(world)
        world.processor.away = 1000

        await world.caller(at=REVIEW_ENDS)
        await world.until(lambda: "payment.review_expired" in world.payment_events(intent.id))
        await world.restart()
        await sweeps(world)
        assert world.payment_events(intent.id)[-1] == "payment.review_expired"
        world.processor.away = 0

        await voided(world, intent)
        events = world.payment_events(intent.id)
        assert events[-2:] == ["payment.review_expired", "payment.canceled"]
        assert events.count("payment.canceled") == 1

    live_virtually(tmp_path, story)


def test_what_came_due_while_the_program_was_down_expires_at_the_next_start(tmp_path: Path) -> None:
    clock = VirtualClock(START)

    async def story() -> None:
        async with World(tmp_path, clock=clock) as world:
            live = await confirmed(world, mode="live")
            await world.gateway.stop()
            clock.advance(8 * 24 * 3600)
            await world.restart()

            await voided(world, live)
            assert told(world, live)[-1].occurred_at <= LATER + timedelta(minutes=1)

    run_virtually(clock, story)


def test_after_a_restart_test_mode_does_not_fall_back_to_the_machines_clock(tmp_path: Path) -> None:
    clock = VirtualClock(START + timedelta(days=400))

    async def story() -> None:
        async with World(tmp_path, clock=clock) as world:
            intent = await confirmed(world)
            await sweeps(world)
            await world.restart()
            await sweeps(world)
            assert (await world.intent(intent.id)).status == "requires_capture"
            assert (await world.caller(at=None)).at == START

    run_virtually(clock, story)


def test_a_reset_takes_test_modes_clock_back_in_running_programs_and_for_good(tmp_path: Path) -> None:
    clock = VirtualClock(START + timedelta(days=20))

    async def story() -> None:
        async with World(tmp_path, clock=clock) as world:
            far = START + timedelta(days=300)
            await world.caller(at=far)
            await sweeps(world)
            assert (await world.caller(at=None)).at == far

            await world.store.write(lambda c: reset_clock(c, "test"))
            await sweeps(world)
            assert (await world.caller(at=None)).at == clock.now()
            await world.restart()
            assert (await world.caller(at=None)).at == clock.now()

    run_virtually(clock, story)


def test_no_test_request_is_further_ahead_of_the_clock_than_is_documented(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        latest = world.clock.now() + TEST_TIME_AHEAD_MAX
        assert (await world.caller(at=latest)).at == latest
        with pytest.raises(InvalidRequestError):
            await world.caller(at=world.clock.now() + TEST_TIME_AHEAD_MAX + timedelta(seconds=1))

    live_virtually(tmp_path, story)


def test_of_a_capture_and_the_sweep_at_the_same_moment_one_acts(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        intents = [await confirmed(world) for _ in range(12)]
        before = await world.caller(at=LATER - timedelta(microseconds=1))
        await world.caller(at=LATER)

        answers = await asyncio.gather(
            *(world.gateway.payments.capture(before, intent.id, CaptureIntent()) for intent in intents),
            return_exceptions=True,
        )

        await sweeps(world)
        for intent, answer in zip(intents, answers, strict=True):
            taken = not isinstance(answer, Exception)
            status = world.processor.answers[f"{intent.id}_1"].status
            assert (status, (await world.intent(intent.id)).status) == (
                ("captured", "succeeded") if taken else ("reversed", "canceled")
            )

    live_virtually(tmp_path, story)


def test_a_review_that_is_approved_while_the_sweep_looks_is_not_ended_by_it(tmp_path: Path) -> None:
    async def approved(world: World, at: Caller, intent: Intent, turns: int) -> bool:
        for _ in range(turns):
            await asyncio.sleep(0)
        try:
            await world.gateway.reviews.approve(at, intent.review_id or "")
        except InvalidRequestError:
            return False
        return True

    async def story(world: World) -> None:
        intents = [await held(world, "manual") for _ in range(24)]
        before = await world.caller(at=REVIEW_ENDS - timedelta(microseconds=1))
        # Until a sweep has rested: the next one begins with the jump.
        await asyncio.sleep(2)
        await world.caller(at=REVIEW_ENDS)

        answers = await asyncio.gather(
            *(approved(world, before, intent, turns) for turns, intent in enumerate(intents))
        )

        await sweeps(world)
        assert {True, False} == set(answers)
        for intent, was_approved in zip(intents, answers, strict=True):
            status = (await world.intent(intent.id)).status
            assert status == ("requires_capture" if was_approved else "canceled")

    live_virtually(tmp_path, story)


def test_more_than_one_sweep_takes_are_all_ended(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        # No more at once than the merchant's queue takes.
        intents = [
            each for _ in range(6) for each in await asyncio.gather(*(confirmed(world) for _ in range(50)))
        ]

        await world.caller(at=LATER)

        for intent in intents:
            await voided(world, intent)
        assert (await world.gateway.reviews.list(await world.caller(), ListReviews()))[0] == []

    live_virtually(tmp_path, story)


@given(days=st.integers(0, 60_000), lifetime=st.integers(1, 40), share=st.floats(0.01, 60))
def test_a_review_always_ends_before_its_authorization(days: int, lifetime: int, share: float) -> None:
    lifetimes = Lifetimes(share, (Lifetime(None, date(1970, 1, 1), lifetime),))
    expires_us = lifetimes.expires_us("visa", days * DAY_US)

    assert days * DAY_US < review_expires_us(days * DAY_US, expires_us) < expires_us
    assert expires_us <= days * DAY_US + lifetime * DAY_US


def test_the_newest_line_of_a_brand_in_force_says_how_long_it_holds() -> None:
    table = (
        Lifetime(None, date(1970, 1, 1), 7),
        Lifetime("visa", date(2020, 1, 1), 10),
        Lifetime("visa", date(2024, 4, 14), 5),
    )
    days = [
        lifetime_days(brand, microseconds(datetime(year, 4, 14, tzinfo=UTC)), table)
        for brand, year in (("visa", 2019), ("visa", 2023), ("visa", 2024), ("rupay", 2024))
    ]

    assert days == [7, 10, 5, 7]


@pytest.mark.parametrize(
    ("brand", "year", "days"), [("visa", 2023, 7), ("visa", 2025, 4.75), ("amex", 2025, 7), (None, 2025, 7)]
)
def test_a_payment_without_its_shopper_holds_as_long_as_its_own_line_says(
    brand: str | None, year: int, days: float
) -> None:
    at_us = microseconds(datetime(year, 1, 1, tzinfo=UTC))

    assert Lifetimes().expires_us(brand, at_us, off_session=True) - at_us == days * DAY_US
    assert Lifetimes().expires_us(brand, at_us) - at_us == 7 * DAY_US


def test_the_reference_shows_the_table_of_lifetimes() -> None:
    section = (ROOT / "docs/api.md").read_text().partition("\n### Expiry\n")[2].partition("\n### ")[0]
    expected = [
        f"| {line.brand or 'any other'}{', `off_session`' * line.off_session} | {line.since} | {line.days} |"
        for line in LIFETIMES
    ]

    assert [line for line in section.splitlines() if line.startswith("|")][2:] == expected
