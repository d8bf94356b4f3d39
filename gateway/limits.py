"""What a merchant may be paid: state of onboarding, currency, method, country, and amount.

Unless a merchant's settings say otherwise, one payment may be 10,000 rupees, dollars or euros, and in
proportion in other currencies.
"""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

from events.instruments import CardFacts, Instrument
from events.money import minor
from events.vocabulary import Mode
from gateway.errors import InvalidRequestError
from gateway.people.errors import ForbiddenError
from gateway.people.merchants import Merchant

DEFAULT_LIMIT_MAJOR: Mapping[str, Decimal] = {
    "INR": Decimal(10_000),
    "USD": Decimal(10_000),
    "EUR": Decimal(10_000),
}
"""The most that one payment may be, in major units; other currencies follow the dollar's by their rate."""

RATES_FROM = date(2025, 6, 30)
RATES_PER_DOLLAR: Mapping[str, Decimal] = {
    currency: Decimal(rate)
    for currency, rate in (
        line.split()
        for line in """
        AED 3.67|ARS 1190|AUD 1.53|BDT 122|BHD 0.376|BRL 5.5|CAD 1.37|CHF 0.8|CLP 935|CNY 7.2
        COP 4050|CZK 21|DKK 6.4|EGP 50|GBP 0.73|GEL 2.72|GHS 10.4|HKD 7.85|HUF 340|IDR 16250|ILS 3.4
        ISK 121|JOD 0.709|JPY 145|KES 129|KRW 1350|KWD 0.306|KZT 520|LKR 300|MAD 9|MXN 18.8|MYR 4.21
        NGN 1550|NOK 10.1|NPR 137|NZD 1.65|OMR 0.385|PEN 3.55|PHP 56.5|PKR 283|PLN 3.6|QAR 3.64|RON 4.3
        SAR 3.75|SEK 9.6|SGD 1.28|THB 32.5|TND 2.9|TRY 40|TWD 29.3|UAH 41.7|VND 26100|ZAR 17.8
        """.strip()
        .replace("\n", "|")
        .split("|")
    )
}
"""Units per US dollar, round figures of `RATES_FROM`: for limits alone, no money is converted by them."""


def limit_per_payment_minor(merchant: Merchant, currency: str) -> int | None:
    """The merchant's limit, else the default; None where there is no rate to say one by.

    >>> limit_per_payment_minor(Merchant(id="m", name="Tea"), "EUR")
    1000000
    >>> limit_per_payment_minor(Merchant(id="m", name="Tea"), "JPY")
    1450000
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


_DEFAULTS_MINOR = {
    currency: minor(major, currency)
    for currency, major in {
        **{code: (DEFAULT_LIMIT_MAJOR["USD"] * rate) for code, rate in RATES_PER_DOLLAR.items()},
        **DEFAULT_LIMIT_MAJOR,
    }.items()
}
