"""Charges: each attempt to take an intent's money, as a merchant reads it. Pure.

A charge is nothing of its own: its state is the attempt's phase, its outcome the attempt's, its amounts the
intent's as long as no later attempt took over.
"""

from typing import Literal, NamedTuple

import msgspec

from events.vocabulary import Mode
from gateway.payments.intents import Attempt, Intent, PaymentError, PaymentOutcome
from gateway.payments.steps import WAITING, Phase

ChargeStatus = Literal["pending", "succeeded", "failed"]
ChargeState = Literal["pending", "authorized", "captured", "failed", "refunded", "chargeback"]

_HELD: tuple[Phase, ...] = ("authorized", "incrementing")
_GIVEN_UP: tuple[Phase, ...] = ("voiding", "voided")
_OVER: tuple[Phase, ...] = ("capturing", "captured", *_GIVEN_UP)
"""Phases of an attempt that may have given something back."""

DISPUTES = ("fraud_dispute", "other_dispute")
"""Kinds of labels that say that the shopper's bank took the money back."""


class KeptCharge(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a charge besides its attempt.

    `payment_method` is what was named to pay: of a card that is kept for a customer not its token.
    """

    id: str
    payment_id: str
    number: int
    merchant_id: str
    mode: Mode
    amount_minor: int
    created_us: int
    payment_method: str | None = None
    outcome: PaymentOutcome | None = None
    error: PaymentError | None = None


class Charge(NamedTuple):
    """A charge with all that it is told from."""

    kept: KeptCharge
    intent: Intent
    attempt: Attempt
    payment_disputed: bool

    @property
    def disputed(self) -> bool:
        """Whether a dispute was reported of what this attempt took; where it took nothing, there is none."""
        return self.payment_disputed and self.captured_minor > 0

    @property
    def is_latest(self) -> bool:
        """Whether the intent's amounts, outcome and error are this charge's."""
        return self.kept.number == self.intent.attempts

    @property
    def outcome(self) -> PaymentOutcome | None:
        """How risk and network answered."""
        return self.intent.outcome if self.is_latest else self.kept.outcome

    @property
    def error(self) -> PaymentError | None:
        """Why it failed, as a payer may read it."""
        return self.intent.last_error if self.is_latest else self.kept.error

    @property
    def captured_minor(self) -> int:
        """What was taken, or is about to be."""
        return self.intent.amount_received_minor if self.is_latest else 0

    @property
    def refunded_minor(self) -> int:
        """What was given back, with all that was authorized and not captured once that is over, as at
        Stripe: by a cancellation, by the last capture or at its expiry."""
        return self._given_back_minor + self._released_minor

    @property
    def is_refunded(self) -> bool:
        """Whether the payer has paid nothing: all that was captured was given back, or all was voided."""
        if self.captured_minor:
            return self._given_back_minor >= self.captured_minor
        return self.is_voided

    @property
    def is_voided(self) -> bool:
        """Whether what was authorized and not captured was given up."""
        return self.attempt.phase in _GIVEN_UP and self.was_authorized

    @property
    def capture_before_us(self) -> int | None:
        """Until when it can be captured; None where it can't be, or was."""
        return self.attempt.expires_us if self.attempt.phase in _HELD else None

    @property
    def _released_minor(self) -> int:
        """What was promised, and nobody can take any more."""
        if not self.was_authorized or self.attempt.phase not in _OVER:
            return 0
        still_held_minor = self.intent.amount_capturable_minor if self.is_latest else 0
        return self.kept.amount_minor - self.captured_minor - still_held_minor

    @property
    def _given_back_minor(self) -> int:
        return self.intent.amount_refunded_minor if self.is_latest else 0

    @property
    def was_authorized(self) -> bool:
        """Whether the issuer ever promised to pay, and the merchant did not let that lapse."""
        has_lapsed = self.attempt.phase in _GIVEN_UP and self.error is not None
        return self.attempt.approval_code is not None and not has_lapsed

    @property
    def state(self) -> ChargeState:
        """Where the money is."""
        if self.attempt.phase in ("assessing", *WAITING):
            return "pending"
        if self.attempt.phase in ("blocked", "declined", "capture_failed") or not self.was_authorized:
            return "failed"
        if self.disputed:
            return "chargeback"
        if self.is_refunded:
            return "refunded"
        return "authorized" if self.attempt.phase in _HELD else "captured"

    @property
    def status(self) -> ChargeStatus:
        """Stripe's word for it."""
        if self.state in ("pending", "failed"):
            return "pending" if self.state == "pending" else "failed"
        return "succeeded"


def charge_id(payment_id: str, number: int) -> str:
    """The charge of an intent's attempt.

    >>> charge_id("pi_7f", 2)
    'ch_7f_2'
    """
    return f"ch_{payment_id.removeprefix('pi_')}_{number}"


def latest_charge_id(intent: Intent) -> str | None:
    """The charge of the latest attempt, None before the first."""
    return charge_id(intent.id, intent.attempts) if intent.attempts else None


def receipt_number(kept: KeptCharge) -> str:
    """What a receipt is called: eight signs of the payment's id, and the attempt's number.

    >>> receipt_number(KeptCharge(id="ch_3f9a01b27c_1", payment_id="pi_3f9a01b27c", number=1, merchant_id="m",
    ...                           mode="test", amount_minor=1, created_us=0))
    '9A01B27C-1'
    """
    return f"{kept.payment_id[-8:].upper()}-{kept.number}"
