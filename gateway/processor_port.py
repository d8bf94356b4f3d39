"""What the API process and the processor say to each other, in both directions.

The API asks a `Processor` for authorizations and what follows them; the processor registers the tokens it
makes with a `TokenRegistry`. Over the network these are calls of `gateway.link` (each struct below is JSON);
in a simulation one object is simply handed to the other.

| Method | Parameters | Result |
|---|---|---|
| `authorize` | `AuthorizationRequest` | `ProcessorAnswer` |
| `capture` | attempt id, `CaptureRequest` | `ProcessorAnswer` |
| `increment` | attempt id, `IncrementRequest` | `ProcessorAnswer` |
| `refund` | attempt id, `RefundRequest` | `ProcessorAnswer` |
| `reverse` | attempt id, `ReversalRequest` | `ProcessorAnswer` |
| `find` | attempt id | `ProcessorAnswer` (also when never heard of) |
| `answer_changed` (at the API) | `AnswerChanged` | nothing |
| `register` (at the API) | `TokenRegistration` | `TokenRegistered`, or an error with 401 or 429 |

Every call is idempotent, so the API repeats one whenever it does not know what became of it.
"""

from datetime import datetime
from typing import Annotated, Literal, Protocol

import msgspec

from events.vocabulary import AccountMethod, Funding, Mode
from gateway.request_members import Identifier

AnswerStatus = Literal["approved", "declined", "captured", "reversed", "action_required", "unknown"]
"""`unknown`: never heard of this attempt, or its end is still being found out: ask, or authorize, again.
`action_required`: the payer has to do something first; the processor finds out what came of it by itself."""

AuthenticationWish = Literal["none", "preferred", "required"]
"""Whether the payer is to be authenticated before the issuer is asked: `preferred` goes on where the issuer
takes no part, `required` (by law) does not. With `none` it happens where the issuer asks for it."""

AuthenticationResult = Literal["authenticated", "attempted", "failed", "abandoned", "not_supported", "error"]
"""`attempted`: the issuer could not, and stands in for it; `abandoned`: canceled, or never done in time;
`error`: nobody could be asked, or the issuers have lost what came of it."""

ActionKind = Literal["three_d_secure", "upi_collect", "upi_intent", "redirect"]
"""What a payer may have to do: be authenticated by the card's issuer, approve a request that is in the app
already, open the app by a link or a QR code, or pay on a wallet's or bank's own page."""

PAYER_SECONDS_MAX = 600
"""How long a payer may take, unless an action says otherwise."""

OperationId = Annotated[str, msgspec.Meta(min_length=1, max_length=100)]

OperationEnd = Literal["accepted", "refused"]
"""What became of a capture, increment or refund that was asked for."""

AdviceCode = Literal["do_not_try_again", "try_again_later", "confirm_card_data"]
"""What a merchant had better do after a decline, in Stripe's words."""

FIRST_CAPTURE = "1"
"""The id of an attempt's first capture; those of before captures had ids bear it too."""

TestRisk = Literal["blocked", "highest", "elevated", "normal"]
"""What a documented test card asks of the risk decision, whatever the engine says (test mode only)."""


class AccountToCharge(msgspec.Struct, frozen=True, kw_only=True):
    """An account that is no card. `handle` is the UPI address, the wallet's id or the account's number, empty
    where only the payer's own app or page knows it."""

    method: AccountMethod
    provider: str
    handle: str = ""

    def __repr__(self) -> str:
        return f"AccountToCharge({self.method!r}, {self.provider!r})"


class AuthorizationRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt to authorize; `attempt_id` makes it idempotent for good, `occurred_at` is business time.

    `partial_authorization`: less than the amount is welcome too. Without it an issuer's partial approval is
    given back, and the attempt declined with `insufficient_funds`.

    `return_url` is the merchant's page, to which a payer who was sent elsewhere comes back.
    `off_session`: nobody is there to be sent off; where that is needed, the attempt is declined with
    `authentication_required`.
    """

    attempt_id: str
    token: str
    amount_minor: int
    currency: str
    merchant_id: str
    merchant_name: str | None = None
    merchant_category: str | None = None
    merchant_country: str | None = None
    mode: Mode
    occurred_at: datetime
    partial_authorization: bool = False
    return_url: str | None = None
    off_session: bool = False
    authentication: AuthenticationWish = "none"
    account: AccountToCharge | None = None


class CaptureRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Take `amount_minor`, at most what is authorized and not captured; `final` releases what remains then.

    `capture_id` is the caller's, unique within its attempt, and makes the capture idempotent for good.
    """

    capture_id: OperationId
    amount_minor: int
    final: bool = True
    occurred_at: datetime


class IncrementRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Authorize `amount_minor` more on top; `increment_id` is as `capture_id` of a capture."""

    increment_id: OperationId
    amount_minor: int
    occurred_at: datetime


class RefundRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Give `amount_minor` of captured money back; `refund_id` is as `capture_id` of a capture."""

    refund_id: OperationId
    amount_minor: int
    occurred_at: datetime


class ReversalRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Give back what is authorized and not captured."""

    occurred_at: datetime


class PayerAction(msgspec.Struct, frozen=True, kw_only=True):
    """What the payer has to do, at `url`, before `expires_at` (business time, as the request's).

    `link` opens a UPI app, and is what a QR code holds.
    """

    kind: ActionKind
    url: str
    expires_at: datetime
    link: str | None = None


class Authentication(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a payer's authentication (3-D Secure); `eci` is the indicator that the networks carry."""

    result: AuthenticationResult
    flow: Literal["frictionless", "challenge"]
    eci: str | None = None
    liability_shifted: bool = False


class ProcessorAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Where an attempt stands.

    `operation` tells what became of the one capture, increment or refund that was asked for; it is None in
    every other answer, and where the attempt is `unknown`. `decline_code` is one of
    `gateway.processor.declines` (`insufficient_funds`, …) or `processing_error`, and says why the attempt
    was declined or the increment refused. `approved` holds `authorized_minor` less `captured_minor` for
    further captures; `captured` is final. `action` is what `action_required` asks for. `not_sent`: declined
    for want of the payer's authentication, and the issuer was never asked. Nothing here holds card data.
    """

    attempt_id: str
    status: AnswerStatus
    operation: OperationEnd | None = None
    decline_code: str | None = None
    not_sent: bool = False
    advice_code: AdviceCode | None = None
    approval_code: str | None = None
    network_reference: str | None = None
    authorized_minor: int = 0
    captured_minor: int = 0
    refunded_minor: int = 0
    action: PayerAction | None = None
    authentication: Authentication | None = None


class Processor(Protocol):
    """Authorizes and moves money by attempt id; survives being asked twice, late, or after a crash.

    Every method raises `ProcessorUnavailableError` (gateway.errors) where no answer came in time: then
    anything may have happened, and the caller asks again. Amounts are minor units of the attempt's currency.
    """

    async def authorize(self, request: AuthorizationRequest) -> ProcessorAnswer:
        """The attempt's answer; sent to the network at most once in effect per `attempt_id`.

        A repeated call gives the stored answer, or waits for the one under way, or `unknown` when the
        network's answer is still being found out. An attempt that was reversed before stays `reversed`.
        After `action_required` the processor tells the API's `AnswerListener` when there is another answer.
        """
        ...

    async def capture(self, attempt_id: str, request: CaptureRequest) -> ProcessorAnswer:
        """Status `captured` after the final one or where nothing is left, else still `approved`.

        A capture that was asked for before keeps its first amount. One that the network refuses, or of more
        than is left, is `refused` for good and releases the rest of the authorization: status `reversed`, or
        `captured` where something was captured before.
        """
        ...

    async def increment(self, attempt_id: str, request: IncrementRequest) -> ProcessorAnswer:
        """Asks the issuer for more; where it refuses, or nobody knows, the authorization stays as it was."""
        ...

    async def refund(self, attempt_id: str, request: RefundRequest) -> ProcessorAnswer:
        """Gives captured money back; more than is captured and not refunded is `refused`."""
        ...

    async def reverse(self, attempt_id: str, request: ReversalRequest) -> ProcessorAnswer:
        """`reversed`, for good: also for an attempt never heard of, which can then never be authorized.

        Where something was captured the rest is released, and the status is `captured` (giving captured money
        back is a refund). `declined` stays `declined`.
        One whose payer has not done what is asked is `reversed`, too.
        """
        ...

    async def find(self, attempt_id: str) -> ProcessorAnswer:
        """Where the attempt stands, without changing anything."""
        ...


class AnswerChanged(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An attempt whose payer had to do something has another answer now: ask for it."""

    attempt_id: Identifier


class AnswerListener(Protocol):
    """The API, to which the processor says that an answer has changed."""

    async def answer_changed(self, change: AnswerChanged) -> None:
        """Have the attempt's answer asked for, and its end, if it has one, committed before this returns.

        A hint, that changes nothing by itself: it may be lost, doubled, late, or name what nobody knows. It
        gives up waiting after a few seconds. Raises `ApiUnavailableError` where the API does not answer.
        """
        ...


class TokenRegistration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A token that the processor made, as everyone but the processor may know it.

    `api_key` is the shopper-facing request's key, which the API checks; `fingerprint` is the processor's
    keyed hash of the card number (the same for one number), from which the API makes its own surrogate.
    `brand` is lower case (`visa`), `issuer_country` ISO 3166 alpha-2; `address` is where
    the card comes from, for limits.
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
    address: str | None = None


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
