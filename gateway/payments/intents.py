"""A payment intent, its attempts, and what may become of them: pure functions over the tables of `steps`."""

from typing import Literal

import msgspec

from events.instruments import Instrument
from events.types import RiskContext
from events.vocabulary import Mode, PaymentMethodType
from gateway.errors import ConflictError, InvalidRequestError, UnexpectedStateError
from gateway.method_requests import FutureUsage
from gateway.payments.effective_decision import EffectiveDecision, RiskLevel
from gateway.payments.steps import LEGAL, NEXT_PHASES, Phase, Status, Step
from gateway.processor_port import AdviceCode, Authentication, PayerAction, TestRisk

CaptureMethod = Literal["automatic", "manual"]
ConfirmationMethod = Literal["automatic", "manual"]
"""`manual`: the merchant's server alone confirms, never a shopper's browser."""


class PaymentOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """How risk and network answered, in Stripe's words.

    `amount_incremented` (minor units) is what the issuer promised on top of the amount decided about.
    """

    type: Literal["authorized", "manual_review", "issuer_declined", "blocked"]
    network_status: Literal[
        "approved_by_network", "declined_by_network", "not_sent_to_network", "reversed_after_approval"
    ]
    reason: str | None = None
    risk_level: RiskLevel
    risk_score: int | None = None
    seller_message: str = ""
    advice_code: AdviceCode | None = None
    three_d_secure: Authentication | None = None
    amount_incremented: int = 0


class PaymentError(msgspec.Struct, frozen=True, kw_only=True):
    """Why the last attempt failed, as a payer may read it."""

    type: Literal["card_error"] = "card_error"
    code: str
    decline_code: str | None = None
    message: str


class Intent(msgspec.Struct, frozen=True, kw_only=True):
    """One payment as its merchant sees it. `version` counts its changes, `sequence` its events.

    With `partial_authorization` an issuer's approval of a part is kept: then `amount_minor` is that part.
    """

    id: str
    merchant_id: str
    mode: Mode
    status: Status
    amount_minor: int
    currency: str
    capture_method: CaptureMethod
    created_us: int
    subject: str
    amount_capturable_minor: int = 0
    amount_received_minor: int = 0
    amount_refunded_minor: int = 0
    token: str | None = None
    customer: str | None = None
    confirmation_method: ConfirmationMethod = "automatic"
    description: str | None = None
    statement_descriptor: str | None = None
    capture_delay_hours: int | None = None
    capture_due_us: int | None = None
    metadata: dict[str, str] = {}
    payment_method_types: list[PaymentMethodType] | None = None
    setup_future_usage: FutureUsage | None = None
    partial_authorization: bool = False
    sealed_context: bytes | None = None
    sealed_receipt_email: bytes | None = None
    receipt_email_digest: bytes | None = None
    outcome: PaymentOutcome | None = None
    last_error: PaymentError | None = None
    review_id: str | None = None
    cancellation_reason: str | None = None
    canceled_us: int | None = None
    return_url: str | None = None
    next_action: PayerAction | None = None
    not_assessed: bool = False
    refund_owed: bool = False
    attempts: int = 0
    sequence: int = 0
    version: int = 0


class CaptureOwed(msgspec.Struct, frozen=True, kw_only=True):
    """So much of an authorization is to be captured; `since_us` is the business time of its capture.

    After one that is not `final` the rest stays authorized.
    """

    amount_minor: int
    since_us: int
    final: bool = True


class IncrementOwed(msgspec.Struct, frozen=True, kw_only=True):
    """The issuer is to be asked for so much more."""

    amount_minor: int
    since_us: int


class VoidOwed(msgspec.Struct, frozen=True, kw_only=True):
    """An authorization is to be given back; `since_us` is the business time of its void."""

    since_us: int


Debt = CaptureOwed | IncrementOwed | VoidOwed


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One confirm of an intent. `moment_us` is the confirm's business time; its events carry it.

    `assessed` is None until decided, then False where a fallback did it; `decision_id` is the engine's
    decision, which may come later than the fallback's. `debt` stays when it is paid, and is a void's on an
    attempt without an end that is being given up; `operations` counts the
    captures and increments, and names the latest. `off_session`: its payer is not there.
    `counted_day` is the day to whose limit the attempt counts, from 1970, where its merchant had one.
    `decision` is what is acted on once the payer has done what is asked, which may be done until
    `payer_until_us` (business time). `owner` is the instance that drives it on, `expires_us` when the
    authorization ends that nobody captures. `asked_minor` is the whole of which a part may be
    approved.
    """

    id: str
    payment_id: str
    number: int
    phase: Phase
    moment_us: int
    instrument: Instrument
    context: RiskContext
    test_risk: TestRisk | None = None
    off_session: bool = False
    assessed: bool | None = None
    decision_id: str | None = None
    approval_code: str | None = None
    network_reference: str | None = None
    expires_us: int | None = None
    debt: Debt | None = None
    operations: int = 0
    counted_day: int | None = None
    asked_minor: int | None = None
    decision: EffectiveDecision | None = None
    payer_until_us: int | None = None
    owner: str = ""


def reached(attempt: Attempt, phase: Phase) -> Attempt:
    """The attempt one legal phase on; any other is a fault of Weir's own, not of a request."""
    if phase not in NEXT_PHASES.get(attempt.phase, ()):
        raise ValueError(f"attempt {attempt.id} is {attempt.phase}, from which nothing leads to {phase}")
    return msgspec.structs.replace(attempt, phase=phase)


