"""What the engine is told, and what it answers: neutral structs without personal data, stores or transport.

Times are integer microseconds since 1970-01-01 UTC. Entities are surrogates (or a replay's own identifiers).
What is missing is None and stays missing.
"""

from typing import Literal

import msgspec

from events.vocabulary import Choice, LabelKind, Mode, ModelKind, Outcome, Reason


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """One payment that waits for its decision.

    `card` is the surrogate of what pays, whatever the method: a UPI handle has a profile as a card has.
    """

    payment_id: str
    occurred_at_us: int
    amount_minor: int
    currency: str
    merchant: str | None = None
    merchant_category: str | None = None
    merchant_country: str | None = None
    payment_method: str = "card"
    card: str | None = None
    card_country: str | None = None
    card_funding: str | None = None
    card_brand: str | None = None
    device: str | None = None
    ip: str | None = None
    email: str | None = None
    customer: str | None = None
    ip_country: str | None = None
    billing_country: str | None = None
    shipping_country: str | None = None
    item_count: int | None = None
    partition: int = 0
    is_followed: bool = False


class SignIn(msgspec.Struct, frozen=True, kw_only=True):
    """A shopper signed in, or failed to."""

    occurred_at_us: int
    succeeded: bool
    merchant: str | None = None
    customer: str | None = None
    device: str | None = None
    ip: str | None = None


ChallengeResult = Literal["passed", "failed", "abandoned"]
"""What came of a challenge; `abandoned`: canceled, or never done in time."""


class Decline(msgspec.Struct, frozen=True, kw_only=True):
    """An issuer declined a payment that was assessed before; its entities are remembered by the engine.

    `card` None: what the engine remembers as having paid. `lapsed`: nobody declined, the time ran out, which
    says nothing about what would have paid.
    """

    payment_id: str
    attempt: int
    occurred_at_us: int
    reason: str
    lapsed: bool = False
    card: str | None = None


class Increment(msgspec.Struct, frozen=True, kw_only=True):
    """The issuer of an assessed payment promised `more_minor` more: `amount_minor` is the whole."""

    payment_id: str
    attempt: int
    amount_minor: int
    more_minor: int
    currency: str


class Challenge(msgspec.Struct, frozen=True, kw_only=True):
    """A card's issuer challenged the payer of a payment that was assessed before, and this came of it.

    `card` None: the card that the engine remembers of the payment.
    """

    payment_id: str
    attempt: int
    occurred_at_us: int
    result: ChallengeResult
    card: str | None = None


class Label(msgspec.Struct, frozen=True, kw_only=True):
    """What a payment turned out to be, as known from `arrived_at_us` on.

    `fraud` None says nothing about fraud (goods not received): it revokes nothing and teaches nothing.
    """

    payment_id: str
    arrived_at_us: int
    kind: LabelKind
    source: str
    fraud: bool | None
    mode: Mode = "test"


class Assessment(msgspec.Struct, frozen=True, kw_only=True):
    """The engine's answer to one observation.

    `probability` 0–1 calibrated, `risk_score` 0–100, `features` the vector as scored in catalogue order,
    `costs_minor` the expected cost of each action in minor units of the reference currency.
    """

    payment_id: str
    occurred_at_us: int
    probability: float
    risk_score: int
    outcome: Outcome
    reasons: list[Reason]
    rules: list[str]
    costs_minor: dict[str, float]
    challenged_by: list[str] = []
    challenged_by_model: bool = False
    features: list[float | str | None]
    challengers: dict[str, float]
    anomaly: float | None
    features_version: int
    online_version: int
    batch_version: int
    controls_versions: dict[str, int]
    sequence: int
    shard: int

    @property
    def challenge(self) -> bool:
        """Whether the payer is to be authenticated first, whoever asked for it."""
        return bool(self.challenged_by) or self.challenged_by_model

    @property
    def choice(self) -> Choice:
        """What rules and model chose together."""
        return "challenge" if self.challenged_by_model else self.outcome


class ModelSnapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A model as published by the learner: in force from an event time that labels alone decide."""

    name: str
    kind: ModelKind
    version: int
    in_force_from_us: int
    labels: int
    state: bytes
