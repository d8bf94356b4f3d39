"""Where a charge's money is, by where its attempt stands."""

from typing import get_args

import pytest

from events.instruments import CardFacts
from events.types import RiskContext
from gateway.payments.charges import Charge, ChargeState, KeptCharge
from gateway.payments.intents import Attempt, Intent
from gateway.payments.steps import Phase

STATES: dict[Phase, ChargeState] = {
    "assessing": "pending",
    "awaiting_payer": "pending",
    "awaiting_confirm": "pending",
    "blocked": "failed",
    "declined": "failed",
    "authorized": "authorized",
    "incrementing": "authorized",
    "capturing": "captured",
    "captured": "captured",
    "capture_failed": "failed",
    "voiding": "refunded",
    "voided": "refunded",
}
TAKEN: tuple[Phase, ...] = ("capturing", "captured")


def charge_in(phase: Phase) -> Charge:
    """The charge of a payment's first and only attempt."""
    card = CardFacts(token="t", surrogate="c", bin="400000", last4="0000", brand="visa")
    approval_code = "A1" if STATES[phase] in ("authorized", "captured", "refunded") else None
    attempt = Attempt(
        id="pi_1_1",
        payment_id="pi_1",
        number=1,
        phase=phase,
        moment_us=0,
        instrument=card,
        context=RiskContext(),
        approval_code=approval_code,
        expires_us=7,
    )
    intent = Intent(
        id="pi_1",
        merchant_id="m",
        mode="test",
        status="processing",
        amount_minor=100,
        currency="EUR",
        capture_method="manual",
        created_us=0,
        subject="pi_1",
        attempts=1,
        amount_received_minor=100 if phase in TAKEN else 0,
    )
    kept = KeptCharge(
        id="ch_1_1", payment_id="pi_1", number=1, merchant_id="m", mode="test", amount_minor=100, created_us=0
    )
    return Charge(kept, intent, attempt, payment_disputed=False)


@pytest.mark.parametrize("phase", get_args(Phase))
def test_a_charges_state_goes_by_its_attempts_phase(phase: Phase) -> None:
    charge = charge_in(phase)

    assert charge.state == STATES[phase]
    assert (charge.capture_before_us is not None) == (charge.state == "authorized")
