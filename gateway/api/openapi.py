"""The API's OpenAPI document: its operations, which tests hold to the routes that are served, and fuzz."""

from functools import cache
from typing import Any

import msgspec

from gateway import method_requests, requests
from gateway.api import resources
from gateway.api.examples import ANSWERS, DECLINED_INTENT, REQUESTS
from gateway.api.expanding import ways_from, ways_from_list
from gateway.api.signing_in import SIGN_IN_BODY_BYTES_MAX
from gateway.errors import CardDataError, CardDeclinedError, GatewayError, NotFoundError
from gateway.http.openapi import document as made
from gateway.http.operations import HEALTH, IDEMPOTENCY_KEY, TEST_TIME, Interface, Operation
from gateway.payments.outcomes import payment_error
from gateway.people.errors import ForbiddenError, RateLimitedError, WrongCredentialsError

_INTENTS, _METHODS, _REVIEWS = "/v1/payment_intents", "/v1/payment_methods", "/v1/reviews"

_WITHIN = (NotFoundError(), CardDataError())
_NOT_ACTIVE = ForbiddenError(
    "This merchant is pending, and takes no live payments.", code="merchant_not_active"
)
_WHY = payment_error("insufficient_funds")
_DECLINED = CardDeclinedError(
    _WHY.message,
    code=_WHY.code,
    decline_code=_WHY.decline_code,
    payment_intent=msgspec.to_builtins(DECLINED_INTENT),
)


def _get(path: str, summary: str, answer: Any, query: type[msgspec.Struct] | None = None) -> Operation:
    return Operation("GET", path, summary, answer, query=query, headers=(TEST_TIME,), refusals=_WITHIN)


def _post(
    path: str, summary: str, answer: Any, body: type[msgspec.Struct], *refusals: GatewayError
) -> Operation:
    return Operation(
        "POST",
        path,
        summary,
        answer,
        body,
        headers=(IDEMPOTENCY_KEY, TEST_TIME),
        refusals=(*_WITHIN, *refusals),
    )


_TAKING = (_DECLINED, _NOT_ACTIVE)

_EXPANDED = {"payment intent": "payment_intent", "charge": "charge", "review": "review"}
"""Resources from which there are ways to others, as they are worded and named."""

OPERATIONS: tuple[Operation, ...] = (
    _post(
        _INTENTS,
        "Create a payment intent, and confirm it where asked to",
        resources.PaymentIntent,
        requests.CreateIntent,
        *_TAKING,
    ),
    _get(_INTENTS, "List them", resources.Page[resources.PaymentIntent], requests.ListIntents),
    _get(
        f"{_INTENTS}/search",
        "Search them",
        resources.Found[resources.PaymentIntent],
        requests.SearchIntents,
    ),
    _get(f"{_INTENTS}/{{id}}", "Retrieve one", resources.PaymentIntent, requests.RetrieveIntent),
    _post(f"{_INTENTS}/{{id}}", "Change one", resources.PaymentIntent, requests.UpdateIntent, _NOT_ACTIVE),
    _post(
        f"{_INTENTS}/{{id}}/confirm",
        "Pay: assess, authorize and, unless told otherwise, capture",
        resources.PaymentIntent,
        requests.ConfirmIntent,
        *_TAKING,
    ),
    _post(f"{_INTENTS}/{{id}}/capture", "Capture", resources.PaymentIntent, requests.CaptureIntent),
    _post(
        f"{_INTENTS}/{{id}}/increment_authorization",
        "Have more authorized",
        resources.PaymentIntent,
        requests.IncrementIntent,
        *_TAKING,
    ),
    _post(f"{_INTENTS}/{{id}}/cancel", "Cancel", resources.PaymentIntent, requests.CancelIntent),
    _post(_METHODS, "Keep what pays under an id", resources.PaymentMethod, method_requests.PaymentMethodData),
    _get(
        _METHODS,
        "List a customer's",
        resources.Page[resources.PaymentMethod],
        method_requests.ListPaymentMethods,
    ),
    _get(f"{_METHODS}/{{id}}", "Retrieve a payment method", resources.PaymentMethod),
    _post(
        f"{_METHODS}/{{id}}/attach",
        "Keep it for a customer",
        resources.PaymentMethod,
        method_requests.AttachPaymentMethod,
    ),
    _post(
        f"{_METHODS}/{{id}}/detach",
        "Let nobody pay with it any more",
        resources.PaymentMethod,
        method_requests.DetachPaymentMethod,
    ),
    _get("/v1/charges", "List charges", resources.Page[resources.Charge], requests.ListCharges),
    _get("/v1/charges/{id}", "Retrieve a charge", resources.Charge, requests.RetrieveCharge),
    _get(_REVIEWS, "List reviews", resources.Page[resources.Review], requests.ListReviews),
    _get(f"{_REVIEWS}/{{id}}", "Retrieve a review", resources.Review, requests.RetrieveReview),
    _post(f"{_REVIEWS}/{{id}}/approve", "Lift the hold", resources.Review, requests.CloseReview),
    _post(f"{_REVIEWS}/{{id}}/reject", "Void the payment", resources.Review, requests.CloseReview),
    _post("/v1/account_events", "Report a sign-in", resources.SignIn, requests.AccountEvent),
    _post("/v1/labels", "Say what a payment was", resources.Label, requests.ReportLabel),
    Operation(
        "POST",
        "/signin",
        "Sign in",
        resources.AccessToken,
        requests.SignInWith,
        refusals=(WrongCredentialsError(), CardDataError(), RateLimitedError()),
        security=(),
        body_bytes_max=SIGN_IN_BODY_BYTES_MAX,
    ),
    Operation("GET", HEALTH, "Whether the program answers", resources.Health, security=()),
)

_WAYS = {
    **{f"a way from a {kind}": ways_from(name) for kind, name in _EXPANDED.items()},
    **{f"a way from a list of {kind}s": ways_from_list(name) for kind, name in _EXPANDED.items()},
}

_API = Interface(
    title="Weir",
    description="Payments, scored for fraud while the customer waits; in words: docs/api.md. Card numbers go "
    "to another listener, which has a document of its own.",
    operations=OPERATIONS,
    examples={**ANSWERS, **REQUESTS},
    problem=resources.Problem,
    narrowed={meaning: {"type": "string", "enum": [*ways]} for meaning, ways in _WAYS.items()},
)


@cache
def document() -> bytes:
    """The document as JSON."""
    return made(_API)
