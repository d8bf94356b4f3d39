"""What a card number says by itself: well formed or not, its brand, and for test ranges funding and country.

The brand ranges are public knowledge. The issuer table that is shipped holds only ranges that no bank issues
from: for every other number funding stays `unknown` and the country None, never guessed.
"""

from dataclasses import dataclass

from stdnum import luhn
from stdnum.exceptions import ValidationError

from events.vocabulary import Funding
from gateway.processor_port import TestRisk

NUMBER_DIGITS_MIN, NUMBER_DIGITS_MAX = 12, 19
"""ISO/IEC 7812."""

_BRANDS: tuple[tuple[str, tuple[tuple[int, int], ...], tuple[int, ...]], ...] = (
    ("visa", ((4, 4),), (13, 16, 19)),
    ("mastercard", ((51, 55), (2221, 2720)), (16,)),
    ("amex", ((34, 34), (37, 37)), (15,)),
    ("rupay", ((508500, 508999), (606985, 607984), (608001, 608500), (652150, 653149)), (16,)),
    ("discover", ((6011, 6011), (644, 649), (65, 65)), (16, 19)),
    ("jcb", ((3528, 3589),), (16, 17, 18, 19)),
    ("diners", ((300, 305), (3095, 3095), (36, 36), (38, 39)), (14, 16, 19)),
    ("unionpay", ((62, 62), (81, 81)), (16, 17, 18, 19)),
)
"""Brand, ranges of its leading digits, lengths; the first match counts, so RuPay stands before Discover."""

_TEST_COUNTRIES = {
    "036": "AU", "040": "AT", "056": "BE", "076": "BR", "124": "CA", "250": "FR", "276": "DE", "356": "IN",
    "372": "IE", "380": "IT", "392": "JP", "484": "MX", "528": "NL", "616": "PL", "620": "PT", "702": "SG",
    "710": "ZA", "724": "ES", "752": "SE", "756": "CH", "784": "AE", "826": "GB", "840": "US",
}  # fmt: skip
"""ISO 3166 numeric codes, as test numbers carry them behind their first digits."""


def _test_ranges() -> dict[str, tuple[Funding, str]]:
    ranges: dict[str, tuple[Funding, str]] = {
        "424242": ("credit", "US"),
        "400000": ("credit", "US"),
        "410000": ("credit", "US"),
        "400005": ("debit", "US"),
        "555555": ("credit", "US"),
        "520082": ("debit", "US"),
        "510510": ("prepaid", "US"),
        "378282": ("credit", "US"),
        "601111": ("credit", "US"),
    }
    for number, country in _TEST_COUNTRIES.items():
        ranges["400000" + number] = ("credit", country)
        ranges["40000" + number] = ("credit", country)
        ranges["55550" + number] = ("debit", country)
    return ranges


_TEST_RANGES = _test_ranges()
# The longest first, as the more exact range counts.
_TEST_PREFIX_DIGITS = (9, 8, 6)

TEST_CARD_RISKS: dict[str, TestRisk] = {
    "4100000000000019": "blocked",
    "4000000000004954": "highest",
    "4000000000009235": "elevated",
    **dict.fromkeys((
        "4242424242424242", "4000000000000002", "4000000000009995", "4000000000009987",
        "4000000000009979", "4000000000000069", "4000000000000127", "4000000000000119",
        "4000000000006975", "4000000000000341", "4000000000000101", "4000000000000036",
        "4000000000003220", "4000008400001629", "4000008400001280", "4000000000003055",
        "4000002760003184", "4000000000003238", "4000008260003178", "4000000000000259",
        "4000000000002685", "4000000000001976", "4000000000005423", "4000000404000079",
        "4000000000007726", "4000000000005126", "4000000000081002", "4000000000081010",
        "4000000000081028", "4000000000081036", "4000000000081044", "4000000000081051",
        "4000000000081069", "4000000000081077", "4000000000081085",
    ), "normal"),
}  # fmt: skip
"""The documented test cards and the risk that each always has, whatever the engine says.

Those without a risk of their own are `normal`: a merchant's tests use the same card again and again, which no
rule against rapid attempts may hold against it.
"""


@dataclass(frozen=True)
class CardRange:
    """What the leading digits tell. `country` is ISO 3166 alpha-2."""

    brand: str
    funding: Funding
    country: str | None


def has_card_shape(number: str) -> bool:
    """Whether the number has only ASCII digits, and as many as its brand has."""
    if not (number.isascii() and number.isdigit()):
        return False
    if not NUMBER_DIGITS_MIN <= len(number) <= NUMBER_DIGITS_MAX:
        return False
    lengths = next((lengths for name, _, lengths in _BRANDS if name == brand_of(number)), None)
    return lengths is None or len(number) in lengths


def passes_luhn(number: str) -> bool:
    """Whether the last digit is the check digit of the others (ISO/IEC 7812-1).

    >>> passes_luhn("4242424242424242"), passes_luhn("4242424242424241")
    (True, False)
    """
    try:
        luhn.validate(number)
    except ValidationError:
        return False
    return True


def brand_of(number: str) -> str:
    """The brand in lower case, `unknown` where no range fits.

    >>> brand_of("5555555555554444"), brand_of("9999999999999995")
    ('mastercard', 'unknown')
    """
    for brand, ranges, _ in _BRANDS:
        if any(low <= int(number[: len(str(low))]) <= high for low, high in ranges):
            return brand
    return "unknown"


def security_code_digits(brand: str) -> int:
    """How many digits the security code of a brand has."""
    return 4 if brand == "amex" else 3


def look_up(number: str) -> CardRange:
    """What the shipped tables know of a number.

    >>> look_up("4000002760003184")
    CardRange(brand='visa', funding='credit', country='DE')
    """
    for digits in _TEST_PREFIX_DIGITS:
        if number[:digits] in _TEST_RANGES:
            funding, country = _TEST_RANGES[number[:digits]]
            return CardRange(brand_of(number), funding, country)
    return CardRange(brand_of(number), "unknown", None)


def documented_risk(number: str) -> TestRisk | None:
    """What a documented test card asks of the risk decision."""
    return TEST_CARD_RISKS.get(number)
