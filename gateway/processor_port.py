"""What the API process and the processor say to each other, in both directions.

The API asks a `Processor` for authorizations, captures and reversals; the processor registers the tokens it
makes with a `TokenRegistry`. Over the network both are JSON over mutual TLS (each struct below is one body);
in a simulation one object is simply handed to the other.

| Call | Request | Answer |
|---|---|---|
| `POST /internal/authorizations` | `AuthorizationRequest` | `ProcessorAnswer` |
| `POST /internal/authorizations/{attempt_id}/capture` | `CaptureRequest` | `ProcessorAnswer` |
| `POST /internal/authorizations/{attempt_id}/reverse` | `ReversalRequest` | `ProcessorAnswer` |
| `GET /internal/authorizations/{attempt_id}` | | `ProcessorAnswer` (200 too when never heard of) |
| `POST /internal/tokens` (at the API) | `TokenRegistration` | 200 `TokenRegistered`, or 401 |

Every call is idempotent, so the API repeats one whenever it does not know what became of it.
"""

from datetime import datetime
from typing import Literal, Protocol

import msgspec

from events.vocabulary import Funding, Mode

AnswerStatus = Literal["approved", "declined", "captured", "reversed", "unknown"]
"""`unknown`: never heard of this attempt, or its end is still being found out: ask, or authorize, again."""

TestRisk = Literal["blocked", "highest", "elevated", "normal"]
"""What a documented test card asks of the risk decision, whatever the engine says (test mode only)."""


class AuthorizationRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt to authorize; `attempt_id` makes it idempotent for good, `occurred_at` is business time."""

    attempt_id: str
    token: str
    amount_minor: int
    currency: str
    merchant_id: str
    merchant_category: str | None = None
    merchant_country: str | None = None
    mode: Mode
    occurred_at: datetime


class CaptureRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Take `amount_minor` (at most what was authorized) once; what remains is released."""

    amount_minor: int
    occurred_at: datetime


class ReversalRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Give an authorization back."""

    occurred_at: datetime


class ProcessorAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Where an attempt stands.

    `decline_code` is one of `gateway.processor.declines` (`insufficient_funds`, …) or `processing_error`.
    `captured_minor` is what was captured so far. Nothing here holds card data.
    """

    attempt_id: str
    status: AnswerStatus
    decline_code: str | None = None
    approval_code: str | None = None
    network_reference: str | None = None
    captured_minor: int = 0


class Processor(Protocol):
    """Authorizes, captures and reverses by attempt id; survives being asked twice, late, or after a crash.

    Every method raises `ProcessorUnavailableError` (gateway.errors) where no answer came in time: then
    anything may have happened, and the caller asks again. Amounts are minor units of the attempt's currency.
    """

    async def authorize(self, request: AuthorizationRequest) -> ProcessorAnswer:
        """The attempt's answer; sent to the network at most once in effect per `attempt_id`.

        A repeated call gives the stored answer, or waits for the one under way, or `unknown` when the
        network's answer is still being found out. An attempt that was reversed before stays `reversed`.
        """
        ...

    async def capture(self, attempt_id: str, request: CaptureRequest) -> ProcessorAnswer:
        """`captured`, also when it already was; another amount the second time changes nothing.

        `unknown`, `declined` and `reversed` say that there is nothing to capture.
        """
        ...

    async def reverse(self, attempt_id: str, request: ReversalRequest) -> ProcessorAnswer:
        """`reversed`, for good: also for an attempt never heard of, which can then never be authorized.

        `declined` stays `declined`; `captured` stays `captured` (a refund is another thing).
        """
        ...

    async def find(self, attempt_id: str) -> ProcessorAnswer:
        """Where the attempt stands, without changing anything."""
        ...


class TokenRegistration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A token that the processor made, as everyone but the processor may know it.

    `api_key` is the shopper-facing request's key, which the API checks; `fingerprint` is the processor's
    keyed hash of the card number (the same for one number), from which the API makes its own surrogate.
    `brand` is lower case (`visa`), `issuer_country` ISO 3166 alpha-2.
    """

    api_key: str
    token: str
    fingerprint: str
    bin: str
    last4: str
    brand: str
    funding: Funding = "unknown"
    issuer_country: str | None = None
    exp_month: int
    exp_year: int
    test_risk: TestRisk | None = None


class TokenRegistered(msgspec.Struct, frozen=True, kw_only=True):
    """The API knows the token now; `merchant_id` and `mode` are those of the key."""

    merchant_id: str
    mode: Mode


class TokenRegistry(Protocol):
    """The API, as the processor sees it."""

    async def register(self, registration: TokenRegistration) -> TokenRegistered:
        """Bind a token to the merchant of its key, durably. Idempotent by token.

        Raises `AuthenticationError` (gateway.errors) for a key that is wrong or revoked, before the processor
        keeps anything of the card; `ApiUnavailableError` where no answer came in time.
        """
        ...
