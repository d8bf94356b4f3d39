"""An example of each request and each answer of the API, as its OpenAPI document shows them.

They are the structs themselves, so that types hold them; a test asks each of a served API.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec

from gateway import method_requests, request_members, requests
from gateway.api import resources
from gateway.payments.intents import PaymentOutcome
from gateway.payments.outcomes import payment_error

_CREATED = 1_767_607_200
_AT = datetime(2026, 1, 5, 10, tzinfo=UTC)
_INTENT, _CHARGE, _METHOD, _REVIEW = "pi_0a1b2c3d", "ch_0a1b2c3d_1", "pm_0a1b2c3d", "prv_0a1b2c3d"

OUTCOME = PaymentOutcome(
    type="authorized",
    network_status="approved_by_network",
    risk_level="normal",
    risk_score=10,
    seller_message="No reason to hold it.",
)
INTENT = resources.PaymentIntent(
    id=_INTENT,
    object="payment_intent",
    amount=1999,
    amount_capturable=0,
    amount_received=1999,
    amount_refunded=0,
    cancellation_reason=None,
    canceled_at=None,
    capture_at=None,
    capture_delay_hours=None,
    capture_method="automatic",
    client_secret=f"{_INTENT}_secret_4e5f6a7b",
    confirmation_method="automatic",
    created=_CREATED,
    currency="eur",
    customer="c-17",
    description=None,
    last_payment_error=None,
    latest_charge=_CHARGE,
    livemode=False,
    metadata={"order": "7"},
    next_action=None,
    not_assessed=False,
    outcome=OUTCOME,
    payment_method=_METHOD,
    payment_method_options=method_requests.PaymentMethodOptions(
        card=method_requests.CardOptions(request_partial_authorization="never")
    ),
    payment_method_types=["card", "wallet"],
    receipt_email="ada@example.com",
    refund_owed=False,
    review=None,
    setup_future_usage=None,
    statement_descriptor=None,
    status="succeeded",
)
DECLINED_INTENT = msgspec.structs.replace(
    INTENT,
    amount_received=0,
    last_payment_error=payment_error("insufficient_funds"),
    outcome=PaymentOutcome(
        type="issuer_declined",
        network_status="declined_by_network",
        risk_level="normal",
        risk_score=10,
        seller_message="The issuer declined it.",
        advice_code="try_again_later",
    ),
    status="requires_payment_method",
)
METHOD = resources.PaymentMethod(
    id=_METHOD,
    object="payment_method",
    allow_redisplay="unspecified",
    created=_CREATED,
    customer="c-17",
    livemode=False,
    metadata={},
    type="card",
    card=resources.CardDetails(
        brand="visa", country="US", exp_month=12, exp_year=2031, funding="credit", last4="4242"
    ),
    upi=None,
    wallet=None,
    netbanking=None,
)
CHARGE = resources.Charge(
    id=_CHARGE,
    object="charge",
    amount=1999,
    amount_captured=1999,
    amount_refunded=0,
    capture_before=None,
    captured=True,
    created=_CREATED,
    currency="eur",
    customer="c-17",
    description=None,
    disputed=False,
    failure_code=None,
    failure_message=None,
    livemode=False,
    metadata={"order": "7"},
    outcome=OUTCOME,
    paid=True,
    payment_intent=_INTENT,
    payment_method=_METHOD,
    payment_method_details=resources.ChargeDetails(
        type="card",
        card=resources.ChargeCard(
            brand="visa",
            country="US",
            exp_month=12,
            exp_year=2031,
            funding="credit",
            last4="4242",
            authorization_code="042531",
            amount_authorized=1999,
            amount_requested=None,
            partial_authorization=resources.PartialAuthorization(status="not_requested"),
        ),
        account=None,
    ),
    receipt_email="ada@example.com",
    receipt_number="0A1B2C3D-1",
    refunded=False,
    review=None,
    state="captured",
    statement_descriptor=None,
    status="succeeded",
)
REVIEW = resources.Review(
    id=_REVIEW,
    object="review",
    closed_at=None,
    closed_reason=None,
    created=_CREATED,
    expires_at=_CREATED + 6 * 86_400,
    livemode=False,
    open=True,
    payment_intent=_INTENT,
    reason="elevated_risk_level",
    opened_reason="elevated_risk_level",
)

ANSWERS: Mapping[Any, Any] = {
    resources.PaymentIntent: INTENT,
    resources.Page[resources.PaymentIntent]: resources.Page(
        object="list", data=[INTENT], has_more=False, url="/v1/payment_intents"
    ),
    resources.Found[resources.PaymentIntent]: resources.Found(
        object="search_result",
        data=[INTENT],
        has_more=False,
        next_page=None,
        url="/v1/payment_intents/search",
    ),
    resources.PaymentMethod: METHOD,
    resources.Page[resources.PaymentMethod]: resources.Page(
        object="list", data=[METHOD], has_more=False, url="/v1/payment_methods"
    ),
    resources.Charge: CHARGE,
    resources.Page[resources.Charge]: resources.Page(
        object="list", data=[CHARGE], has_more=False, url="/v1/charges"
    ),
    resources.Review: REVIEW,
    resources.Page[resources.Review]: resources.Page(
        object="list", data=[REVIEW], has_more=False, url="/v1/reviews"
    ),
    resources.SignIn: resources.SignIn(
        id="019b0000-0000-7000-8000-000000000001",
        object="account_event",
        occurred_at=_AT,
        type="sign_in_failed",
    ),
    resources.Label: resources.Label(
        id="lbl_0a1b2c3d",
        object="label",
        fraud=True,
        kind="fraud_dispute",
        payment_intent=_INTENT,
        reported_at=_AT,
        source="bank",
    ),
    resources.AccessToken: resources.AccessToken(
        token="eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl"  # noqa: S106  # nobody's
    ),
    resources.Health: resources.Health(status="ok"),
}

REQUESTS: Mapping[Any, Any] = {
    one.__class__: one
    for one in (
        requests.CreateIntent(
            amount=1999,
            currency="eur",
            customer="c-17",
            metadata={"order": "7"},
            risk_context=requests.RiskContextInput(
                ip="192.0.2.7",
                device_id="device-1",
                email="ada@example.com",
                billing_address=requests.Address(country="US"),
                items=[requests.Item(description="tea", quantity=2, amount=450)],
            ),
        ),
        requests.ListIntents(limit=3, created=request_members.CreatedRange(gte=_CREATED), status="succeeded"),
        requests.SearchIntents(query="status:'succeeded' AND metadata['order']:'7'"),
        requests.RetrieveIntent(expand=["latest_charge"]),
        requests.UpdateIntent(amount=2499, metadata={"order": "8"}),
        requests.ConfirmIntent(payment_method=_METHOD, return_url="https://shop.example/thanks"),
        requests.CaptureIntent(amount_to_capture=1000, final_capture=False),
        requests.IncrementIntent(amount=1499),
        requests.CancelIntent(cancellation_reason="requested_by_customer"),
        method_requests.PaymentMethodData(
            type="wallet", wallet=method_requests.WalletInput(wallet_id="w-7"), allow_redisplay="always"
        ),
        method_requests.ListPaymentMethods(customer="c-17", type="card"),
        method_requests.AttachPaymentMethod(customer="c-17"),
        method_requests.DetachPaymentMethod(),
        requests.RetrieveCharge(expand=["payment_intent"]),
        requests.RetrieveReview(expand=["payment_intent"]),
        requests.ListCharges(payment_intent=_INTENT),
        requests.ListReviews(open=True, limit=1),
        requests.CloseReview(),
        requests.AccountEvent(type="sign_in_failed", customer="c-17", ip="192.0.2.7"),
        requests.ReportLabel(payment_intent=_INTENT, kind="fraud_dispute", source="bank"),
        requests.SignInWith(username="ada", password="four words of it"),  # noqa: S106  # nobody's
    )
}
