"""What a merchant may be paid: state of onboarding, currency, method, country, and amount.

Unless a merchant's settings say otherwise, one payment may be 10,000 rupees, dollars or euros, and in
proportion in other currencies.
"""

from collections.abc import Mapping
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

RATES_PER_DOLLAR: Mapping[str, Decimal] = {
    currency: Decimal(rate)
    for currency, rate in (
        line.split()
        for line in """
        AED 3.67|AFN 70|ALL 83.5|AMD 384|AOA 912|ARS 1190|AUD 1.53|AWG 1.79|AZN 1.7|BAM 1.67|BBD 2
        BDT 122|BHD 0.376|BIF 2950|BMD 1|BND 1.28|BOB 6.9|BRL 5.5|BSD 1|BTN 85.7|BWP 13.4|BYN 3|BZD 2
        CAD 1.37|CDF 2880|CHF 0.8|CLP 935|CNY 7.2|COP 4050|CRC 505|CUP 24|CVE 94|CZK 21|DJF 178|DKK 6.4
        DOP 59.5|DZD 130|EGP 50|ERN 15|ETB 137|FJD 2.24|FKP 0.73|GBP 0.73|GEL 2.72|GHS 10.4|GIP 0.73
        GMD 72|GNF 8660|GTQ 7.68|GYD 209|HKD 7.85|HNL 26.1|HTG 131|HUF 340|IDR 16250|ILS 3.4|IQD 1310
        IRR 42000|ISK 121|JMD 160|JOD 0.709|JPY 145|KES 129|KGS 87.4|KHR 4010|KMF 420|KPW 900|KRW 1350
        KWD 0.306|KYD 0.82|KZT 520|LAK 21600|LBP 89500|LKR 300|LRD 200|LSL 17.8|LYD 5.4|MAD 9|MDL 16.9
        MGA 4400|MKD 52.5|MMK 2100|MNT 3590|MOP 8.08|MRU 39.7|MUR 45.1|MVR 15.4|MWK 1730|MXN 18.8
        MYR 4.21|MZN 63.9|NAD 17.8|NGN 1550|NIO 36.8|NOK 10.1|NPR 137|NZD 1.65|OMR 0.385|PAB 1|PEN 3.55
        PGK 4.13|PHP 56.5|PKR 283|PLN 3.6|PYG 7980|QAR 3.64|RON 4.3|RSD 100|RUB 78.5|RWF 1440|SAR 3.75
        SBD 8.35|SCR 14.7|SDG 600|SEK 9.6|SGD 1.28|SHP 0.73|SLE 22.7|SOS 571|SRD 38.5|SSP 4600|STN 20.9
        SVC 8.75|SYP 11000|SZL 17.8|THB 32.5|TJS 9.9|TMT 3.5|TND 2.9|TOP 2.37|TRY 40|TTD 6.78|TWD 29.3
        TZS 2630|UAH 41.7|UGX 3590|UYU 40.2|UZS 12600|VED 107|VES 107|VND 26100|VUV 119|WST 2.72
        XAF 560|XCD 2.7|XCG 1.79|XOF 560|XPF 102|YER 250|ZAR 17.8|ZMW 23.8|ZWG 27
        """.strip()
        .replace("\n", "|")
        .split("|")
    )
}
"""Units per US dollar: round figures of the middle of 2025, put together by hand and compared with no
official table. For limits alone; no money is converted by them.

Not among them are ISO 4217's units of account (`CLF`, `USN`), in which nobody pays: no default limit, so that
only a merchant with a limit of its own takes them.
"""


def limit_per_payment_minor(merchant: Merchant, currency: str) -> int | None:
    """The merchant's limit, else the default; None for a unit of account.

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
