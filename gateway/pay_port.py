"""What processor and API say to each other about `POST /pay`: the processor takes the card, the API pays.

| Method (at the API) | Parameter | Result |
|---|---|---|
| `open_pay` | `PaySession` | `PaySessionOpened`, or an error with 401, 403, 429 |
| `pay` | `PayOrder` | `PayAnswer`, or an error with 400, 401, 403, 409 |

Both are idempotent: an order is carried out once for each `pay_id`, and answered alike. 400: under this
`pay_id` there was another order.
"""

from datetime import datetime
from typing import Any, Literal, Protocol

import msgspec

from events.vocabulary import Mode, PaymentMethodType
from gateway.risk_context import RiskContextInput


class PaySession(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who wants to pay for which merchant."""

    access_token: str
    merchant_id: str

    def __repr__(self) -> str:
        return "PaySession(…)"


class PaySessionOpened(msgspec.Struct, frozen=True, kw_only=True):
    """The token is good for the merchant; `at` is business time."""

    mode: Mode
    at: datetime


class PayOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is to be paid, by whom, and with what; `token` stands for a card.

    `connection_ip` is where the order came from, for a payer of whom no address is told.
    """

    pay_id: str
    access_token: str
    merchant_id: str
    amount_minor: int
    currency: str
    method: PaymentMethodType
    token: str | None = None
    vpa: str | None = None
    wallet_id: str | None = None
    bank_code: str | None = None
    account: str | None = None
    return_url: str | None = None
    customer: str | None = None
    risk_context: RiskContextInput | None = None
    connection_ip: str | None = None

    def __repr__(self) -> str:
        return "PayOrder(…)"


class PayAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """How `/pay` is answered. `reason` says why it is not approved, `message` the same in words.

    `auth_id` is there where the issuer approved, `next_action` where the payer has to do something first.
    """

    status: Literal["approved", "declined", "pending"]
    reason: str | None = None
    message: str | None = None
    auth_id: str | None = None
    payment_intent: str | None = None
    next_action: dict[str, Any] | None = None


class PayDesk(Protocol):
    """The API, as `/pay` sees it. Raises `InvalidTokenError`, `WrongMerchantError`, `ApiUnavailableError`."""

    async def open(self, session: PaySession) -> PaySessionOpened:
        """Whether the token may pay for the merchant; raises `RateLimitedError` too."""
        ...

    async def pay(self, order: PayOrder) -> PayAnswer:
        """Pay, once for each `pay_id`; raises `RequestInProgressError` while that is under way.

        Raises `IdempotencyReuseError` where the id was another order's.
        """
        ...
