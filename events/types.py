"""The facts that flow: frozen structs in the past tense, each with a type, a version and a time.

`id` is a UUIDv7, `occurred_at` is UTC with microseconds, amounts are integer minor units with an ISO 4217
currency. No card number, security code, password or one-time code has a field here, and none may be put into
one. What pays appears as `CardFacts` or `AccountFacts`; personal fields are sealed (`events.personal`); what
is counted appears as a random surrogate.

A new version of a type raises `schema_version` and adds an upcaster in `events.codec`. A member that may be
missing is no new version: this build reads what lacks it, and an older one passes over it.
"""

from datetime import datetime
from typing import Any, Literal

import msgspec

from events.event import Count, Event, Whole
from events.instruments import AccountFacts, CardFacts, Instrument
from events.payment_events import (
    PaymentActionRequired,
    PaymentAuthenticated,
    PaymentAuthorized,
    PaymentBlocked,
    PaymentCanceled,
    PaymentCaptured,
    PaymentCaptureFailed,
    PaymentConfirmationRequired,
    PaymentConfirmed,
    PaymentCreated,
    PaymentDecidedLate,
    PaymentDeclined,
    PaymentEvent,
    PaymentIncrementDeclined,
    PaymentIncremented,
    PaymentRefunded,
    PaymentRefundFailed,
    PaymentReleased,
    PaymentReviewed,
    PaymentReviewExpired,
    PaymentUpdated,
)
from events.vocabulary import (
    ControlKind,
    LabelKind,
    Mode,
    ModelKind,
    Outcome,
    Reason,
)

__all__ = [
    "EVENT_TYPES",
    "AssessmentRequested",
    "AuditRecorded",
    "ControlChanged",
    "Count",
    "DeadLetter",
    "DecisionMade",
    "Event",
    "LabelReported",
    "ModelPublished",
    "PaymentActionRequired",
    "PaymentAuthenticated",
    "PaymentAuthorized",
    "PaymentBlocked",
    "PaymentCanceled",
    "PaymentCaptureFailed",
    "PaymentCaptured",
    "PaymentConfirmationRequired",
    "PaymentConfirmed",
    "PaymentCreated",
    "PaymentDecidedLate",
    "PaymentDeclined",
    "PaymentEvent",
    "PaymentIncrementDeclined",
    "PaymentIncremented",
    "PaymentRefundFailed",
    "PaymentRefunded",
    "PaymentReleased",
    "PaymentReviewExpired",
    "PaymentReviewed",
    "PaymentUpdated",
    "RiskContext",
    "SignInAttempted",
    "Versions",
    "Whole",
]


