"""Errors of the gateway, each with its HTTP status.

GatewayError
├── RequestError                  what the caller sent, or asked for, is refused: permanent
│   ├── InvalidRequestError           400, with the member's name in `param`
│   │   ├── CardDataError                 400: a card number where none may be
│   │   └── UnexpectedStateError          400: the intent's status does not allow this step
│   ├── AuthenticationError           401
│   │   ├── LiveKeyRequiredError          401: a test key at a home of live payments
│   │   └── SecretKeyRequiredError        401: a publishable key where a secret one is needed
│   ├── IdempotencyReuseError         400: the idempotency key was used for another request
│   ├── RequestInProgressError        409: the first request with this idempotency key has no answer yet
│   ├── CardDeclinedError             402, with the intent as it now stands
│   ├── NotFoundError                 404
│   ├── MethodNotAllowedError         405
│   ├── ConflictError                 409: another request changed the same thing first; retryable
│   ├── BodyTooLargeError             413
│   ├── UnsupportedMediaError         415
│   └── HeadTooLargeError             431
├── HomeError                     a command's --home or --keys is not what it must be: nothing was done
├── TableError                    a file of ranges that is not one: the program does not start
└── UnavailableError              retryable: something that Weir needs gives no answer now (503)
    ├── ProcessorUnavailableError     the processor did not answer in time
    ├── ApiUnavailableError           the API did not answer the processor in time
    └── StoreUnavailableError         the operational store cannot write now (full disk, lock held too long)
        └── StoreUnsafeError              PostgreSQL is set up so that it may lose what it acknowledged

No message quotes a value that the caller sent: it might be a card number.
"""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

_PARAMS = {
    "expired_card": "exp_month",
    "incorrect_cvc": "cvc",
    "incorrect_number": "number",
}
"""The card's member that a decline is about, as at Stripe."""


class GatewayError(Exception):
    """Base of the folder's errors: an HTTP status, Stripe's `type`, and a `code` that programs can test.

    `HEADERS` are those that the answer carries besides its own; `headers` adds what one error alone knows.
    """

    STATUS: ClassVar[int] = 500
    TYPE: ClassVar[str] = "api_error"
    TITLE: ClassVar[str] = "Internal error"
    HEADERS: ClassVar[Mapping[str, str]] = {}

    def __init__(self, message: str, *, code: str, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.param = param

    @property
    def headers(self) -> dict[str, str]:
        """What the answer carries besides its own headers."""
        return dict(self.HEADERS)


class RequestError(GatewayError):
    """The caller's doing; sending the same again gives the same."""

    STATUS = 400
    TYPE = "invalid_request_error"
    TITLE = "Invalid request"


class InvalidRequestError(RequestError):
    """Something in the request is not as documented."""


class CardDataError(InvalidRequestError):
    """The request holds a card number, which only the processor's listener may see."""

    def __init__(self) -> None:
        super().__init__(
            "A card number stands where none may: only `POST /v1/tokens` and the card of `POST /pay`, at the "
            "processor's address, take one.",
            code="card_data_not_accepted",
        )


class UnexpectedStateError(InvalidRequestError):
    """The intent's status does not allow the step."""

    def __init__(self, step: str, status: str) -> None:
        super().__init__(
            f"This payment intent's status is {status}, which does not allow: {step}.",
            code="payment_intent_unexpected_state",
        )
        self.step = step
        self.status = status


class AuthenticationError(RequestError):
    """The key is missing, wrong or revoked."""

    STATUS = 401
    TITLE = "Unauthorized"
    HEADERS: ClassVar[Mapping[str, str]] = {"www-authenticate": "Bearer"}

    def __init__(self, message: str = "Give a valid secret key as `Authorization: Bearer sk_…`.") -> None:
        super().__init__(message, code="api_key_invalid")


class LiveKeyRequiredError(AuthenticationError):
    """A test key came to an installation that takes live payments alone."""

    def __init__(self) -> None:
        RequestError.__init__(
            self,
            "This installation takes live payments alone. Give a live key (`sk_live_…`), and send test "
            "payments to an installation of their own.",
            code="live_key_required",
        )


class SecretKeyRequiredError(AuthenticationError):
    """A publishable key came where only a secret one opens."""

    def __init__(self, message: str = "A publishable key does not open this. Give a secret key.") -> None:
        RequestError.__init__(self, message, code="secret_key_required")


class CardDeclinedError(RequestError):
    """The card was declined, or the payment blocked; `payment_intent` is the resource as it now stands."""

    STATUS = 402
    TYPE = "card_error"
    TITLE = "Card error"

    def __init__(
        self, message: str, *, code: str, decline_code: str | None, payment_intent: dict[str, Any]
    ) -> None:
        super().__init__(message, code=code, param=_PARAMS.get(code))
        self.decline_code = decline_code
        self.payment_intent = payment_intent


class NotFoundError(RequestError):
    """No such resource of this merchant in this mode."""

    STATUS = 404
    TITLE = "Not found"

    def __init__(self, message: str = "There is no such resource.", *, param: str | None = None) -> None:
        super().__init__(message, code="resource_missing", param=param)


class MethodNotAllowedError(RequestError):
    """The path exists, the method does not; `allowed` are those that do."""

    STATUS = 405
    TITLE = "Method not allowed"

    def __init__(self, allowed: Iterable[str]) -> None:
        self.allowed = ", ".join(sorted(allowed))
        super().__init__(f"This path takes: {self.allowed}.", code="method_not_allowed")

    @property
    def headers(self) -> dict[str, str]:
        """With `Allow`, as RFC 9110 asks."""
        return {"allow": self.allowed}


class ConflictError(RequestError):
    """Another request changed the same resource first, or has a step of it under way; retryable."""

    STATUS = 409
    TITLE = "Conflict"
    HEADERS: ClassVar[Mapping[str, str]] = {"retry-after": "1"}

    def __init__(self) -> None:
        super().__init__(
            "A step before this one is still under way. Try again in a second.", code="lock_timeout"
        )


class IdempotencyReuseError(RequestError):
    """The idempotency key was used before, for another request."""

    TYPE = "idempotency_error"

    def __init__(self) -> None:
        super().__init__(
            "This Idempotency-Key was used for another request: give each request a key of its own.",
            code="idempotency_key_reuse",
        )


class RequestInProgressError(RequestError):
    """A request with this idempotency key is under way; retryable."""

    STATUS = 409
    TYPE = "idempotency_error"
    TITLE = "Conflict"
    HEADERS: ClassVar[Mapping[str, str]] = {"retry-after": "1"}

    def __init__(self) -> None:
        super().__init__(
            "A request with this Idempotency-Key is under way. Send it again for its answer.",
            code="idempotency_key_in_use",
        )


class BodyTooLargeError(RequestError):
    """The body is larger than `limit_bytes`."""

    STATUS = 413
    TITLE = "Body too large"
    # What was not read would be taken for the next request.
    HEADERS: ClassVar[Mapping[str, str]] = {"connection": "close"}

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"The body is larger than {limit_bytes} bytes.", code="body_too_large")
        self.limit_bytes = limit_bytes


