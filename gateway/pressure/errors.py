"""Errors of who is not let in now. Nothing was begun: the same request may be sent again.

UnavailableError (gateway.errors)
└── OverloadedError                503: more is asked than can be done in good time; retryable
    └── DecisionsLateError             503: decisions are late, and no payment may do without
"""

from gateway.errors import UnavailableError


class OverloadedError(UnavailableError):
    """More is asked for than can be done in good time; nothing was done."""

    def __init__(self, after_seconds: int = 1) -> None:
        super().__init__(
            "More is asked for now than can be done in good time. Nothing was done: send the same request "
            "again after the seconds in Retry-After.",
            code="overloaded",
        )
        self.after_seconds = after_seconds

    @property
    def headers(self) -> dict[str, str]:
        """With the time to wait."""
        return {"retry-after": str(self.after_seconds)}


class DecisionsLateError(OverloadedError):
    """The engine's decisions are late, and the platform's policy is to take no payment without one."""

    def __init__(self, after_seconds: int = 1) -> None:
        UnavailableError.__init__(
            self,
            "Payments cannot be assessed in time now. Nothing was done: send the same request again after "
            "the seconds in Retry-After.",
            code="decisions_late",
        )
        self.after_seconds = after_seconds
