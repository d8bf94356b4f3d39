"""What an operator writes about a merchant, read into its settings."""

from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, get_args

import msgspec

from events.errors import MoneyError
from events.money import AMOUNT_MINOR_MAX, minor
from events.vocabulary import PaymentMethodType
from gateway.errors import InvalidRequestError
from gateway.people.merchants import Merchant, MerchantSettings, Plan, is_currency


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
    texts_given = [*members.values(), plan, *choices.values()]
    if not any(limits.values()) and all(text is None for text in texts_given):
        raise InvalidRequestError(
            "Name at least one thing to change (--help lists them).", code="parameter_missing"
        )
    given: dict[str, Any] = {name: _choice(text) for name, text in choices.items() if text is not None}
    _require_known("--plan", () if plan is None else (plan,), get_args(Plan))
    _require_known("--methods", given.get("methods") or (), get_args(PaymentMethodType))
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


def _require_known(option: str, given: Sequence[str], known: Sequence[str]) -> None:
    for text in given:
        if text not in known:
            raise InvalidRequestError(
                f"{option}: {text!r} is none of {', '.join(known)}.", code="parameter_invalid"
            )


def _choice(text: str) -> tuple[str, ...] | None:
    return None if text == "any" else tuple(part.strip() for part in text.split(","))


def _limits(before: Mapping[str, int], texts: Sequence[str]) -> dict[str, int]:
    after = dict(before)
    for text in texts:
        amount, _, currency = text.partition(" ")
        if amount == "none" and is_currency(currency):
            after.pop(currency, None)
        else:
            after[currency] = _amount(amount, currency)
    return after


def _amount(text: str, currency: str) -> int:
    """A limit in minor units, of a text in major ones."""
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or not currency:
        message = "A limit is an amount in major units and a currency, such as '5000.00 EUR'."
        raise InvalidRequestError(message, code="parameter_invalid", param="limit")
    if amount <= 0:
        message = f"A limit is more than nothing: 'none {currency}' takes one away."
        raise InvalidRequestError(message, code="parameter_invalid", param="limit")
    try:
        limit_minor = minor(amount, currency)
    except MoneyError as error:
        raise InvalidRequestError(f"{error}.", code="parameter_invalid", param="limit") from None
    if limit_minor > AMOUNT_MINOR_MAX:
        message = f"No payment is as large as {text} {currency}: give a smaller limit."
        raise InvalidRequestError(message, code="parameter_invalid", param="limit")
    return limit_minor
