"""Errors about who asks, and how much they may.

RequestError (gateway.errors)
├── AuthenticationError
│   ├── WrongCredentialsError      401: name or password, at sign-in
│   └── InvalidTokenError          401: the access token of who signed in
├── ForbiddenError                 403: the caller is known, and may not
│   └── WrongMerchantError         403: signed in for another merchant
└── RateLimitedError               429: too many requests at once; retryable
"""

from collections.abc import Mapping
from typing import ClassVar

from gateway.errors import AuthenticationError, RequestError


class WrongCredentialsError(AuthenticationError):
    """Name or password are wrong, or the user is locked or disabled: nobody learns which."""

    def __init__(self) -> None:
        RequestError.__init__(
            self,
            "The name or the password is wrong, or ten failures have locked the name for half an hour.",
            code="credentials_invalid",
        )


class InvalidTokenError(AuthenticationError):
    """The access token is missing, wrong or expired, or its user may no longer sign in."""

    def __init__(self) -> None:
        RequestError.__init__(
            self,
            "Give a valid access token as `Authorization: Bearer …`; `POST /signin` gives one.",
            code="invalid_token",
        )


class ForbiddenError(RequestError):
    """The caller is known, and may not do this."""

    STATUS = 403
    TITLE = "Forbidden"


class WrongMerchantError(ForbiddenError):
    """Who signed in did so for another merchant."""

    def __init__(self) -> None:
        RequestError.__init__(
            self, "The access token is another merchant's.", code="invalid_merchant", param="merchant_id"
        )


class RateLimitedError(RequestError):
    """So many requests at once, or failures of one address, are not taken; later ones are."""

    STATUS = 429
    TITLE = "Too many requests"
    HEADERS: ClassVar[Mapping[str, str]] = {"retry-after": "1"}

    def __init__(self, after_seconds: int = 1) -> None:
        wait = "a second" if after_seconds == 1 else f"{after_seconds} seconds"
        super().__init__(f"Too many requests at once. Try again in {wait}.", code="rate_limit")
        self.after_seconds = after_seconds

    @property
    def headers(self) -> dict[str, str]:
        """With the time to wait."""
        return {"retry-after": str(self.after_seconds)}
