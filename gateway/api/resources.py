"""The shapes of the API's answers, as its OpenAPI document declares them.

Members that may be missing in a resource are null there, never absent. `gateway.api.presenting` fills them; a
test holds the two to each other, and every fuzzed answer is checked against what is declared here.
"""

from datetime import datetime
from typing import Generic, Literal, TypeVar

import msgspec

from events.vocabulary import Funding, PaymentMethodType, ReportedKind
from gateway.http.operations import Error as PlainError
from gateway.http.operations import Problem as PlainProblem
from gateway.method_requests import FutureUsage, PaymentMethodOptions, Redisplay
from gateway.payments.charges import ChargeState, ChargeStatus
from gateway.payments.intents import CaptureMethod, ConfirmationMethod, PaymentError, PaymentOutcome
from gateway.payments.partial_authorizations import PartialStatus
from gateway.payments.steps import Status

T = TypeVar("T")


class Resource(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every answer obeys: these members, and no others."""


class Redirection(Resource, frozen=True, kw_only=True):
    """Where the payer goes, and comes back to."""

    url: str
    return_url: str | None


class AppRequest(Resource, frozen=True, kw_only=True):
    """A request that waits in the payer's UPI app."""

    app_url: str
    expires_at: int


class QrCode(Resource, frozen=True, kw_only=True):
    """What the code holds."""

    data: str | None
    expires_at: int


class AppLink(Resource, frozen=True, kw_only=True):
    """How the payer's UPI app is opened."""

    hosted_instructions_url: str
    mobile_auth_url: str | None
    qr_code: QrCode


class NextAction(Resource, frozen=True, kw_only=True):
    """What the payer has to do."""

    type: Literal["redirect_to_url", "upi_await_notification", "upi_handle_redirect_or_display_qr_code"]
    redirect_to_url: Redirection | None
    upi_await_notification: AppRequest | None
    upi_handle_redirect_or_display_qr_code: AppLink | None


class PaymentIntent(Resource, frozen=True, kw_only=True):
    """A payment as its merchant sees it. Amounts are minor units, times Unix seconds."""

    id: str
    object: Literal["payment_intent"]
    amount: int
    amount_capturable: int
    amount_received: int
    amount_refunded: int
    cancellation_reason: str | None
    canceled_at: int | None
    capture_at: int | None
    capture_delay_hours: int | None
    capture_method: CaptureMethod
    client_secret: str | None
    confirmation_method: ConfirmationMethod
    created: int
    currency: str
    customer: str | None
    description: str | None
    last_payment_error: PaymentError | None
    latest_charge: "str | Charge | None"
    livemode: bool
    metadata: dict[str, str]
    next_action: NextAction | None
    not_assessed: bool
    outcome: PaymentOutcome | None
    payment_method: "str | PaymentMethod | None"
    payment_method_options: PaymentMethodOptions
    payment_method_types: list[PaymentMethodType]
    receipt_email: str | None
    refund_owed: bool
    review: "str | Review | None"
    setup_future_usage: FutureUsage | None
    statement_descriptor: str | None
    status: Status


class CardDetails(Resource, frozen=True, kw_only=True):
    """A card as everyone may know it."""

    brand: str
    country: str | None
    exp_month: int
    exp_year: int
    funding: Funding
    last4: str


class UpiDetails(Resource, frozen=True, kw_only=True):
    """A UPI address; null where the payer's app will say it, or once the person is erased."""

    vpa: str | None


class WalletDetails(Resource, frozen=True, kw_only=True):
    """A wallet at its provider."""

    provider: str
    wallet_id: str | None


class NetbankingDetails(Resource, frozen=True, kw_only=True):
    """A bank, and how the account's number ends."""

    bank: str
    last4: str | None


class PaymentMethod(Resource, frozen=True, kw_only=True):
    """What pays, once or again."""

    id: str
    object: Literal["payment_method"]
    allow_redisplay: Redisplay
    created: int
    customer: str | None
    livemode: bool
    metadata: dict[str, str]
    type: PaymentMethodType
    card: CardDetails | None
    upi: UpiDetails | None
    wallet: WalletDetails | None
    netbanking: NetbankingDetails | None


class Review(Resource, frozen=True, kw_only=True):
    """A payment whose capture waits for a person."""

    id: str
    object: Literal["review"]
    closed_at: int | None
    closed_reason: str | None
    created: int
    expires_at: int | None
    livemode: bool
    open: bool
    payment_intent: "str | PaymentIntent"
    reason: str
    opened_reason: str


class PartialAuthorization(Resource, frozen=True, kw_only=True):
    """What came of asking for a part."""

    status: PartialStatus


class ChargeCard(CardDetails, frozen=True, kw_only=True):
    """A card that was charged; `authorization_code` is the issuer's."""

    amount_authorized: int | None
    amount_requested: int | None
    partial_authorization: PartialAuthorization
    authorization_code: str | None


class ChargeAccount(Resource, frozen=True, kw_only=True):
    """An account that was charged."""

    authorization_code: str | None
    provider: str
    last4: str | None


class ChargeDetails(Resource, frozen=True, kw_only=True):
    """How it was paid: of `card` and `account` the one that it is."""

    type: PaymentMethodType
    card: ChargeCard | None
    account: ChargeAccount | None


class Charge(Resource, frozen=True, kw_only=True):
    """One attempt to take an intent's money, with what a receipt says."""

    id: str
    object: Literal["charge"]
    amount: int
    amount_captured: int
    amount_refunded: int
    capture_before: int | None
    captured: bool
    created: int
    currency: str
    customer: str | None
    description: str | None
    disputed: bool
    failure_code: str | None
    failure_message: str | None
    livemode: bool
    metadata: dict[str, str]
    outcome: PaymentOutcome | None
    paid: bool
    payment_intent: "str | PaymentIntent"
    payment_method: "str | PaymentMethod"
    payment_method_details: ChargeDetails
    receipt_email: str | None
    receipt_number: str
    refunded: bool
    review: "str | Review | None"
    state: ChargeState
    statement_descriptor: str | None
    status: ChargeStatus


class Label(Resource, frozen=True, kw_only=True):
    """What somebody said that a payment was."""

    id: str
    object: Literal["label"]
    fraud: bool | None
    kind: ReportedKind
    payment_intent: str
    reported_at: datetime
    source: str


class SignIn(Resource, frozen=True, kw_only=True):
    """A shopper's sign-in, or failure to sign in."""

    id: str
    object: Literal["account_event"]
    occurred_at: datetime
    type: Literal["sign_in", "sign_in_failed"]


class AccessToken(Resource, frozen=True, kw_only=True):
    """What a merchant's own people get for name and password: a JSON Web Token."""

    token: str


class Page(Resource, Generic[T], frozen=True, kw_only=True):
    """A page of resources, newest first, and whether more follow."""

    object: Literal["list"]
    data: list[T]
    has_more: bool
    url: str


class Found(Resource, Generic[T], frozen=True, kw_only=True):
    """A page of what a search found, newest first; `next_page` is the `page` of the next one."""

    object: Literal["search_result"]
    data: list[T]
    has_more: bool
    next_page: str | None
    url: str


class Error(PlainError, frozen=True, kw_only=True, omit_defaults=True):
    """Stripe's `error` member; of a declined card with the intent as it now stands."""

    charge: str = ""
    payment_intent: PaymentIntent | None = None


class Problem(PlainProblem, frozen=True, kw_only=True):
    """A problem document, which of a declined card holds the intent."""

    error: Error


class Health(Resource, frozen=True, kw_only=True):
    """The program answers."""

    status: Literal["ok"]
