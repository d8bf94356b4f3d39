"""The rails of accounts (UPI, wallets, banks' pages) as the processor sees them.

Rails move money when the payer approves, at once and in one step. So approving is what authorizes here, a
capture keeps what has come, and what is not captured is given back.
"""

from typing import Literal, Protocol

import msgspec

from events.vocabulary import AccountMethod

RailState = Literal["pending", "paid", "declined", "expired", "canceled"]


class RailQuestion(msgspec.Struct, frozen=True, kw_only=True):
    """An order to pay; `order_id` makes it idempotent for good."""

    order_id: str
    method: AccountMethod
    provider: str = ""
    handle: str = ""
    amount_minor: int
    currency: str
    merchant: str
    return_url: str = ""
    is_test: bool = False

    def __repr__(self) -> str:
        return f"RailQuestion({self.order_id!r}, {self.method!r})"


class RailAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Where an order stands; the payer's page at `url`, and the `link` to a UPI app, hold for `seconds`."""

    order_id: str
    state: RailState
    reason: str | None = None
    url: str = ""
    link: str | None = None
    seconds: int = 0
    returned_minor: int = 0
    reference: str = ""


class Rails(Protocol):
    """Every call is idempotent by its ids, and raises `RailsSilentError` where no answer came in time."""

    async def open(self, question: RailQuestion) -> RailAnswer:
        """Ask the payer; an order that is known stays as it is."""
        ...

    async def find(self, order_id: str) -> RailAnswer | None:
        """Where an order stands, None where it was never heard of."""
        ...

    async def give_back(self, question: RailQuestion) -> RailAnswer:
        """No payer can pay it any more, and what was paid goes back, also where the order never arrived."""
        ...

    async def refund(self, order_id: str, refund_id: str, amount_minor: int) -> bool:
        """Whether so much of what was paid goes back."""
        ...
