"""What the engine is told of payments by other means than a card."""

from datetime import UTC, datetime
from typing import Any

import pytest

from events.codec import decode, encode
from events.instruments import AccountFacts, CardFacts, label_of
from events.types import AssessmentRequested, PaymentAuthenticated, PaymentDeclined, RiskContext
from models.engine import Engine
from models.features import POSITIONS
from pipelines.errors import UnusableEventError
from pipelines.observe import challenge, decline, observation

AT = datetime(2026, 1, 5, 10, tzinfo=UTC)
HANDLE = AccountFacts(method="upi", token="pm_1", surrogate="upi_1", provider="okbank")


def test_a_challenge_that_failed_counts_as_a_decline_of_all_that_paid() -> None:
    engine = Engine()
    context = RiskContext(device="d1")
    card = CardFacts(token="t", surrogate="c1", bin="400000", last4="3220", brand="visa")
    first = asked(1, card=card, context=context)
    failed = PaymentDeclined(
        id="e9",
        occurred_at=first.occurred_at,
        payment_id=first.payment_id,
        sequence=4,
        mode="test",
        merchant_id="m_1",
        amount_minor=50_000,
        currency="INR",
        attempt=1,
        reason="payment_intent_authentication_failure",
        card_surrogate="c1",
    )

    facts = [observation(first), decline(failed), observation(asked(2, card=card, context=context))]
    _, again = engine.assess(facts)

    for feature in ("card_declines_1h", "device_declines_1h"):
        assert again.features[POSITIONS[feature]] == 1.0


@pytest.mark.parametrize(
    ("result", "flow", "told"),
    [
        ("authenticated", "challenge", "passed"),
        ("failed", "challenge", "failed"),
        ("abandoned", "challenge", "abandoned"),
        ("error", "challenge", None),
        ("authenticated", "frictionless", None),
        ("failed", "frictionless", None),
        ("attempted", "frictionless", None),
        ("not_supported", "frictionless", None),
    ],
)
def test_only_a_challenge_that_its_payer_ended_is_told(result: str, flow: Any, told: str | None) -> None:
    event = PaymentAuthenticated(
        id="e8",
        occurred_at=AT,
        payment_id="pi_1",
        sequence=3,
        mode="test",
        merchant_id="m_1",
        amount_minor=50_000,
        currency="INR",
        attempt=2,
        result=result,
        flow=flow,
        card_surrogate="c1",
    )
    fact = challenge(event)

    assert (fact and fact.result) == told
    if fact is not None:
        assert (fact.payment_id, fact.attempt, fact.card) == ("pi_1", 2, "c1")


def asked(number: int = 1, **paying: Any) -> AssessmentRequested:
    event = AssessmentRequested(
        id=f"e{number}",
        occurred_at=AT.replace(minute=number),
        payment_id=f"pi_{number}",
        attempt=1,
        mode="test",
        merchant_id="m_1",
        amount_minor=50_000,
        currency="INR",
        **({"context": RiskContext()} | paying),
    )
    read = decode(encode(event))
    assert isinstance(read, AssessmentRequested)
    return read


def test_an_upi_handle_has_a_profile_as_a_card_has() -> None:
    engine = Engine()

    rows = [engine.assess([observation(asked(number, account=HANDLE))])[0].features for number in (1, 2)]

    assert [row[POSITIONS["card_count_1h"]] for row in rows] == [0.0, 1.0]
    assert [row[POSITIONS["payment_method"]] for row in rows] == ["upi", "upi"]


def test_what_only_a_card_has_stays_missing_for_an_account() -> None:
    seen = observation(asked(account=HANDLE))

    assert (seen.card_country, seen.card_funding, seen.card_brand) == (None, None, None)


def test_a_card_is_told_as_ever() -> None:
    card = CardFacts(token="t", surrogate="c", bin="424242", last4="4242", brand="visa", funding="debit")

    seen = observation(asked(card=card))

    assert (seen.card, seen.payment_method, seen.card_funding) == ("c", "card", "debit")


def test_an_assessment_that_says_nothing_of_what_pays_is_refused() -> None:
    with pytest.raises(UnusableEventError):
        observation(asked())


def test_an_account_is_recognized_by_its_provider_and_its_ending() -> None:
    account = AccountFacts(method="netbanking", token="pm", surrogate="s", provider="HDFC", last4="1234")

    assert label_of(account) == "netbanking HDFC ··1234"
