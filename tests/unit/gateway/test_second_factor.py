"""When a payer is authenticated first, by law or by rule, and what is told of it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.codec import encode
from events.instruments import AccountFacts, CardFacts
from events.log.port import Record
from events.types import AssessmentRequested, PaymentAuthenticated
from gateway.payments.fallback import FallbackDecision
from gateway.payments.intents import Intent
from gateway.payments.outcomes import TEST_OUTCOMES, decided_by_fallback
from gateway.payments.second_factor import LAWS, authentication_wish, law_for
from gateway.processor_port import Authentication
from gateway.requests import ConfirmIntent, CreateIntent, RiskContextInput
from models.engine import Engine
from models.features import POSITIONS
from pipelines.delivery import delivered
from pipelines.risk_step import RiskStep
from tests.gateway_world import START, World, live_virtually

APRIL = datetime(2026, 3, 31, 18, 30, tzinfo=UTC)
"""When it is April in India."""
CONTEXT = RiskContextInput(ip="192.0.2.7", device_id="device-1", email="a@example.com")


def card(country: str | None) -> CardFacts:
    return CardFacts(
        token="t", surrogate="c", bin="400000", last4="0000", brand="visa", issuer_country=country
    )


@pytest.mark.parametrize(
    ("country", "merchant", "at", "holds"),
    [
        ("IN", "IN", APRIL, True),
        ("IN", "IN", APRIL + timedelta(days=900), True),
        ("IN", "IN", APRIL - timedelta(microseconds=1), False),
        ("IN", "DE", APRIL, False),
        ("US", "IN", APRIL, False),
        (None, "IN", APRIL, True),  # RuPay, say: where a country is not known, it may be this one
        ("IN", None, APRIL, True),
        (None, None, APRIL, False),
        (None, "DE", APRIL, False),
    ],
)
def test_domestic_indian_cards_need_a_second_factor_from_april_2026(
    country: str | None, merchant: str | None, at: datetime, holds: bool
) -> None:
    assert (law_for(card(country), merchant, at) is not None) == holds
    assert all(law.source for law in LAWS)


def test_a_rupay_card_counts_as_indian_whatever_the_ranges_say() -> None:
    rupay = msgspec.structs.replace(card(None), brand="rupay")

    assert law_for(rupay, "IN", APRIL) is not None
    assert law_for(rupay, None, APRIL) is not None
    assert law_for(rupay, "DE", APRIL) is None
    assert law_for(msgspec.structs.replace(rupay, issuer_country="AE"), "IN", APRIL) is None


def test_an_account_has_its_own_factors() -> None:
    account = AccountFacts(token="t", surrogate="a", method="upi", provider="bank")

    assert law_for(account, "IN", APRIL) is None


@given(
    outcome=st.sampled_from(["allow", "review"]),
    by_test_card=st.sampled_from([None, *TEST_OUTCOMES]),
    challenge=st.booleans(),
)
def test_no_decision_sets_the_law_aside(outcome: Any, by_test_card: Any, challenge: bool) -> None:
    decision = decided_by_fallback(FallbackDecision(outcome, ()), by_test_card)._replace(challenge=challenge)

    assert authentication_wish(decision, card("IN"), "IN", APRIL) == "required"
    elsewhere = authentication_wish(decision, card("US"), "IN", APRIL)
    assert elsewhere == ("preferred" if challenge else "none")


async def confirmed(world: World, at: datetime = START, **facts: Any) -> Intent:
    order = CreateIntent(
        amount=1250, currency="inr", payment_method=await world.token(**facts), risk_context=CONTEXT
    )
    intent = await world.gateway.payments.create(await world.caller(at=at), order)
    return await world.gateway.payments.confirm(await world.caller(at=at), intent.id, ConfirmIntent())


@pytest.mark.parametrize(
    ("country", "challenged_by", "wish"),
    [("IN", [], "required"), ("IN", ["mine"], "required"), ("US", ["mine"], "preferred"), ("US", [], "none")],
)
def test_the_processor_is_asked_for_what_law_and_rules_want(
    tmp_path: Path, country: str, challenged_by: list[str], wish: str
) -> None:
    async def story(world: World) -> None:
        world.risk.challenged_by = challenged_by

        await confirmed(world, at=APRIL, issuer_country=country)

        [request] = world.processor.asked.values()
        assert request.authentication == wish

    live_virtually(tmp_path, story)


def test_a_late_decision_does_not_take_the_second_factor_from_a_payment(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        world.risk.silent = True

        await confirmed(world, at=APRIL, issuer_country="IN")

        [request] = world.processor.asked.values()
        assert request.authentication == "required"

    live_virtually(tmp_path, story, deadline_seconds=0.25)


def test_what_came_of_an_authentication_is_an_event_and_stands_in_the_outcome(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        told = Authentication(result="authenticated", flow="challenge", eci="05", liability_shifted=True)
        world.processor.authentication = told

        intent = await confirmed(world)

        assert intent.outcome is not None
        assert intent.outcome.three_d_secure == told
        await world.until(lambda: "payment.captured" in world.payment_events(intent.id))
        kinds = world.payment_events(intent.id)
        assert kinds.index("payment.authenticated") == kinds.index("payment.authorized") - 1
        [event] = authentications(world)
        assert (event.attempt, event.result, event.eci, event.liability_shifted) == (
            1,
            "authenticated",
            "05",
            True,
        )

    live_virtually(tmp_path, story)


def test_a_failed_challenge_counts_in_the_features_of_the_next_payment_however_often_it_is_told(
    tmp_path: Path,
) -> None:
    async def story(world: World) -> None:
        world.processor.decline_code = "payment_intent_authentication_failure"
        world.processor.authentication = Authentication(result="failed", flow="challenge")
        await confirmed(world)
        await confirmed(world, at=START + timedelta(hours=1))
        await world.until(lambda: len(authentications(world)) == 2)

        first, second = (e for e in world.log.events("assessments") if isinstance(e, AssessmentRequested))
        challenged = authentications(world)[0]
        told = [("assessments", first), *[("payments", challenged)] * 3, ("assessments", second)]
        records = [
            Record(topic, 0, offset, b"k", encode(event)) for offset, (topic, event) in enumerate(told)
        ]
        answers = RiskStep(Engine()).handle(map(delivered, records), START)

        before, after = (dict(zip(POSITIONS, made.features, strict=True)) for _, made in answers.decisions)
        for entity in ("card", "device", "ip", "customer"):
            assert before[f"{entity}_failed_challenges_1d"] == 0.0
            assert after[f"{entity}_failed_challenges_1d"] == 1.0

    live_virtually(tmp_path, story)


def authentications(world: World) -> list[PaymentAuthenticated]:
    return [event for event in world.log.events("payments") if isinstance(event, PaymentAuthenticated)]


def test_a_payment_without_an_authentication_tells_of_none(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        intent = await confirmed(world)

        assert intent.outcome is not None
        assert intent.outcome.three_d_secure is None
        await world.until(lambda: "payment.captured" in world.payment_events(intent.id))
        assert "payment.authenticated" not in world.payment_events(intent.id)

    live_virtually(tmp_path, story)
