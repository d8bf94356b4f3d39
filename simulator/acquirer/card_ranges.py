"""Which issuer a card number leads to: a brand has ranges, and some ranges have a country and a funding.

Issuers are made up, one for each brand and country. Countries and funding are those of the documented test
ranges; of any other number only the brand is known.
"""

from typing import Literal, NamedTuple

Funding = Literal["credit", "debit", "prepaid"]


class CardRange(NamedTuple):
    """What the network knows of a number; None is unknown. `country` is ISO 3166 alpha-2."""

    brand: str
    country: str | None
    funding: Funding | None

    @property
    def issuer(self) -> str:
        """The issuer that the network asks."""
        return issuer_of(self.brand, self.country)


def issuer_of(brand: str, country: str | None) -> str:
    """An issuer's name on the network.

    >>> issuer_of("visa", "DE"), issuer_of("amex", None)
    ('visa-DE', 'amex')
    """
    return brand if country is None else f"{brand}-{country}"


_BRANDS: tuple[tuple[str, tuple[tuple[int, int], ...]], ...] = (
    ("visa", ((4, 4),)),
    ("mastercard", ((51, 55), (2221, 2720))),
    ("amex", ((34, 34), (37, 37))),
    ("rupay", ((508500, 508999), (606985, 607984), (608001, 608500), (652150, 653149))),
    ("discover", ((6011, 6011), (644, 649), (65, 65))),
    ("jcb", ((3528, 3589),)),
    ("diners", ((300, 305), (3095, 3095), (36, 36), (38, 39))),
    ("unionpay", ((62, 62), (81, 81))),
)
"""Brand and the ranges of its leading digits; the first match counts, so RuPay stands before Discover."""

_COUNTRIES = {
    "036": "AU", "040": "AT", "056": "BE", "076": "BR", "124": "CA", "250": "FR", "276": "DE", "356": "IN",
    "372": "IE", "380": "IT", "392": "JP", "484": "MX", "528": "NL", "616": "PL", "620": "PT", "702": "SG",
    "710": "ZA", "724": "ES", "752": "SE", "756": "CH", "784": "AE", "826": "GB", "840": "US",
}  # fmt: skip
"""ISO 3166 numeric codes, as test numbers carry them behind their first digits."""

_ISSUED: dict[str, tuple[str, Funding]] = {
    **{f"400000{number}": (country, "credit") for number, country in _COUNTRIES.items()},
    **{f"40000{number}": (country, "credit") for number, country in _COUNTRIES.items()},
    **{f"55550{number}": (country, "debit") for number, country in _COUNTRIES.items()},
    "424242": ("US", "credit"),
    "400000": ("US", "credit"),
    "410000": ("US", "credit"),
    "400005": ("US", "debit"),
    "555555": ("US", "credit"),
    "520082": ("US", "debit"),
    "510510": ("US", "prepaid"),
    "378282": ("US", "credit"),
    "601111": ("US", "credit"),
}
"""Leading digits → country and funding."""

_PREFIX_DIGITS = (9, 8, 6)
"""The longest first, as the more exact range counts."""


def find_range(number: str) -> CardRange | None:
    """Where the network sends a number; None where no brand has it.

    >>> find_range("5555027600000003").issuer, find_range("9000000000000001")
    ('mastercard-DE', None)
    """
    brand = _brand(number)
    if brand is None:
        return None
    prefixes = [number[:digits] for digits in _PREFIX_DIGITS]
    country, funding = next((_ISSUED[prefix] for prefix in prefixes if prefix in _ISSUED), (None, None))
    return CardRange(brand, country, funding)


def _brand(number: str) -> str | None:
    for brand, ranges in _BRANDS:
        if any(low <= int(number[: len(str(low))]) <= high for low, high in ranges):
            return brand
    return None