class RiskContext(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the shopper beside what pays. Entities are surrogates; what is missing is None.

    `sealed` holds the personal fields themselves (IP, email, addresses, user agent), encrypted under the key
    of `subject`; erasing the subject's key and mappings makes the rest anonymous.
    """

    device: str | None = None
    ip: str | None = None
    email: str | None = None
    customer: str | None = None
    ip_country: str | None = None
    billing_country: str | None = None
    shipping_country: str | None = None
    item_count: Whole | None = None
    subject: str | None = None
    sealed: bytes | None = None


class AssessmentRequested(Event, frozen=True, kw_only=True, tag="assessment.requested"):
    """A payment waits for its decision (topic `assessments`): of a `card`, or of another `account`."""

    payment_id: str
    attempt: Count
    mode: Mode
    merchant_id: str
    merchant_category: str | None = None
    merchant_country: str | None = None
    amount_minor: Whole
    currency: str
    card: CardFacts | None = None
    account: AccountFacts | None = None
    context: RiskContext
    trace: str | msgspec.UnsetType = msgspec.UNSET
    """The span of the request, as W3C's `traceparent` has it; only where it is traced."""

    @property
    def instrument(self) -> Instrument | None:
        """What pays."""
        return self.card or self.account


class Versions(msgspec.Struct, frozen=True, kw_only=True):
    """What made a decision: catalogue, online model, batch model (0: none yet), and controls by name."""

    features: Count
    online: Count
    batch: Count
    controls: dict[str, Count] = {}


class DecisionMade(Event, frozen=True, kw_only=True, tag="decision.made"):
    """The answer to one assessment (topic `decisions`, same partition, same order). Kept for good.

    `probability` is the calibrated probability of fraud (0–1), `risk_score` its form for people (0–100),
    `features` the vector as scored in the order of the catalogue `versions.features`, `costs_minor` the
    expected cost of each action in the reference currency's minor units, `sequence` the shard's own count.
    `challenged_by` are those of the rules that want the payer authenticated first,
    and `challenged_by_model` tells that costs or thresholds do.
    """

    payment_id: str
    attempt: Count
    mode: Mode
    assessment_id: str
    request_partition: Count
    request_offset: Count
    assessed_at: datetime
    outcome: Outcome
    probability: float
    risk_score: Count
    reasons: list[Reason]
    rules: list[str]
    challenged_by: list[str] = msgspec.field(default_factory=list)
    challenged_by_model: bool = False
    costs_minor: dict[str, float]
    features: list[float | str | None]
    challengers: dict[str, float]
    anomaly: float | None
    versions: Versions
    sequence: Count
    shard: Count
    trace: str | msgspec.UnsetType = msgspec.UNSET
    """That of its request."""

    @property
    def challenge(self) -> bool:
        """Whether the payer is to be authenticated first, whoever asked for it."""
        return bool(self.challenged_by) or self.challenged_by_model


class LabelReported(Event, frozen=True, kw_only=True, tag="label.reported"):
    """Someone said what a payment was (topic `labels`, keyed by payment). `occurred_at` is the report's time.

    `fraud` None means that the kind says nothing about fraud (a dispute for goods not received).
    """

    payment_id: str
    kind: LabelKind
    source: str
    fraud: bool | None
    mode: Mode


class SignInAttempted(Event, frozen=True, kw_only=True, tag="account.sign_in_attempted"):
    """A shopper signed in at a merchant, or one of its people at Weir, or failed to (topic `accounts`)."""

    merchant_id: str
    mode: Mode
    succeeded: bool
    customer: str | None = None
    device: str | None = None
    ip: str | None = None
    ip_country: str | None = None
    subject: str | None = None
    sealed: bytes | None = None


class AuditRecorded(Event, frozen=True, kw_only=True, tag="audit.recorded"):
    """Someone did, or was refused, something privileged (topic `audit`; PCI DSS 10.2.2)."""

    actor: str
    action: str
    resource: str
    outcome: Literal["succeeded", "refused", "failed"]
    origin: str | None = None


class ControlChanged(Event, frozen=True, kw_only=True, tag="control.changed"):
    """A rule, list, cost, policy or rate has a new version, or is gone (`body` None); topic `controls`."""

    name: str
    kind: ControlKind
    version: Count
    body: dict[str, Any] | None


class ModelPublished(Event, frozen=True, kw_only=True, tag="model.published"):
    """A model snapshot (topic `models`, keyed `name@version`). `occurred_at` is when it is in force from.

    `learned_to` is the position of the learner per `topic/partition`; `state` is the model's own encoding.
    """

    name: str
    kind: ModelKind
    version: Count
    learned_to: dict[str, Count]
    labels: Count
    state: bytes


class DeadLetter(Event, frozen=True, kw_only=True, tag="dead_letter.recorded"):
    """A record that could not be read or handled (topic `dead-letters`): where, why, and its bytes.

    `truncated`: only the first bytes of key and value are here; the rest stands at the record's position.
    """

    topic: str
    partition: Count
    offset: Count
    reason: str
    key: bytes | None
    value: bytes | None
    truncated: bool = False


EVENT_TYPES: tuple[type[Event], ...] = tuple(
    kind for kind in (*Event.__subclasses__(), *PaymentEvent.__subclasses__()) if kind is not PaymentEvent
)
"""Every type that can be written."""
