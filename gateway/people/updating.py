"""What an operator writes about a merchant, read into its settings."""

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from events.errors import MoneyError
from events.money import AMOUNT_MINOR_MAX, minor
from gateway.errors import InvalidRequestError
from gateway.people.merchants import Merchant, MerchantSettings


def updated(
    merchant: Merchant,
    members: Mapping[str, str | None],
    *,
    plan: str | None = None,
    limits: Mapping[str, Sequence[str] | None],
    choices: Mapping[str, str | None],
) -> Merchant:
    """The merchant with what is given changed; raises `InvalidRequestError` for what cannot be read.

    `limits` are texts such as `5000.00 EUR` or `none EUR`, `choices` such as `DE,FR` or `any`.
    """
    given: dict[str, Any] = {name: _choice(text) for name, text in choices.items() if text is not None}
    for name, texts in limits.items():
        given[name] = _limits(getattr(merchant.settings, name), texts or ())
    if plan is not None:
        given["plan"] = plan
    after = {**msgspec.structs.asdict(merchant.settings), **given}
    try:
        settings = msgspec.convert(after, MerchantSettings)
    except msgspec.ValidationError as error:
        raise InvalidRequestError(
            f"A setting is not as documented: {error}.", code="parameter_invalid"
        ) from None
    named = {name: text for name, text in members.items() if text is not None}
    return msgspec.structs.replace(merchant, settings=settings, **named)


def _choice(text: str) -> tuple[str, ...] | None:
    return None if text == "any" else tuple(part.strip() for part in text.split(","))


def _limits(before: Mapping[str, int], texts: Sequence[str]) -> dict[str, int]:
    after = dict(before)
    for text in texts:
        amount, _, currency = text.partition(" ")
        if amount == "none":
            after.pop(currency, None)
        else:
            after[currency] = _amount(amount, currency)
    return after


def _amount(text: str, currency: str) -> int:
    """A limit in minor units, of a text in major ones."""
    try:
        amount = Decimal(text)
        if amount.is_finite() and 0 < amount <= AMOUNT_MINOR_MAX:
            return minor(amount, currency)
    except (InvalidOperation, MoneyError):
        pass
    raise InvalidRequestError(
        "A limit is an amount in major units and a currency, such as '5000.00 EUR'.",
        code="parameter_invalid",
        param="limit",
    )
