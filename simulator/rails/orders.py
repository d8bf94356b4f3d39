"""One order to pay, and what may become of it: pure, time is passed in.

```
pending ─▶ paid        the payer approved, and the money has moved: it can only be given back
   │ ├───▶ declined    by the payer or the payer's bank
   │ ├───▶ expired     nobody answered in time
   │ └───▶ canceled    by the member that asked for it
```
"""

from dataclasses import dataclass, replace
from typing import Literal

Method = Literal["upi", "wallet", "netbanking"]
State = Literal["pending", "paid", "declined", "expired", "canceled"]
Reason = Literal[
    "payment_declined",
    "insufficient_account_funds",
    "invalid_vpa",
    "bank_technical_error",
    "payment_collect_request_expired",
    "payment_timed_out",
]
DECLINED: Reason = "payment_declined"
NO_FUNDS: Reason = "insufficient_account_funds"
NO_SUCH_ADDRESS: Reason = "invalid_vpa"
BANK_DOWN: Reason = "bank_technical_error"

COLLECT_SECONDS_MAX = 300
"""How long a payer may think about a request that came to the app."""
PAGE_SECONDS_MAX = 540
"""How long a page, or a link to an app, is good."""
MICROSECONDS = 1_000_000


@dataclass(frozen=True)
class Order:
    """A request to pay; `secret` is in the address of the payer's page, `returned_minor` was given back."""

    order_id: str
    method: Method
    provider: str
    handle: str
    amount_minor: int
    currency: str
    merchant: str
    return_url: str
    is_test: int
    secret: str
    opened_us: int
    expires_us: int
    state: State = "pending"
    reason: Reason | None = None
    returned_minor: int = 0

    @property
    def is_collect(self) -> bool:
        """Whether it came to the payer's app by itself, and not by a page or a link."""
        return self.method == "upi" and bool(self.handle)


def lifetime_seconds(method: Method, handle: str) -> int:
    """How long a payer has."""
    return COLLECT_SECONDS_MAX if method == "upi" and handle else PAGE_SECONDS_MAX


def paid(order: Order) -> Order:
    """The payer approved; what has ended stays so."""
    return replace(order, state="paid") if order.state == "pending" else order


def declined(order: Order, reason: Reason) -> Order:
    """Somebody said no; what has ended stays so."""
    return replace(order, state="declined", reason=reason) if order.state == "pending" else order


def expired(order: Order, now_us: int) -> Order:
    """The order as time leaves it."""
    if order.state != "pending" or now_us < order.expires_us:
        return order
    why: Reason = "payment_collect_request_expired" if order.is_collect else "payment_timed_out"
    return replace(order, state="expired", reason=why)


def given_back(order: Order) -> Order:
    """Taken back by the member: nobody can pay any more, and what was paid goes back.

    >>> order = Order("o", "upi", "okbank", "a@okbank", 500, "INR", "shop", "", 1, "s", 0, 1)
    >>> given_back(order).state, given_back(paid(order)).returned_minor
    ('canceled', 500)
    """
    if order.state == "pending":
        return replace(order, state="canceled")
    if order.state == "paid":
        return replace(order, returned_minor=order.amount_minor)
    return order


def may_refund(order: Order, amount_minor: int) -> bool:
    """Whether so much can be given back."""
    return order.state == "paid" and 0 < amount_minor <= order.amount_minor - order.returned_minor
