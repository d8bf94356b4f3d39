"""Manual confirmation: what the payer approved is taken once the merchant confirms it again, not before."""

import asyncio
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import select

from events.types import PaymentDeclined
from gateway.errors import ConflictError, InvalidRequestError, UnexpectedStateError
from gateway.event_recorder import EventRecorder
from gateway.method_requests import CardOptions, PaymentMethodOptions
from gateway.payments.attempt_ends import AttemptEnds
from gateway.payments.charges import charge_id
from gateway.payments.debts import Debts
from gateway.payments.intents import Intent
from gateway.payments.partial_authorizations import authorized_minor, partial_status
from gateway.payments.refunds import Refunds
from gateway.people.merchants import MerchantSettings, update_merchant
from gateway.processor_port import AnswerChanged, Authentication, PayerAction
from gateway.requests import CancelIntent, ConfirmIntent, CreateIntent, UpdateIntent
from gateway.retrying import Driving
from gateway.scheduling import ThreadScheduling
from gateway.store.intent_rows import load_attempt
from gateway.store.tables import daily_totals
from tests.gateway_world import MERCHANT, START, World, live_virtually

STEP = PayerAction(
    kind="three_d_secure", url="https://bank.example/step/1", expires_at=START + timedelta(minutes=10)
)
BEGUN = ["payment.created", "payment.confirmed", "payment.action_required"]
WAITED = "payment.confirmation_required"
AGAIN = ConfirmIntent()


async def begun(world: World, **members: object) -> Intent:
    """A payment that waits for its payer, and that its merchant's server alone confirms."""
    world.processor.action = STEP
    order = {"amount": 1250, "currency": "eur", "payment_method": await world.token()}
    manual = {"confirmation_method": "manual", **order, **members}
    intent = await world.gateway.payments.create(await world.caller(), CreateIntent(**manual))
    return await world.gateway.payments.confirm(await world.caller(), intent.id, AGAIN)


async def approved(world: World, **members: object) -> Intent:
    """The same, once its payer did what was asked."""
    intent = await begun(world, **members)
    world.processor.payer_is_done(f"{intent.id}_1")
    return await told(world, intent)


async def told(world: World, intent: Intent) -> Intent:
    await world.gateway.payer_steps.answer_changed(AnswerChanged(attempt_id=f"{intent.id}_1"))
    return await world.intent(intent.id)


async def passed(world: World, minutes: int) -> None:
    """So many minutes after the start of test mode's time, and a sweep."""
    await world.caller(at=START + timedelta(minutes=minutes))
    await asyncio.sleep(5)


async def confirmed(world: World, intent: Intent, body: ConfirmIntent = AGAIN) -> Intent:
    return await world.gateway.payments.confirm(await world.caller(), intent.id, body)


def ends_of(world: World) -> AttemptEnds:
    """What ends attempts, beside the gateway's own."""
    store, processor, relay = world.store, world.processor, world.gateway.relay
    recorder, entropy, driving = EventRecorder(world.entropy), world.entropy, Driving(ThreadScheduling())
    debts = Debts(
        store=store, entropy=entropy, recorder=recorder, relay=relay, processor=processor, driving=driving
    )
    refunds = Refunds(store=store, recorder=recorder, relay=relay, processor=processor, driving=driving)
    return AttemptEnds(
        store=store, entropy=entropy, recorder=recorder, relay=relay, debts=debts, refunds=refunds
    )


