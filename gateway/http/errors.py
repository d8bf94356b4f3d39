"""Errors of connections, told before any application has seen a request.

RequestError (gateway.errors)
└── RequestTimeoutError            408: the head or the body of a request did not come in its time
UnavailableError (gateway.errors)
└── TooManyConnectionsError        503: the listener, or one address, holds as many as it may; retryable
"""

from collections.abc import Mapping
from typing import ClassVar

from gateway.errors import RequestError, UnavailableError


class RequestTimeoutError(RequestError):
    """What was begun did not come to its end within `seconds`."""

    STATUS = 408
    TITLE = "Request timeout"
    HEADERS: ClassVar[Mapping[str, str]] = {"connection": "close"}

    def __init__(self, part: str, seconds: float) -> None:
        super().__init__(f"The {part} did not come within {seconds:.0f} seconds.", code="request_timeout")


class TooManyConnectionsError(UnavailableError):
    """One more connection than may be held."""

    def __init__(self) -> None:
        super().__init__(
            "Too many connections are open. Keep few, and send one request after the other over each.",
            code="too_many_connections",
        )
