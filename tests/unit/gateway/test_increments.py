"""What an increment stands on, and how far: every footing, within the bound and beyond."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gateway.errors import InvalidRequestError
from gateway.payments.increments import INCREMENT, INCREMENT_PERCENT_MAX, Footing, IncrementEffect
from gateway.payments.intents import Intent
from gateway.processor_port import Authentication
from gateway.requests import ConfirmIntent, CreateIntent, IncrementIntent, RiskContextInput
from tests.gateway_world import World, live_virtually

KNOWN = RiskContextInput(ip="192.0.2.7", device_id="device-1", email="a@example.com")
APRIL = datetime(2026, 3, 31, 18, 30, tzinfo=UTC)
"""When it is April in India."""
PROOF = Authentication(result="authenticated", flow="challenge", eci="05", liability_shifted=True)
REFUSALS: Mapping[IncrementEffect, str] = {
    "held": "payment_intent_under_review",
    "unauthenticated": "increment_not_authenticated",
    "too_large": "increment_too_large",
}
FOOTINGS: Mapping[Footing, str] = {
    "under_review": "a review that is open",
    "by_law": "a law that wants each amount authenticated",
    "authenticated": "a proof of the cardholder",
    "decided": "a decision alone",
}


async def confirmed(world: World, country: str, at: datetime) -> Intent:
    order = CreateIntent(
        amount=1999,
        currency="eur",
        capture_method="manual",
        payment_method=await world.token(issuer_country=country),
        risk_context=KNOWN,
    )
    caller = await world.caller(at=at)
    intent = await world.gateway.payments.create(caller, order)
    return await world.gateway.payments.confirm(caller, intent.id, ConfirmIntent())


@pytest.mark.parametrize("under_review", [False, True])
@pytest.mark.parametrize("by_law", [False, True])
@pytest.mark.parametrize("authenticated", [False, True])
@pytest.mark.parametrize("within", [False, True])
def test_an_increment_stands_on_the_first_that_there_is(
    tmp_path: Path, under_review: bool, by_law: bool, authenticated: bool, within: bool
) -> None:
    footing: Footing = (
        "under_review"
        if under_review
        else "by_law"
        if by_law
        else "authenticated"
        if authenticated
        else "decided"
    )

    async def story(world: World) -> None:
        world.risk.outcome, world.risk.risk_score = "review" if under_review else "allow", 70
        world.processor.authentication = PROOF if authenticated else None
        intent = await confirmed(world, "IN" if by_law else "US", APRIL)
        more_minor = 1999 * INCREMENT_PERCENT_MAX // 100 + (0 if within else 1)

        effect = INCREMENT[footing][within]
        code = await refusal_of(world, intent, 1999 + more_minor)

        assert code == REFUSALS.get(effect)
        after = await world.intent(intent.id)
        assert after.amount_minor == 1999 + (more_minor if code is None else 0)
        told = after.outcome and after.outcome.three_d_secure
        shifted = told is not None and told.liability_shifted
        assert shifted == (authenticated and effect != "asked_unshifted")
        if under_review:
            await world.gateway.reviews.approve(await world.caller(at=APRIL), intent.review_id or "")
            lifted: Footing = "by_law" if by_law else "authenticated" if authenticated else "decided"
            code = await refusal_of(world, intent, 1999 + more_minor)
            assert code == REFUSALS.get(INCREMENT[lifted][within])

    live_virtually(tmp_path, story)


async def refusal_of(world: World, intent: Intent, amount: int) -> str | None:
    caller, body = await world.caller(at=APRIL), IncrementIntent(amount=amount)
    try:
        await world.gateway.payments.increment(caller, intent.id, body)
    except InvalidRequestError as refused:
        return refused.code
    return None


def test_the_law_holds_for_an_increment_of_what_was_authorized_before_it_came(tmp_path: Path) -> None:
    async def story(world: World) -> None:
        intent = await confirmed(world, "IN", APRIL - timedelta(days=1))

        assert await refusal_of(world, intent, 2000) == "increment_not_authenticated"

    live_virtually(tmp_path, story)


def test_the_architecture_shows_what_becomes_of_increments() -> None:
    text = (Path(__file__).parents[3] / "ARCHITECTURE.md").read_text()
    lines = text.partition("| What an increment stands on |")[2].partition("\n\n")[0].splitlines()[2:]

    words = {"asked": "asked for", "asked_unshifted": "asked for, liability shifts no more"}
    told = {
        where: [words.get(effects[within], "refused") for within in (True, False)]
        for where, effects in INCREMENT.items()
    }
    assert set(FOOTINGS) == set(INCREMENT)
    assert lines == [f"| {FOOTINGS[where]} | {' | '.join(cells_)} |" for where, cells_ in told.items()]