def test_what_the_payer_approved_is_taken_once_the_merchant_confirms_again(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        world.processor.authentication = Authentication(result="authenticated", flow="challenge")
        waiting = await approved(world)
        assert (waiting.status, waiting.next_action) == ("requires_confirmation", None)
        assert (waiting.amount_received_minor, waiting.outcome) == (0, None)

        assert (await told(world, waiting)).status == "requires_confirmation"
        after, twin = await asyncio.gather(confirmed(world, waiting), confirmed(world, waiting))

        assert twin == after
        assert (after.status, after.amount_received_minor, after.attempts) == ("succeeded", 1250, 1)
        assert after.outcome is not None
        assert after.outcome.three_d_secure is not None
        assert world.processor.authorized == [f"{waiting.id}_1"]
        complete = [*BEGUN, "payment.authenticated", WAITED, "payment.authorized", "payment.captured"]
        await world.until(lambda: world.payment_events(waiting.id) == complete)

    live_virtually(tmp_path, story)


def test_a_second_confirm_that_a_cancellation_overtakes_is_not_answered_as_done(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        waiting = await approved(world)
        caller = await world.caller()

        again, canceled = await asyncio.gather(
            world.gateway.payments.confirm(caller, waiting.id, AGAIN),
            world.gateway.payments.cancel(caller, waiting.id, CancelIntent()),
            return_exceptions=True,
        )

        assert isinstance(canceled, Intent)
        assert canceled.status == "canceled"
        assert isinstance(again, ConflictError)
        with pytest.raises(UnexpectedStateError):
            await confirmed(world, waiting)

    live_virtually(tmp_path, story)


def test_a_payer_who_failed_needs_no_second_confirm(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        intent = await begun(world)
        world.processor.payer_is_done(f"{intent.id}_1", decline_code="payment_intent_authentication_failure")

        assert (await told(world, intent)).status == "requires_payment_method"

    live_virtually(tmp_path, story)


def test_what_is_not_confirmed_again_in_time_is_given_back(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        intent = await approved(world)
        world.processor.action = None

        await passed(world, 19)
        assert (await world.intent(intent.id)).status == "requires_confirmation"
        await passed(world, 20)
        lapsed = await world.intent(intent.id)

        assert (lapsed.status, lapsed.amount_received_minor) == ("requires_payment_method", 0)
        assert lapsed.last_error is not None
        assert lapsed.last_error.code == "payment_timed_out"
        assert world.processor.answers[f"{intent.id}_1"].status == "reversed"
        await world.gateway.payments.cancel(await world.caller(), intent.id, CancelIntent())
        ended = [*BEGUN, WAITED, "payment.declined", "payment.canceled"]
        await world.until(lambda: world.payment_events(intent.id) == ended)
        declines = [e for e in world.log.events("payments") if isinstance(e, PaymentDeclined)]
        assert [event.lapsed for event in declines] == [True]

    live_virtually(tmp_path, story)


def test_the_charge_of_what_was_not_confirmed_again_in_time_has_failed(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        intent = await approved(world)
        world.processor.action = None
        await passed(world, 20)

        for again in (False, True):
            if again:
                await confirmed(world, intent, ConfirmIntent(payment_method=await world.token()))
            charge = await world.gateway.payments.charge(await world.caller(), charge_id(intent.id, 1))
            assert charge.is_latest is not again
            assert charge.error is not None
            assert charge.error.code == "payment_timed_out"
            assert (charge.state, charge.status) == ("failed", "failed")
            assert (charge.is_refunded, charge.refunded_minor) == (False, 0)

    live_virtually(tmp_path, story)


def test_a_cancellation_while_a_lapse_is_yet_to_be_told_is_one_event(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        intent = await approved(world)
        world.processor.refusing = "reverse"
        await passed(world, 20)
        canceled = await world.gateway.payments.cancel(await world.caller(), intent.id, CancelIntent())
        world.processor.refusing = None
        await asyncio.sleep(120)

        assert canceled.status == "canceled"
        assert world.processor.answers[f"{intent.id}_1"].status == "reversed"
        assert world.payment_events(intent.id) == [*BEGUN, WAITED, "payment.declined", "payment.canceled"]

    live_virtually(tmp_path, story)


def test_an_approval_that_is_told_late_and_again_does_not_confirm(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        intent = await begun(world)
        before = await world.store.read(lambda c: load_attempt(c, intent.id, 1))
        assert before is not None
        assert before.decision is not None
        world.processor.payer_is_done(before.id)
        answer = await world.processor.find(before.id)
        ends = vars(world.gateway.payer_steps)["_ends"]

        for _ in range(2):
            assert (await ends.end(before, before.decision, answer)).status == "requires_confirmation"

    live_virtually(tmp_path, story)


def test_that_the_payer_was_sent_off_is_no_news_once_the_payer_has_approved(tmp_path: Path) -> None:
    """Its commit was durable and was said to have failed: by the time it is tried again the payer is back."""

    async def story(world: World) -> None:
        intent = await begun(world)
        sent_off = await world.store.read(lambda c: load_attempt(c, intent.id, 1))
        answer = await world.processor.find(f"{intent.id}_1")
        assert sent_off is not None
        assert sent_off.decision is not None
        assert answer.status == "action_required"
        world.processor.payer_is_done(f"{intent.id}_1")
        waiting = await told(world, intent)

        again = await ends_of(world).end(sent_off, sent_off.decision, answer)

        assert again == waiting
        assert again.status == "requires_confirmation"
        assert (await confirmed(world, intent)).status == "succeeded"

    live_virtually(tmp_path, story)


def test_after_a_lapse_another_attempt_may_pay(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        intent = await approved(world)
        world.processor.action = None
        await passed(world, 20)

        paid = await confirmed(world, intent, ConfirmIntent(payment_method=await world.token()))

        assert (paid.status, paid.attempts) == ("succeeded", 2)
        assert world.processor.answers[f"{intent.id}_1"].status == "reversed"

    live_virtually(tmp_path, story)


async def part_approved(world: World, **members: object) -> Intent:
    """A payment of whose 1250 the issuer has approved 700, which wait for their merchant."""
    world.processor.authorizes_minor = 700
    options = PaymentMethodOptions(card=CardOptions(request_partial_authorization="if_available"))
    intent = await approved(world, payment_method_options=options, **members)
    world.processor.action = None
    return intent


async def limited(world: World) -> None:
    """From now on its merchant has a limit, so that what counts to a day is kept."""
    changed = msgspec.structs.replace(MERCHANT, settings=MerchantSettings(limit_per_day={"EUR": 4000}))
    recorder = EventRecorder(world.entropy)
    await world.store.write(lambda c: update_merchant(c, recorder, changed, at=START, actor="test"))


async def counted(world: World) -> int:
    amounts = select(daily_totals.c.amount_minor)
    return int(await world.store.read(lambda c: c.execute(amounts).scalar_one()))


def test_a_part_is_the_amount_while_the_merchant_is_waited_for_and_what_a_cancellation_gives_back(
    tmp_path: Path,
) -> None:
    async def story(world: World) -> None:
        await limited(world)
        waiting = await part_approved(world)
        assert (waiting.status, waiting.amount_minor) == ("requires_confirmation", 700)
        assert await counted(world) == 700

        await world.gateway.payments.cancel(await world.caller(), waiting.id, CancelIntent())
        await world.until(lambda: "payment.canceled" in world.payment_events(waiting.id))

        charge = await world.gateway.payments.charge(await world.caller(), charge_id(waiting.id, 1))
        assert (charge.state, charge.kept.amount_minor, charge.refunded_minor) == ("refunded", 700, 700)
        assert (authorized_minor(charge), partial_status(charge)) == (700, "partially_authorized")

    live_virtually(tmp_path, story)


def test_a_part_that_is_confirmed_again_is_cut_once(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await limited(world)
        waiting = await part_approved(world)

        taken = await confirmed(world, waiting)

        assert (taken.status, taken.amount_minor, taken.amount_received_minor) == ("succeeded", 700, 700)
        assert await counted(world) == 700

    live_virtually(tmp_path, story)


@pytest.mark.parametrize("by", ["lapse", "block"])
def test_where_nothing_of_a_part_is_taken_the_payment_is_the_whole_again(tmp_path: Path, by: str) -> None:
    async def story(world: World) -> None:
        await limited(world)
        if by == "block":
            world.risk.outcome, world.risk.delay_seconds = "block", 3.0
        waiting = await part_approved(world)
        assert (waiting.status, waiting.amount_minor) == ("requires_confirmation", 700)

        await (passed(world, 20) if by == "lapse" else asyncio.sleep(6))

        ended = await world.intent(waiting.id)
        assert (ended.status, ended.amount_minor) == ("requires_payment_method", 1250)
        assert await counted(world) == 0
        assert world.processor.answers[f"{waiting.id}_1"].status == "reversed"

    live_virtually(tmp_path, story, deadline_seconds=0.1 if by == "block" else 20.0)


def test_what_waits_for_its_merchant_is_canceled_and_survives_a_restart(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        world.processor.authentication = Authentication(result="authenticated", flow="challenge")
        intent = await approved(world)
        await world.restart()

        canceled = await world.gateway.payments.cancel(await world.caller(), intent.id, CancelIntent())

        assert canceled.status == "canceled"
        # The challenge was told of when its payer came back, and is not once more.
        ended = [*BEGUN, "payment.authenticated", WAITED, "payment.canceled"]
        await world.until(lambda: world.payment_events(intent.id) == ended)
        assert world.processor.answers[f"{intent.id}_1"].status == "reversed"

    live_virtually(tmp_path, story)


def test_nothing_of_what_the_payer_approved_is_changed(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        intent = await approved(world)
        caller = await world.caller()

        with pytest.raises(InvalidRequestError, match="confirm or cancel it"):
            await world.gateway.updates.update(caller, intent.id, UpdateIntent(amount=1))
        with pytest.raises(InvalidRequestError, match="under way"):
            await confirmed(world, intent, ConfirmIntent(payment_method=await world.token(name="tok_2")))
        worded = await world.gateway.updates.update(caller, intent.id, UpdateIntent(description="tea"))
        same = await confirmed(world, intent, ConfirmIntent(payment_method="tok_1"))

        assert (worded.description, same.status, same.amount_minor) == ("tea", "succeeded", 1250)

    live_virtually(tmp_path, story)


def test_a_confirm_while_the_payer_is_at_it_shows_what_to_do_and_begins_nothing(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        for method in ("automatic", "manual"):
            intent = await begun(world, confirmation_method=method)
            shown = await confirmed(world, intent)

            assert (shown.status, shown.attempts, shown.next_action) == ("requires_action", 1, STEP)
            with pytest.raises(InvalidRequestError, match="under way"):
                await confirmed(world, intent, ConfirmIntent(payment_method=await world.token(name="tok_2")))

    live_virtually(tmp_path, story)


def test_a_late_block_takes_back_what_waits_for_its_merchant(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        world.risk.outcome, world.risk.delay_seconds = "block", 3.0
        intent = await approved(world)
        assert intent.status == "requires_confirmation"

        await asyncio.sleep(6)

        blocked = await world.intent(intent.id)
        assert (blocked.status, blocked.amount_received_minor) == ("requires_payment_method", 0)
        assert world.processor.answers[f"{intent.id}_1"].status == "reversed"
        await world.until(lambda: world.payment_events(intent.id) == [*BEGUN, WAITED, "payment.blocked"])

    live_virtually(tmp_path, story, deadline_seconds=0.1)


def test_a_lapsed_attempt_whose_void_is_told_late_does_not_cancel_the_payment_a_second_time(
    tmp_path: Path,
) -> None:
    async def story(world: World) -> None:
        intent = await approved(world, capture_method="manual")
        world.processor.refusing = "reverse"
        await passed(world, 20)
        world.processor.action = None
        other = ConfirmIntent(payment_method=await world.token(name="tok_other"))
        assert (await confirmed(world, intent, other)).status == "requires_capture"
        await world.gateway.payments.cancel(await world.caller(), intent.id, CancelIntent())
        world.processor.refusing = None
        await asyncio.sleep(120)

        assert world.payment_events(intent.id).count("payment.canceled") == 1

    live_virtually(tmp_path, story)
