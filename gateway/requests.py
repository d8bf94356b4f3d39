"""Bodies of the HTTP API as strict structs: unknown members, wrong types and absurd sizes are refused."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from events.errors import MoneyError
from events.money import AMOUNT_MINOR_MAX, exponent
from events.vocabulary import PaymentMethodType, ReportedKind
from gateway.errors import InvalidRequestError
from gateway.method_requests import FutureUsage, MandateData, PaymentMethodData, PaymentMethodOptions
from gateway.payments.steps import Status
from gateway.request_members import (
    Body,
    Currency,
    Email,
    EmailOrNothing,
    Identifier,
    IpAddress,
    Metadata,
    Moment,
    Paging,
    ReturnUrl,
    Text,
)
from gateway.risk_context import Address as Address
from gateway.risk_context import Item as Item
from gateway.risk_context import RiskContextInput as RiskContextInput

# `\Z` in all of these, as `$` would let a last newline through.
AmountMinor = Annotated[int, Meta(gt=0, le=AMOUNT_MINOR_MAX)]
Source = Annotated[
    str, Meta(pattern=r"^[A-Za-z0-9_.:-]{1,64}\Z", description="1 to 64 letters, digits and any of _ . : -")
]


Description = Annotated[str, Meta(max_length=1000)]
StatementDescriptor = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z][A-Za-z0-9 .,&+/-]{0,21}\Z",
        description="1 to 22 letters, digits, spaces and any of . , & + / -, a letter first",
    ),
]
ClientSecret = Annotated[str, Meta(min_length=1, max_length=200)]


_WAY = r"^[a-z_]{1,40}(\.[a-z_]{1,40}){0,3}\Z"
IntentWay = Annotated[str, Meta(pattern=_WAY, description="a way from a payment intent")]
ChargeWay = Annotated[str, Meta(pattern=_WAY, description="a way from a charge")]
ReviewWay = Annotated[str, Meta(pattern=_WAY, description="a way from a review")]
ListedIntentWay = Annotated[str, Meta(pattern=_WAY, description="a way from a list of payment intents")]
ListedChargeWay = Annotated[str, Meta(pattern=_WAY, description="a way from a list of charges")]
ListedReviewWay = Annotated[str, Meta(pattern=_WAY, description="a way from a list of reviews")]
_AtMostFive = Meta(max_length=5)
ExpandIntent = Annotated[list[IntentWay], _AtMostFive]
ExpandCharge = Annotated[list[ChargeWay], _AtMostFive]
ExpandReview = Annotated[list[ReviewWay], _AtMostFive]


class AutomaticMethods(Body, frozen=True, kw_only=True):
    """Whether all that is there for the currency may pay, as it may unless types are named."""

    enabled: bool
    allow_redirects: Literal["always"] = "always"


class CreateIntent(Body, frozen=True, kw_only=True):
    """`POST /v1/payment_intents`."""

    amount: AmountMinor
    currency: Currency
    automatic_payment_methods: AutomaticMethods | None = None
    capture_method: Literal["automatic", "manual"] = "automatic"
    capture_delay_hours: Annotated[int, Meta(ge=1, le=144)] | None = None
    confirm: bool = False
    confirmation_method: Literal["automatic", "manual"] = "automatic"
    payment_method: Identifier | None = None
    payment_method_data: PaymentMethodData | None = None
    payment_method_options: PaymentMethodOptions | None = None
    payment_method_types: Annotated[list[PaymentMethodType], Meta(min_length=1, max_length=4)] | None = None
    return_url: ReturnUrl | None = None
    setup_future_usage: FutureUsage | None = None
    off_session: bool = False
    mandate_data: MandateData | None = None
    customer: Text | None = None
    description: Description | None = None
    receipt_email: Email | None = None
    statement_descriptor: StatementDescriptor | None = None
    metadata: Metadata = msgspec.field(default_factory=dict)
    risk_context: RiskContextInput | None = None
    expand: ExpandIntent | None = None


class ConfirmIntent(Body, frozen=True, kw_only=True):
    """`POST /v1/payment_intents/{id}/confirm`; `risk_context` replaces the one given at creation."""

    payment_method: Identifier | None = None
    payment_method_data: PaymentMethodData | None = None
    payment_method_options: PaymentMethodOptions | None = None
    return_url: ReturnUrl | None = None
    setup_future_usage: FutureUsage | None = None
    off_session: bool = False
    mandate_data: MandateData | None = None
    receipt_email: Email | None = None
    risk_context: RiskContextInput | None = None
    client_secret: ClientSecret | None = None
    expand: ExpandIntent | None = None


class UpdateIntent(Body, frozen=True, kw_only=True):
    """`POST /v1/payment_intents/{id}`; what is left out stays as it is."""

    amount: AmountMinor | None = None
    currency: Currency | None = None
    capture_method: Literal["automatic", "manual"] | None = None
    payment_method: Identifier | None = None
    payment_method_data: PaymentMethodData | None = None
    payment_method_options: PaymentMethodOptions | None = None
    payment_method_types: Annotated[list[PaymentMethodType], Meta(min_length=1, max_length=4)] | None = None
    setup_future_usage: FutureUsage | None = None
    customer: Text | None = None
    description: Description | None = None
    receipt_email: EmailOrNothing | None = None
    statement_descriptor: StatementDescriptor | None = None
    metadata: Metadata | Literal[""] | None = None
    expand: ExpandIntent | None = None


class RetrieveIntent(Body, frozen=True, kw_only=True):
    """`GET /v1/payment_intents/{id}`."""

    client_secret: ClientSecret | None = None
    expand: ExpandIntent | None = None


class CaptureIntent(Body, frozen=True, kw_only=True):
    """`POST /v1/payment_intents/{id}/capture`."""

    amount_to_capture: AmountMinor | None = None
    final_capture: bool = True
    expand: ExpandIntent | None = None


class IncrementIntent(Body, frozen=True, kw_only=True):
    """`POST /v1/payment_intents/{id}/increment_authorization`; `amount` is the new whole."""

    amount: AmountMinor
    expand: ExpandIntent | None = None


CancellationReason = Literal["duplicate", "fraudulent", "requested_by_customer", "abandoned"]


class CancelIntent(Body, frozen=True, kw_only=True):
    """`POST /v1/payment_intents/{id}/cancel`."""

    cancellation_reason: CancellationReason | None = None
    expand: ExpandIntent | None = None


class CloseReview(Body, frozen=True, kw_only=True):
    """`POST /v1/reviews/{id}/approve` and `…/reject`."""

    expand: ExpandReview | None = None


class AccountEvent(Body, frozen=True, kw_only=True):
    """`POST /v1/account_events`: a shopper signed in at the merchant, or failed to."""

    type: Literal["sign_in", "sign_in_failed"]
    customer: Text | None = None
    ip: IpAddress | None = None
    device_id: Text | None = None
    email: Email | None = None
    user_agent: Annotated[str, Meta(max_length=1000)] | None = None
    occurred_at: Moment | None = None


class SignInWith(Body, frozen=True, kw_only=True):
    """`POST /signin`: one of a merchant's own people."""

    username: Text
    password: Text

    def __repr__(self) -> str:
        return "SignInWith(…)"


