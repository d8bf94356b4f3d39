"""Bodies of `POST /v1/tokens`, JSON or form-encoded, and what makes a card's own data acceptable.

Nothing here quotes a value, nor the name of a member it does not know: either might be a card number.
"""

from datetime import datetime
from urllib.parse import parse_qsl

import msgspec

from gateway import cards
from gateway.errors import InvalidRequestError, UnsupportedMediaError
from gateway.processor.errors import CardInputError

YEARS_AHEAD_MAX = 50
"""As far ahead as an expiry may lie."""

_MEMBERS = ("number", "exp_month", "exp_year", "cvc")


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


def read_card(body: bytes, content_type: str) -> CardInput:
    """The card of a body; raises `InvalidRequestError`, `UnsupportedMediaError`."""
    media_type = content_type.partition(";")[0].strip().lower()
    try:
        if media_type == "application/json":
            return msgspec.json.decode(body, type=TokenInput).card
        if media_type == "application/x-www-form-urlencoded":
            return msgspec.convert(_form(body), TokenInput).card
    except msgspec.ValidationError as error:
        raise _misshapen(str(error)) from None
    except (msgspec.DecodeError, ValueError):
        raise InvalidRequestError("The body cannot be read.", code="parameter_invalid") from None
    raise UnsupportedMediaError()


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


def _form(body: bytes) -> dict[str, dict[str, str]]:
    """`card[number]=…&card[exp_month]=…` as nested members; raises `ValueError`."""
    members: dict[str, str] = {}
    for name, value in parse_qsl(
        body.decode("ascii"), keep_blank_values=True, strict_parsing=True, errors="strict", max_num_fields=8
    ):
        member = name.removeprefix("card[").removesuffix("]")
        if name != f"card[{member}]" or member not in _MEMBERS or member in members:
            raise InvalidRequestError("The body has an unknown or repeated member.", code="parameter_unknown")
        members[member] = value
    return {"card": members}


def _misshapen(text: str) -> InvalidRequestError:
    place = text.rpartition("- at `$")[2].rstrip("`").lstrip(".") if "- at `$" in text else ""
    known = {"card", *(f"card.{member}" for member in _MEMBERS)}
    if "missing required field" in text:
        member = text.partition("`")[2].partition("`")[0]
        return InvalidRequestError(
            "A required member is missing.",
            code="parameter_missing",
            param=".".join(filter(None, (place, member))),
        )
    if "unknown field" in text:
        return InvalidRequestError("The body has an unknown member.", code="parameter_unknown")
    return InvalidRequestError(
        "A member has the wrong type.", code="parameter_invalid", param=place if place in known else None
    )
