"""What a merchant may be paid: state of onboarding, currency, method, country, and amount.

Unless a merchant's settings say otherwise, one payment may be 10,000 rupees, dollars or euros, and in
proportion in other currencies.
"""

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal

from events.instruments import CardFacts, Instrument
from events.money import AMOUNT_MINOR_MAX, minor
from events.vocabulary import Mode
from gateway.errors import InvalidRequestError
from gateway.exchange_rates import PER_DOLLAR
from gateway.people.errors import ForbiddenError
from gateway.people.merchants import Merchant

DEFAULT_LIMIT_MAJOR: Mapping[str, Decimal] = {
    "INR": Decimal(10_000),
    "USD": Decimal(10_000),
    "EUR": Decimal(10_000),
}
"""The most that one payment may be, in major units. Other currencies follow the dollar's by their rate, to
two digits: a limit is a round figure, and need not change with each table. None is beyond what any payment
may be.

Units of account have none, so that only a merchant with a limit of its own takes them.
"""


def limit_per_payment_minor(merchant: Merchant, currency: str) -> int | None:
    """The merchant's limit, else the default; None for a unit of account.

    >>> limit_per_payment_minor(Merchant(id="m", name="Tea"), "EUR")
    1000000
    >>> limit_per_payment_minor(Merchant(id="m", name="Tea"), "JPY")
    1600000
    """
    own = merchant.settings.limit_per_payment.get(currency)
    return own if own is not None else _DEFAULTS_MINOR.get(currency)


def require_open(merchant: Merchant, mode: Mode) -> None:
    """Raises `ForbiddenError` where a merchant that is not active asks for a live payment."""
    if mode == "live" and merchant.status != "active":
        raise ForbiddenError(
            f"This merchant is {merchant.status}, and takes no live payments.", code="merchant_not_active"
        )


def require_amount(merchant: Merchant, amount_minor: int, currency: str) -> None:
    """Raises `InvalidRequestError` for a currency that is not taken, and beyond the limit per payment."""
    allowed = merchant.settings.currencies
    limit_minor = limit_per_payment_minor(merchant, currency)
    if limit_minor is None or (allowed is not None and currency not in allowed):
        raise InvalidRequestError(
            "This merchant does not take this currency.", code="currency_not_allowed", param="currency"
        )
    if amount_minor > limit_minor:
        raise limit_exceeded("payment")


def require_method(merchant: Merchant, instrument: Instrument) -> None:
    """Raises `InvalidRequestError` for a method, or a card's country, that the merchant does not take.

    Where only some countries are taken, a card of which none is known is of none of them.
    """
    settings = merchant.settings
    method = "card" if isinstance(instrument, CardFacts) else instrument.method
    if settings.methods is not None and method not in settings.methods:
        raise InvalidRequestError(
            "This merchant does not take this payment method.",
            code="payment_method_not_allowed",
            param="payment_method",
        )
    if settings.countries is None or not isinstance(instrument, CardFacts):
        return
    if instrument.issuer_country not in settings.countries:
        raise InvalidRequestError(
            "This merchant does not take cards of this country.",
            code="country_not_allowed",
            param="payment_method",
        )


def limit_exceeded(per: str) -> InvalidRequestError:
    """The refusal of an amount: beyond the limit per `payment`, or with what was paid before per `day`."""
    return InvalidRequestError(
        f"The amount is beyond this merchant's limit per {per}.", code="limit_exceeded", param="amount"
    )


def _rounded(major: Decimal) -> Decimal:
    """To two digits, halves up: 1566100 is 1600000."""
    return major.scaleb(-major.adjusted()).quantize(Decimal("1.0"), ROUND_HALF_UP).scaleb(major.adjusted())


_DEFAULTS_MINOR = {
    currency: min(minor(major, currency), AMOUNT_MINOR_MAX)
    for currency, major in {
        **{code: _rounded(DEFAULT_LIMIT_MAJOR["USD"] * rate) for code, rate in PER_DOLLAR.items()},
        **DEFAULT_LIMIT_MAJOR,
    }.items()
}
