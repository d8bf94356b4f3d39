"""The OpenAPI document of the listener that takes card numbers: its operations, with an example of each."""

from functools import cache
from typing import Any, Literal

import msgspec

from events.vocabulary import Funding
from gateway.errors import CardDataError, NotFoundError
from gateway.http.decoding import JSON
from gateway.http.openapi import document as made
from gateway.http.operations import (
    HEALTH,
    IDEMPOTENCY_KEY,
    SECURITY,
    TEST_TIME,
    Interface,
    Operation,
    Problem,
)
from gateway.pay_port import PayAnswer
from gateway.people.errors import InvalidTokenError, RateLimitedError, WrongMerchantError
from gateway.processor.card_input import CARD_BODY_BYTES_MAX, CardInput, TokenInput
from gateway.processor.errors import CardInputError
from gateway.processor.pay_input import PAY_BODY_BYTES_MAX, PayCard, PayInput
from gateway.processor.rail_notices import NOTICE_BYTES_MAX
from gateway.processor_port import AnswerChanged


class TokenCard(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The card behind a token, as everyone may know it."""

    object: Literal["card"]
    brand: str
    last4: str
    exp_month: int
    exp_year: int
    funding: Funding
    country: str | None


class Token(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands for a card."""

    id: str
    object: Literal["token"]
    type: Literal["card"]
    created: int
    livemode: bool
    used: bool
    card: TokenCard


class Done(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """It is well."""

    status: Literal["ok"]


Page = str
"""What a cardholder's browser shows."""

_INCORRECT_NUMBER = CardInputError("incorrect_number", "The card number is incorrect.", "number")

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        "POST",
        "/v1/tokens",
        "Make a token of a card",
        Token,
        TokenInput,
        headers=(TEST_TIME,),
        refusals=(_INCORRECT_NUMBER,),
        body_bytes_max=CARD_BODY_BYTES_MAX,
    ),
    Operation(
        "POST",
        "/pay",
        "Pay in one call, for who signed in",
        PayAnswer,
        PayInput,
        headers=(IDEMPOTENCY_KEY,),
        refusals=(CardDataError(),),
        in_its_words={
            error: PayAnswer(status="declined", reason=error.code, message=error.message)
            for error in (InvalidTokenError(), WrongMerchantError(), RateLimitedError())
        },
        security=("access_token",),
        media=(JSON,),
        body_bytes_max=PAY_BODY_BYTES_MAX,
    ),
    Operation(
        "GET",
        "/payer/{id}",
        "Where a cardholder comes back to from the issuer's page",
        Page,
        refusals=(NotFoundError(),),
        security=(),
        answer_media="text/html",
        leads_to="The shop's own page, once the payment has its end.",
    ),
    Operation(
        "POST",
        "/rails/notices",
        "Say that an account's order has changed; nothing in it is believed, the rails are asked",
        Done,
        AnswerChanged,
        refusals=(RateLimitedError(),),
        security=(),
        media=(JSON,),
        body_bytes_max=NOTICE_BYTES_MAX,
    ),
    Operation("GET", HEALTH, "Whether the program answers", Done, security=()),
)

_EXAMPLES: dict[Any, Any] = {
    TokenInput: TokenInput(
        card=CardInput(number="4242 4242 4242 4242", exp_month=12, exp_year=2031, cvc="123")
    ),
    Token: Token(
        id="tok_0a1b2c3d",
        object="token",
        type="card",
        created=1_767_607_200,
        livemode=False,
        used=False,
        card=TokenCard(
            object="card",
            brand="visa",
            last4="4242",
            exp_month=12,
            exp_year=2031,
            funding="credit",
            country="US",
        ),
    ),
    PayInput: PayInput(
        method="credit_card",
        merchant_id="acct_first",
        amount=msgspec.Raw(b"19.99"),
        currency="EUR",
        card=PayCard(number="4242424242424242", expiry="12/31", cvv="123"),
    ),
    PayAnswer: PayAnswer(status="approved", auth_id="pi_0a1b2c3d_1", payment_intent="pi_0a1b2c3d"),
    AnswerChanged: AnswerChanged(attempt_id="pi_0a1b2c3d_1"),
    Done: Done(status="ok"),
}

_PROCESSOR = Interface(
    title="Weir cards",
    description="The listener that takes card numbers; in words: docs/api.md. Everything else has the API's "
    "address.",
    operations=OPERATIONS,
    examples=_EXAMPLES,
    problem=Problem,
    security={
        **SECURITY,
        "access_token": {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": "JWT",
            "description": "What `POST /signin` of the API was answered with.",
        },
    },
)


@cache
def document() -> bytes:
    """The document as JSON."""
    return made(_PROCESSOR)
