"""What proves to the issuer that its cardholder was authenticated: made by its server, checked by itself.

A proof is good for one card, amount, currency and transaction; both sides know the issuers' secret. With it
goes an indicator (ECI) by brand: fully authenticated, or attempted where the issuer could not do it.
"""

import hashlib
import hmac
from base64 import b64encode
from typing import Literal

Strength = Literal["full", "attempted"]

_FULL_AND_ATTEMPTED = {"mastercard": ("02", "01")}
_OTHERS = ("05", "06")
"""Visa's, and those of every brand but Mastercard."""


def eci(number: str, strength: Strength) -> str:
    """The indicator of a card's brand.

    >>> eci("4000000000003220", "full"), eci("5555555555554444", "attempted")
    ('05', '01')
    """
    mastercard = number[:2] in {"51", "52", "53", "54", "55"} or "2221" <= number[:4] <= "2720"
    full, attempted = _FULL_AND_ATTEMPTED["mastercard"] if mastercard else _OTHERS
    return full if strength == "full" else attempted


def is_full(indicator: str) -> bool:
    """Whether the indicator says that the cardholder was authenticated."""
    return indicator in {_OTHERS[0], _FULL_AND_ATTEMPTED["mastercard"][0]}


def fingerprint(secret: bytes, number: str) -> str:
    """What stands for a card's number where it is to be kept."""
    return hmac.new(secret, number.encode(), hashlib.sha256).hexdigest()


def proof(
    secret: bytes, card: str, amount_minor: int, currency: str, transaction_id: str, indicator: str
) -> str:
    """Twenty bytes in base 64: 28 characters, as the networks carry them. `card` is its fingerprint."""
    said = "|".join((card, str(amount_minor), currency, transaction_id, indicator))
    return b64encode(hmac.new(secret, said.encode(), hashlib.sha256).digest()[:20]).decode()


def holds(
    secret: bytes,
    number: str,
    amount_minor: int,
    currency: str,
    transaction_id: str,
    indicator: str,
    given: str,
) -> bool:
    """Whether a proof is one."""
    card = fingerprint(secret, number)
    expected = proof(secret, card, amount_minor, currency, transaction_id, indicator)
    return hmac.compare_digest(expected.encode(), given.encode())
