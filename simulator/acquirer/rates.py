"""The network's exchange rates, fixed: issuers keep accounts in US dollars whatever the purchase is in.

Round figures, good enough for limits and balances of a made-up world.
"""

from decimal import Decimal

import iso4217

from events.money import converted

BILLING_CURRENCY = "USD"

_US_DOLLARS_PER_UNIT = {
    "USD": "1", "EUR": "1.1", "GBP": "1.3", "CHF": "1.2", "INR": "0.012", "JPY": "0.007", "CNY": "0.14",
    "AUD": "0.66", "CAD": "0.73", "NZD": "0.6", "SGD": "0.75", "HKD": "0.13", "SEK": "0.1", "NOK": "0.1",
    "DKK": "0.15", "PLN": "0.26", "CZK": "0.045", "HUF": "0.0028", "RON": "0.22",
    "BRL": "0.18", "MXN": "0.055", "ARS": "0.001", "CLP": "0.001", "COP": "0.00024", "PEN": "0.27",
    "ZAR": "0.055", "TRY": "0.025", "ILS": "0.28", "AED": "0.27", "SAR": "0.27", "KWD": "3.25",
    "BHD": "2.65", "OMR": "2.6", "QAR": "0.27", "JOD": "1.41", "TND": "0.33", "EGP": "0.02", "KES": "0.0077",
    "NGN": "0.00065", "KRW": "0.00072", "TWD": "0.031", "THB": "0.03", "IDR": "0.00006", "MYR": "0.24",
    "PHP": "0.017", "VND": "0.00004", "PKR": "0.0036", "BDT": "0.0082", "LKR": "0.0033",
    "IQD": "0.00076", "ISK": "0.0073",
}  # fmt: skip

_RATES = {currency: Decimal(rate) for currency, rate in _US_DOLLARS_PER_UNIT.items()}
_BY_NUMBER = {f"{iso4217.Currency(currency).number:03}": currency for currency in _RATES}


def currency_of(number: str) -> str | None:
    """The currency of a field 49 (ISO 4217 number), where the network deals in it.

    >>> currency_of("978"), currency_of("000")
    ('EUR', None)
    """
    return _BY_NUMBER.get(number)


def billed(amount_minor: int, currency: str) -> int:
    """What the issuer bills for an amount, in US cents.

    >>> billed(10_000, "EUR"), billed(10_000, "JPY")
    (11000, 7000)
    """
    return converted(amount_minor, _RATES[currency], currency, BILLING_CURRENCY)
