"""What can happen in a simulated month: purchases, sign-ins, verdicts, and reports of what was what."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from simulator.traffic.population import MERCHANTS, Card

Scenario = Literal[
    "card_testing",
    "stolen_card_spree",
    "account_takeover",
    "code_guessing",
    "bust_out_merchant",
    "friendly_fraud",
]
SCENARIOS: tuple[Scenario, ...] = (
    "card_testing",
    "stolen_card_spree",
    "account_takeover",
    "code_guessing",
    "bust_out_merchant",
    "friendly_fraud",
)

Reaction = Literal["right_code", "wrong_code", "leaves"]
"""What a payer does whom the card's issuer asks for a code."""

FRAUD_KINDS = ("early_fraud_warning", "fraud_dispute")
"""Kinds of report that say fraud by themselves."""


@dataclass(frozen=True, kw_only=True)
class Purchase:
    """Someone pays: by card, or from the UPI address `vpa`, where there is one.

    `scenario` None is an honest purchase. Neither it nor `story` is ever sent anywhere.

    Steps of one `story` belong together: they are all lived, or none is.
    """

    at: datetime
    actor: str
    story: str
    merchant: int
    amount_minor: int
    card: Card
    device: str
    ip: str
    email: str
    user_agent: str
    customer: str | None
    billing_country: str
    shipping_country: str
    items: int = 1
    manual_capture: bool = False
    if_challenged: Reaction = "right_code"
    scenario: Scenario | None = None
    vpa: str | None = None

    @property
    def currency(self) -> str:
        """What the merchant sells in."""
        return MERCHANTS[self.merchant].currency


@dataclass(frozen=True, kw_only=True)
class SignIn:
    """Someone signs in at a merchant, or fails to."""

    at: datetime
    actor: str
    story: str
    merchant: int
    customer: str
    device: str
    ip: str
    email: str
    succeeded: bool


@dataclass(frozen=True, kw_only=True)
class Report:
    """A payment's label arrives."""

    at: datetime
    actor: str
    merchant: int
    payment: str
    kind: str
    source: str
    fraud: bool | None = None


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The merchant's analyst closes a review."""

    at: datetime
    actor: str
    merchant: int
    payment: str
    review: str
    approve: bool


Planned = Purchase | SignIn
FollowUp = Report | Verdict
Step = Planned | FollowUp
