"""Bodies of `POST /pay`: JSON, with amounts in major units as they are written.

Nothing here quotes a value: it might be a card number.
"""

import re
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from events.errors import MoneyError
from events.money import AMOUNT_MINOR_MAX, exponent, minor
from events.vocabulary import PaymentMethodType
from gateway.errors import CardDataError, InvalidRequestError, UnsupportedMediaError
from gateway.http.card_numbers import account_holds_card_number, any_holds_card_number, texts_in
from gateway.http.decoding import JSON, decode_json
from gateway.method_requests import AccountNumber, BankCode
from gateway.processor.card_input import CardInput
from gateway.request_members import Body, Currency, ReturnUrl, Text
from gateway.risk_context import RiskContextInput, require_readable

PAY_BODY_BYTES_MAX = 32 * 1024
"""Room for a basket of a hundred lines and two addresses."""

Method = Literal["credit_card", "upi", "wallet", "net_banking"]

METHODS: dict[Method, PaymentMethodType] = {
    "credit_card": "card",
    "upi": "upi",
    "wallet": "wallet",
    "net_banking": "netbanking",
}

# A number as JSON has it, without exponent, or the same as text.
_AMOUNT = re.compile(r'"(?P<text>[0-9]{1,13}(?:\.[0-9]{1,4})?)"|(?P<number>[0-9]{1,13}(?:\.[0-9]{1,4})?)')
_EXPIRY = re.compile(r"(0[1-9]|1[0-2])/([0-9]{2}|[0-9]{4})")

Amount = Annotated[
    msgspec.Raw,
    Meta(description="an amount in major units, such as 12.50, as a number without exponent or as text"),
]
MerchantId = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}\Z",
        description="a merchant's id: a letter, then at most 63 letters, digits, _ and -",
    ),
]
Plain = Annotated[
    str, Meta(pattern=r"^[!-~]{1,255}\Z", description="1 to 255 letters, digits and signs, no spaces")
]


class PayCard(Body, frozen=True, kw_only=True):
    """A card as it is typed."""

    number: str
    expiry: str
    cvv: str | None = None

    def __repr__(self) -> str:
        return "PayCard(…)"


class PayUpi(Body, frozen=True, kw_only=True):
    """A UPI address."""

    vpa: Plain


class PayWallet(Body, frozen=True, kw_only=True):
    """An account at a wallet's provider."""

    wallet_id: Plain


class PayBank(Body, frozen=True, kw_only=True):
    """An account at a bank."""

    bank_code: BankCode
    account: AccountNumber


class PayInput(Body, frozen=True, kw_only=True):
    """The body of `POST /pay`: the member that `method` names, and no other one of the four."""

    method: Method
    merchant_id: MerchantId
    amount: Amount
    currency: Currency
    card: PayCard | None = None
    upi: PayUpi | None = None
    wallet: PayWallet | None = None
    net_banking: PayBank | None = None
    return_url: ReturnUrl | None = None
    customer: Text | None = None
    risk_context: RiskContextInput | None = None

    def __repr__(self) -> str:
        return "PayInput(…)"


def read_pay(body: bytes, content_type: str | None) -> PayInput:
    """The body; raises `InvalidRequestError`, `UnsupportedMediaError`."""
    if (content_type or JSON).partition(";")[0].strip().lower() != JSON:
        raise UnsupportedMediaError(JSON)
    given = decode_json(body, PayInput)
    wanted = "card" if given.method == "credit_card" else given.method
    for name in ("card", "upi", "wallet", "net_banking"):
        there = getattr(given, name) is not None
        if name == wanted and not there:
            raise InvalidRequestError(
                f"The required member {name} is missing.", code="parameter_missing", param=name
            )
        if name != wanted and there:
            raise InvalidRequestError(
                f"{name}: this is not of the method that is given.", code="parameter_invalid", param=name
            )
    refuse_card_numbers(_forwarded(given))
    if given.net_banking is not None and account_holds_card_number(given.net_banking.account):
        raise CardDataError()
    require_readable(given.risk_context)
    return given


def refuse_card_numbers(texts: Iterable[str | None]) -> None:
    """Raises `CardDataError` for a card number where none may be: these texts go to the API."""
    if any_holds_card_number(text for text in texts if text is not None):
        raise CardDataError()


def amount_minor(given: PayInput) -> int:
    """The amount in minor units, exactly; raises `InvalidRequestError`.

    >>> amount_minor(read_pay(b'{"method": "upi", "merchant_id": "m", "amount": 12.50, "currency": "inr", '
    ...                       b'"upi": {"vpa": "success@razorpay"}}', None))
    1250
    """
    currency = given.currency.upper()
    try:
        digits = exponent(currency)
    except MoneyError:
        raise InvalidRequestError(
            "currency: this is not an ISO 4217 currency.", code="currency_invalid", param="currency"
        ) from None
    found = _AMOUNT.fullmatch(bytes(given.amount).decode())
    amount = _minor(found["text"] or found["number"], currency, digits) if found else 0
    if not 0 < amount <= AMOUNT_MINOR_MAX:
        raise InvalidRequestError(
            f"amount: expected an amount above 0 with at most {digits} decimals, such as {12.5:.{digits}f}, "
            "as a number without exponent or as text.",
            code="parameter_invalid",
            param="amount",
        )
    return amount


def _minor(written: str, currency: str, digits: int) -> int:
    """In minor units; 0 for more decimals than the currency has, were they all zeros.

    Who writes 1.0000 euro may mean another currency, or ten thousand.
    """
    decimals = written.partition(".")[2]
    return 0 if len(decimals) > digits else minor(Decimal(written), currency)


def card_input(card: PayCard) -> CardInput:
    """The card as tokens take it; raises `InvalidRequestError` for what is no expiry."""
    expiry = _EXPIRY.fullmatch(card.expiry)
    if expiry is None:
        raise InvalidRequestError(
            "card[expiry]: expected MM/YY or MM/YYYY.", code="parameter_invalid", param="card[expiry]"
        )
    return CardInput(number=card.number, exp_month=expiry[1], exp_year=expiry[2], cvc=card.cvv)


def _forwarded(given: PayInput) -> Iterator[str | None]:
    """All that the API is told as it was written, and the names of its members."""
    members = msgspec.structs.asdict(given)
    told = {name: member for name, member in members.items() if name not in ("card", "amount")}
    yield from texts_in(msgspec.to_builtins(told))
