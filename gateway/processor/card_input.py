"""Bodies of `POST /v1/tokens`, JSON or form-encoded, and what makes a card's own data acceptable.

Nothing here quotes a value, nor the name of a member it does not know: either might be a card number.
"""

from datetime import datetime

import msgspec

from gateway import cards
from gateway.http.decoding import convert, decode_body
from gateway.processor.errors import CardInputError

CARD_BODY_BYTES_MAX = 8 * 1024
"""Many times what a card takes."""

YEARS_AHEAD_MAX = 50
"""As far ahead as an expiry may lie."""


class CardInput(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A card as it was sent; numbers may come as text, as forms send them."""

    number: str
    exp_month: int | str
    exp_year: int | str
    cvc: str | None = None

    def __repr__(self) -> str:
        return "CardInput(…)"


class TokenInput(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /v1/tokens`."""

    card: CardInput


class CheckedCard(msgspec.Struct, frozen=True, kw_only=True):
    """A card whose own data are in order; `exp_year` has four digits."""

    number: str
    exp_month: int
    exp_year: int
    cvc: str | None

    def __repr__(self) -> str:
        return "CheckedCard(…)"


def read_card(body: bytes, content_type: str | None) -> CardInput:
    """The card of a body; raises `InvalidRequestError`, `UnsupportedMediaError`."""
    return convert(decode_body(body, content_type, TokenInput).tree, TokenInput).card


def check(card: CardInput, now: datetime) -> CheckedCard:
    """Raises `CardInputError` with Stripe's code for the first thing that is wrong."""
    number = card.number.replace(" ", "").replace("-", "")
    if not cards.has_card_shape(number):
        raise CardInputError("invalid_number", "The card number is not a valid number.", "number")
    if not cards.passes_luhn(number):
        raise CardInputError("incorrect_number", "The card number is incorrect.", "number")
    month, year = _expiry(card, now)
    if (year, month) < (now.year, now.month):
        raise CardInputError("expired_card", "The card has expired.", "exp_month")
    if card.cvc is not None and not _is_security_code(card.cvc, number):
        raise CardInputError("invalid_cvc", "The card's security code is invalid.", "cvc")
    return CheckedCard(number=number, exp_month=month, exp_year=year, cvc=card.cvc)


def _expiry(card: CardInput, now: datetime) -> tuple[int, int]:
    month = _whole(card.exp_month)
    if month is None or not 1 <= month <= 12:
        raise CardInputError("invalid_expiry_month", "The expiry month is invalid.", "exp_month")
    year = _whole(card.exp_year)
    if year is not None and 0 <= year <= 99:
        year += 2000
    if year is None or not 2000 <= year <= now.year + YEARS_AHEAD_MAX:
        raise CardInputError("invalid_expiry_year", "The expiry year is invalid.", "exp_year")
    return month, year


def _whole(value: int | str) -> int | None:
    if isinstance(value, int):
        return value
    return int(value) if value.isascii() and value.isdigit() and len(value) <= 4 else None


def _is_security_code(code: str, number: str) -> bool:
    return (
        code.isascii() and code.isdigit() and len(code) == cards.security_code_digits(cards.brand_of(number))
    )