class UnsupportedMediaError(RequestError):
    """The body is neither JSON nor form-encoded, where `taken` says both."""

    STATUS = 415
    TITLE = "Unsupported media type"

    def __init__(self, taken: str = "application/json or application/x-www-form-urlencoded") -> None:
        super().__init__(f"Send {taken}, in UTF-8.", code="media_type_unsupported")


class HeadTooLargeError(RequestError):
    """The request line and the headers together are larger than `limit_bytes`."""

    STATUS = 431
    TITLE = "Request header fields too large"

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"The headers are larger than {limit_bytes} bytes.", code="headers_too_large")


class HomeError(GatewayError):
    """A command's home is none, or its keys are elsewhere than it was told; the text says what to do."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code="home_unusable")


class TableError(GatewayError):
    """A table given by path cannot be read."""

    def __init__(self, message: str) -> None:
        super().__init__(message, code="table_unreadable")


class UnavailableError(GatewayError):
    """Something that is needed gives no answer; the same call may succeed later.

    Where `NEEDED` names it, callers are told that and what to do, and the message, which is the cause, is for
    the log: it says no more than what failed, and nothing of what was asked.
    """

    STATUS = 503
    TITLE = "Unavailable"
    NEEDED: ClassVar[str] = ""
    HEADERS: ClassVar[Mapping[str, str]] = {"retry-after": "1"}

    def __init__(self, message: str, *, code: str = "unavailable") -> None:
        super().__init__(message, code=code)


class ProcessorUnavailableError(UnavailableError):
    """No answer from the processor in time: anything may have happened there."""

    NEEDED = "The processor"


class ApiUnavailableError(UnavailableError):
    """No answer from the API in time."""

    NEEDED = "The API"


class StoreUnavailableError(UnavailableError):
    """The operational store cannot write now."""

    NEEDED = "The platform's database"


class StoreUnsafeError(StoreUnavailableError):
    """The server is set up so that a power loss may take what it acknowledged."""
