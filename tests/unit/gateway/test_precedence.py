"""What a decision does, in time or late: every outcome, capture method and state of the payment."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from events.codec import decode
from events.instruments import AccountFacts, CardFacts
from events.types import AssessmentRequested, PaymentCaptured, PaymentDecidedLate
from events.vocabulary import Choice, LateEffect, Outcome
from gateway.errors import InvalidRequestError
from gateway.payments.effective_decision import EffectiveDecision
from gateway.payments.intents import CaptureMethod, Intent
from gateway.payments.precedence import IN_TIME, LATE, Effect, Standing, choice_of
from gateway.processor_port import Authentication
from gateway.requests import CancelIntent, CaptureIntent, ConfirmIntent, CreateIntent, RiskContextInput
from gateway.store.review_rows import Review
from tests.gateway_world import START, World, live_virtually

KNOWN = RiskContextInput(ip="192.0.2.7", device_id="device-1", email="a@example.com")
"""A shopper whom the fallback lets pass; it holds one of whom nothing is known."""
PART_MINOR = 500
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
CHOICES: tuple[Choice, ...] = get_args(Choice)
METHODS: tuple[CaptureMethod, ...] = get_args(CaptureMethod)
WORDS: Mapping[Effect | LateEffect | None, str] = {
    "captured": "authorized and captured",
    "left": "authorized",
    "not_sent": "not sent",
    "voided": "authorization voided",
    "refunded": "money given back",
    None: "nothing changes",
}
HELD = "authorized, capture held", "capture held, review opened"
STANDINGS: Mapping[Standing, str] = {
    "uncaptured": "authorized and not captured",
    "reviewed": "authorized, and a review was opened",
    "captured": "captured",
    "elsewhere": "declined, canceled or expired",
}


async def confirmed(
    world: World,
    capture_method: CaptureMethod,
    context: RiskContextInput = KNOWN,
    delay_hours: int | None = None,
) -> Intent:
    caller = await world.caller(at=None)
    body = CreateIntent(
        amount=1999,
        currency="eur",
        capture_method=capture_method,
        capture_delay_hours=delay_hours,
        payment_method=await world.token(),
        risk_context=context,
    )
    intent = await world.gateway.payments.create(caller, body)
    return await world.gateway.payments.confirm(caller, intent.id, ConfirmIntent())


async def review_of(world: World, intent: Intent) -> Review:
    return await world.gateway.reviews.retrieve(await world.caller(at=None), intent.review_id or "")


async def network_status(world: World, intent: Intent, status: str) -> None:
    answers = world.processor.answers
    await world.until(lambda: answers[f"{intent.id}_1"].status == status)


def outcome_of(choice: Choice) -> Outcome:
    return "allow" if choice == "challenge" else choice


@pytest.mark.parametrize("is_challenged", [False, True])
@pytest.mark.parametrize("outcome", OUTCOMES)
@pytest.mark.parametrize("capture_method", METHODS)
def test_in_time_the_table_decides(
    tmp_path: Path, capture_method: CaptureMethod, outcome: Outcome, is_challenged: bool
) -> None:
    async def story(world: World) -> None:
        world.risk.outcome, world.risk.risk_score = outcome, 80
        world.risk.challenged_by_model = is_challenged
        intent = await confirmed(world, capture_method)
        effect = IN_TIME[outcome][capture_method]
        wishes = [request.authentication for request in world.processor.asked.values()]
        assert wishes == ([] if effect == "not_sent" else ["preferred" if is_challenged else "none"])

        if effect == "not_sent":
            assert (intent.status, world.processor.authorized) == ("requires_payment_method", [])
        elif effect == "captured":
            assert intent.status == "succeeded"
            await network_status(world, intent, "captured")
        else:
            assert (intent.status, intent.review_id is not None) == ("requires_capture", effect == "held")
            await asyncio.sleep(10)
            assert world.processor.answers[f"{intent.id}_1"].status == "approved"

    live_virtually(tmp_path, story)


Way = Callable[[World, Intent], Awaitable[Any]]


async def _left_alone(_world: World, _intent: Intent) -> None:
    """Nothing happens before the late decision comes."""


async def _captured(world: World, intent: Intent) -> None:
    await world.gateway.payments.capture(await world.caller(at=None), intent.id, CaptureIntent())


async def _captured_in_part(world: World, intent: Intent) -> None:
    body = CaptureIntent(amount_to_capture=PART_MINOR, final_capture=False)
    await world.gateway.payments.capture(await world.caller(at=None), intent.id, body)


async def _canceled(world: World, intent: Intent) -> None:
    await world.gateway.payments.cancel(await world.caller(at=None), intent.id, CancelIntent())


async def _approved(world: World, intent: Intent) -> None:
    await world.gateway.reviews.approve(await world.caller(at=None), intent.review_id or "")


async def _approved_and_captured(world: World, intent: Intent) -> None:
    await _approved(world, intent)
    await _captured(world, intent)


async def _rejected(world: World, intent: Intent) -> None:
    await world.gateway.reviews.reject(await world.caller(at=None), intent.review_id or "")


async def _expired(world: World, intent: Intent) -> None:
    at = (await world.caller(at=None)).at
    await world.caller(at=at + timedelta(days=8))
    await network_status(world, intent, "reversed")


WAYS: Mapping[tuple[CaptureMethod, bool], Mapping[Way, Standing]] = {
    ("automatic", False): {_left_alone: "captured"},
    ("automatic", True): {
        _left_alone: "reviewed",
        _canceled: "elsewhere",
        _approved: "captured",
        _rejected: "elsewhere",
        _expired: "elsewhere",
    },
    ("manual", False): {
        _left_alone: "uncaptured",
        _captured: "captured",
        _captured_in_part: "uncaptured",
        _canceled: "elsewhere",
        _expired: "elsewhere",
    },
    ("manual", True): {
        _left_alone: "reviewed",
        _canceled: "elsewhere",
        _approved: "reviewed",
        _approved_and_captured: "captured",
        _rejected: "elsewhere",
        _expired: "elsewhere",
    },
}
"""Capture method, and whether the fallback held the capture → what may happen before the decision comes, and
where the money is then."""


@pytest.mark.parametrize("choice", CHOICES)
def test_late_the_table_decides_whatever_has_happened_meanwhile(tmp_path: Path, choice: Choice) -> None:
    async def story(world: World) -> None:
        await world.caller(at=START)
        world.risk.silent = True
        for (capture_method, held), ways in WAYS.items():
            for way, where in ways.items():
                intent = await confirmed(world, capture_method, RiskContextInput() if held else KNOWN)
                assert (intent.review_id is not None) == held
                await way(world, intent)
                await decides_late(world, intent, choice, LATE[choice].get(where))
        world.processor.decline_code = "do_not_honor"
        for method in METHODS:
            await decides_late(world, await confirmed(world, method), choice, None)

    live_virtually(tmp_path, story, 0.05)


async def decides_late(world: World, intent: Intent, choice: Choice, expected: LateEffect | None) -> None:
    """Deal with the late decision, twice, and look at what it did."""
    await asyncio.sleep(0.5)  # until what was owed before is paid
    before = await world.intent(intent.id)
    world.risk.outcome, world.risk.risk_score = outcome_of(choice), 80
    world.risk.challenged_by_model = choice == "challenge"
    records = (r for place, rs in world.log.records.items() if place.topic == "assessments" for r in rs)
    [record] = [record for record in records if _asks_about(record.value, intent)]
    decision = world.risk.made(intent.id, 1, record)
    for _ in range(2):
        await world.gateway.recovery.deal(decision)
    await asyncio.sleep(0.5)

    told = {e.id: e for e in world.log.events("payments") if isinstance(e, PaymentDecidedLate)}
    effects = [event.effect for event in told.values() if event.payment_id == intent.id]
    assert effects == ([] if expected is None else [expected])
    after = await world.intent(intent.id)
    status = world.processor.answers[f"{intent.id}_1"].status
    if expected is None:
        assert msgspec.structs.replace(after, version=before.version) == before
    elif expected == "voided" and before.amount_received_minor:
        assert (after.status, status) == ("succeeded", "captured")
        assert (after.amount_refunded_minor, after.refund_owed) == (PART_MINOR, False)
    elif expected == "voided":
        assert (after.status, after.cancellation_reason, status) == ("canceled", "automatic", "reversed")
        assert after.review_id is None or (await review_of(world, after)).closed_reason is not None
    elif expected == "refunded":
        assert (after.amount_refunded_minor, after.refund_owed) == (1999, False)
        assert world.processor.answers[f"{intent.id}_1"].refunded_minor == 1999
    else:
        assert (after.status, (await review_of(world, after)).closed_reason) == ("requires_capture", None)
        with pytest.raises(InvalidRequestError):
            await _captured(world, after)


@pytest.mark.parametrize("trouble", [None, "away", "refuses_refunds"])
def test_a_rejection_gives_back_the_part_that_was_captured_before_the_hold(
    tmp_path: Path, trouble: str | None
) -> None:
    async def story(world: World) -> None:
        world.risk.silent = True
        intent = await confirmed(world, "manual")
        await _captured_in_part(world, intent)
        await decides_late(world, intent, "review", "held")
        if trouble is not None:
            setattr(world.processor, trouble, 1000)

        await _rejected(world, await world.intent(intent.id))

        if trouble == "away":
            assert (await world.intent(intent.id)).refund_owed
            await world.restart()
            world.processor.away = 0
        is_refused = trouble == "refuses_refunds"
        last = "payment.refund_failed" if is_refused else "payment.refunded"
        await world.until(lambda: world.payment_events(intent.id)[-1] == last)
        after, network = await world.intent(intent.id), world.processor.answers[f"{intent.id}_1"]
        refunded_minor = 0 if is_refused else PART_MINOR
        assert (after.status, after.amount_received_minor, after.amount_capturable_minor) == (
            "succeeded",
            PART_MINOR,
            0,
        )
        assert (after.amount_refunded_minor, after.refund_owed) == (refunded_minor, is_refused)
        assert (network.captured_minor, network.refunded_minor) == (PART_MINOR, refunded_minor)

    live_virtually(tmp_path, story, 0.05)


def test_an_approval_after_a_part_was_captured_captures_the_rest(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        await world.caller(at=START)
        world.risk.silent = True
        intent = await confirmed(world, "automatic", delay_hours=24)
        await _captured_in_part(world, intent)
        await decides_late(world, intent, "review", "held")
        await world.caller(at=START + timedelta(hours=30))

        await _approved(world, await world.intent(intent.id))

        await asyncio.sleep(30)
        after, network = await world.intent(intent.id), world.processor.answers[f"{intent.id}_1"]
        assert (after.status, after.amount_received_minor) == ("succeeded", 1999)
        assert (network.status, network.captured_minor) == ("captured", 1999)
        captures = [e for e in world.log.events("payments") if isinstance(e, PaymentCaptured)]
        assert [event.amount_minor for event in captures] == [PART_MINOR, 1999 - PART_MINOR]

    live_virtually(tmp_path, story, 0.05)


def _asks_about(value: bytes | None, intent: Intent) -> bool:
    event = decode(value or b"")
    return isinstance(event, AssessmentRequested) and event.payment_id == intent.id


@pytest.mark.parametrize("capture_method", METHODS)
def test_of_an_approval_and_a_rejection_at_once_one_counts(
    tmp_path: Path, capture_method: CaptureMethod
) -> None:
    async def story(world: World) -> None:
        world.risk.outcome, world.risk.risk_score = "review", 70
        caller = await world.caller()
        for first in (True, False):
            intent = await confirmed(world, capture_method)
            reviews, name = world.gateway.reviews, intent.review_id or ""
            verdicts = [reviews.approve(caller, name), reviews.reject(caller, name)]

            ordered = verdicts if first else verdicts[::-1]
            answers = await asyncio.gather(*ordered, return_exceptions=True)

            [refused] = [answer for answer in answers if isinstance(answer, Exception)]
            [closed] = [answer for answer in answers if isinstance(answer, Review)]
            assert getattr(refused, "code", None) in ("review_closed", "lock_timeout")
            assert (await review_of(world, intent)).closed_reason == closed.closed_reason
            await asyncio.sleep(2)
            after = (await world.intent(intent.id)).status
            status = world.processor.answers[f"{intent.id}_1"].status
            if closed.closed_reason == "rejected":
                assert (after, status) == ("canceled", "reversed")
            else:
                left = ("requires_capture", "approved")
                assert (after, status) == (
                    ("succeeded", "captured") if capture_method == "automatic" else left
                )

    live_virtually(tmp_path, story)


PASSED = Authentication(result="authenticated", flow="frictionless", eci="05", liability_shifted=True)


@pytest.mark.parametrize(
    ("authentication", "effect"),
    [(None, "held"), (PASSED, None), (msgspec.structs.replace(PASSED, result="attempted", eci="06"), "held")],
)
def test_a_late_challenge_holds_those_alone_who_were_not_authenticated_meanwhile(
    tmp_path: Path, authentication: Authentication | None, effect: LateEffect | None
) -> None:
    async def story(world: World) -> None:
        world.risk.silent = True
        world.processor.authentication = authentication
        intent = await confirmed(world, "manual")
        await decides_late(world, intent, "challenge", effect)

    live_virtually(tmp_path, story, 0.05)


def test_nobody_could_have_asked_who_pays_from_an_account(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        intent = await confirmed(world, "manual")
        decision = EffectiveDecision("allow", "normal", 60, None, "", True, "d_1", "engine", challenge=True)
        account = AccountFacts(token="t", surrogate="a", method="upi", provider="okbank")

        card = CardFacts(token="t", surrogate="c", bin="400000", last4="0000", brand="visa")
        assert choice_of(decision, intent, card) == "challenge"
        assert choice_of(decision, intent, account) == "allow"

    live_virtually(tmp_path, story)


@pytest.mark.parametrize(("rules", "reason"), [([], "elevated_risk_level"), (["mine"], "rule")])
def test_who_holds_what_could_not_be_challenged_any_more_is_said(
    tmp_path: Path, rules: list[str], reason: str
) -> None:
    async def story(world: World) -> None:
        world.risk.silent, world.risk.challenged_by = True, rules
        intent = await confirmed(world, "manual")
        await decides_late(world, intent, "challenge", "held")

        assert (await review_of(world, await world.intent(intent.id))).reason == reason
        [event] = {
            e.id: e for e in world.log.events("payments") if isinstance(e, PaymentDecidedLate)
        }.values()
        assert (event.ruling.outcome, event.ruling.unchallenged) == ("review", True)
        assert event.ruling.text.startswith("Too late to have the payer authenticated:")

    live_virtually(tmp_path, story, 0.05)


def test_both_tables_speak_of_every_outcome() -> None:
    assert (set(IN_TIME), set(LATE)) == (set(OUTCOMES), set(CHOICES))
    assert all(set(effects) == set(METHODS) for effects in IN_TIME.values())
    assert all(set(effects) <= set(STANDINGS) for effects in LATE.values())


def test_the_architecture_shows_both_tables() -> None:
    text = (Path(__file__).parents[3] / "ARCHITECTURE.md").read_text()
    lines = text.partition("| When the decision arrives |")[2].partition("\n\n")[0].splitlines()

    assert lines == [
        f" {' | '.join(CHOICES)} |",
        f"|---|{'---|' * len(CHOICES)}",
        *(f"| in time, {method} capture | {in_time(method)} |" for method in METHODS),
        *(
            f"| late, {words} | {cells((LATE[choice].get(where) for choice in CHOICES), late=True)} |"
            for where, words in STANDINGS.items()
        ),
    ]


def in_time(method: CaptureMethod) -> str:
    told = dict(
        zip(OUTCOMES, cells(IN_TIME[outcome][method] for outcome in OUTCOMES).split(" | "), strict=True)
    )
    return " | ".join(
        told.get(choice, f"payer authenticated first, then {told['allow']}") for choice in CHOICES
    )


def cells(effects: Any, *, late: bool = False) -> str:
    return " | ".join(HELD[late] if effect == "held" else WORDS[effect] for effect in effects)