def owing(attempt: Attempt, debt: Debt) -> Attempt:
    """The attempt, with what the processor has yet to be told: one that waits for its payer, a void alone.

    Raises `ConflictError` while something else of it is owed: one thing at a time.
    """
    if attempt.phase in ("incrementing", "capturing"):
        raise ConflictError()
    if isinstance(debt, VoidOwed):
        return msgspec.structs.replace(reached(attempt, "voiding"), debt=debt)
    phase: Phase = "capturing" if isinstance(debt, CaptureOwed) else "incrementing"
    return msgspec.structs.replace(reached(attempt, phase), debt=debt, operations=attempt.operations + 1)


def stepped(intent: Intent, step: Step) -> Intent:
    """The intent one legal step on; raises `UnexpectedStateError`.

    >>> intent = Intent(id="pi_1", merchant_id="m", mode="test", status="processing", amount_minor=100,
    ...                 currency="EUR", capture_method="automatic", created_us=0, subject="pi_1")
    >>> stepped(intent, "succeed").status
    'succeeded'
    """
    after = LEGAL[step].get(intent.status)
    if after is None:
        raise UnexpectedStateError(step, intent.status)
    return msgspec.structs.replace(intent, status=after, next_action=None)


def confirmed(intent: Intent) -> Intent:
    """A new attempt begins: what the last one left is gone."""
    return msgspec.structs.replace(
        stepped(intent, "confirm"),
        attempts=intent.attempts + 1,
        last_error=None,
        outcome=None,
        not_assessed=False,
    )


def action_required(intent: Intent, action: PayerAction) -> Intent:
    """The payer has to do something before anybody can answer."""
    return msgspec.structs.replace(stepped(intent, "require_action"), next_action=action)


def refused(
    intent: Intent, step: Literal["block", "decline"], outcome: PaymentOutcome, error: PaymentError
) -> Intent:
    """Blocked by Weir or declined by the issuer: another payment method may be tried."""
    return msgspec.structs.replace(stepped(intent, step), token=None, outcome=outcome, last_error=error)


def authorized(intent: Intent, outcome: PaymentOutcome, review_id: str | None) -> Intent:
    """Authorized; the capture waits for the merchant, or for a review."""
    return msgspec.structs.replace(
        stepped(intent, "authorize"),
        outcome=outcome,
        review_id=review_id,
        amount_capturable_minor=intent.amount_minor,
    )


def succeeded(intent: Intent, outcome: PaymentOutcome) -> Intent:
    """Authorized under automatic capture: the whole amount is taken."""
    return msgspec.structs.replace(
        stepped(intent, "succeed"), outcome=outcome, amount_received_minor=intent.amount_minor
    )


def captured(intent: Intent, amount_minor: int | None, *, final: bool = True) -> Intent:
    """All (None) or part of what is authorized is taken; what remains is released where this is `final`."""
    stepped(intent, "capture")
    taken = intent.amount_capturable_minor if amount_minor is None else amount_minor
    if taken > intent.amount_capturable_minor:
        raise InvalidRequestError(
            "amount_to_capture is larger than what can be captured.",
            code="amount_too_large",
            param="amount_to_capture",
        )
    left = 0 if final else intent.amount_capturable_minor - taken
    return msgspec.structs.replace(
        stepped(intent, "capture_part" if left else "capture"),
        amount_received_minor=intent.amount_received_minor + taken,
        amount_capturable_minor=left,
        capture_due_us=intent.capture_due_us if left else None,
    )


def later_capture_failed(intent: Intent, amount_minor: int) -> Intent:
    """A capture was refused, and with it the rest: what was captured before is all that is received."""
    after = intent if intent.status == "succeeded" else stepped(intent, "release")
    return msgspec.structs.replace(
        after,
        amount_received_minor=intent.amount_received_minor - amount_minor,
        amount_capturable_minor=0,
        capture_due_us=None,
    )


def capture_failed(intent: Intent, error: PaymentError) -> Intent:
    """The capture was refused for good: nothing was taken, and another payment method may be tried."""
    outcome = intent.outcome and msgspec.structs.replace(
        intent.outcome,
        type="issuer_declined",
        network_status="reversed_after_approval",
        seller_message="The network refused the capture; the authorization was given back.",
    )
    return msgspec.structs.replace(
        stepped(intent, "fail_capture"),
        token=None,
        outcome=outcome,
        last_error=error,
        amount_received_minor=0,
        amount_capturable_minor=0,
        capture_due_us=None,
        # Nothing is captured any more, so there is nothing left for a person to refund.
        refund_owed=False,
    )


def canceled(intent: Intent, reason: str | None, at_us: int) -> Intent:
    """Given up before the end, by whoever; what was authorized is released.

    Where a part was captured, that stands: the payment has succeeded with it.
    """
    in_part = bool(intent.amount_received_minor) and intent.status == "requires_capture"
    return msgspec.structs.replace(
        stepped(intent, "release" if in_part else "cancel"),
        cancellation_reason=reason,
        canceled_us=None if in_part else at_us,
        amount_capturable_minor=0,
        capture_due_us=None,
    )