class ReportLabel(Body, frozen=True, kw_only=True):
    """`POST /v1/labels`; `matured` is the platform's own and is not accepted."""

    payment_intent: Identifier
    kind: ReportedKind
    source: Source
    reported_at: Moment | None = None
    fraud: bool | None = None


class ListIntents(Paging, frozen=True, kw_only=True):
    """`GET /v1/payment_intents`."""

    customer: Text | None = None
    status: Status | None = None
    expand: Annotated[list[ListedIntentWay], _AtMostFive] | None = None


class SearchIntents(Body, frozen=True, kw_only=True):
    """`GET /v1/payment_intents/search`."""

    query: Annotated[str, Meta(min_length=1, max_length=1000)]
    limit: Annotated[int, Meta(ge=1, le=100)] = 10
    page: Identifier | None = None
    expand: Annotated[list[ListedIntentWay], _AtMostFive] | None = None


class ListCharges(Paging, frozen=True, kw_only=True):
    """`GET /v1/charges`."""

    customer: Text | None = None
    payment_intent: Identifier | None = None
    expand: Annotated[list[ListedChargeWay], _AtMostFive] | None = None


class RetrieveCharge(Body, frozen=True, kw_only=True):
    """`GET /v1/charges/{id}`."""

    expand: ExpandCharge | None = None


class RetrieveReview(Body, frozen=True, kw_only=True):
    """`GET /v1/reviews/{id}`."""

    expand: ExpandReview | None = None


class ListReviews(Paging, frozen=True, kw_only=True):
    """`GET /v1/reviews`; `open` true: only those that wait for a person; false: only those that do not."""

    open: bool | None = None
    expand: Annotated[list[ListedReviewWay], _AtMostFive] | None = None


def known_currency(code: str) -> str:
    """The code in capitals; raises `InvalidRequestError`."""
    currency = code.upper()
    try:
        exponent(currency)
    except MoneyError:
        raise InvalidRequestError(
            "currency: this is not an ISO 4217 currency.", code="currency_invalid", param="currency"
        ) from None
    return currency
