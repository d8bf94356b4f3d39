"""Finding card numbers where none may be: in bodies, paths, queries and headers of the API.

A card number is 13 to 19 digits of any script that begin as a network's numbers do and pass Luhn's check,
written in one or in groups. Long hexadecimal words and UUIDs are identifiers and are passed over. Nothing
that is found is kept, logged or quoted.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Any

from stdnum import luhn

DIGITS_MIN, DIGITS_MAX = 13, 19

_BETWEEN = r"[\s\-.·/\\_+*,;|‐‑‒–—―−\u00ad\u200b-\u200d\u2060\ufeff]{1,3}"
_GROUPS = re.compile(rf"\d+(?:{_BETWEEN}\d+)*")
_WORTH_A_LOOK = re.compile(rf"\d(?:(?:{_BETWEEN})?\d){{{DIGITS_MIN - 1}}}")
_NETWORKS = re.compile(r"4|5[0-8]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720|3[0-9]|6|8[12]")
_IDENTIFIER = re.compile(
    r"(?<![0-9A-Za-z])"
    r"(?:[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|(?=\d*[a-fA-F])[0-9a-fA-F]{24,})"
    r"(?![0-9A-Za-z])"
)


def holds_card_number(text: str) -> bool:
    """Whether a text holds a card number.

    >>> holds_card_number("pay with 4242 4242-4242.4242 please")
    True
    >>> holds_card_number("order 4242424242424241 of 2026-01-05")
    False
    """
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    if not _WORTH_A_LOOK.search(text):
        return False
    plain = _IDENTIFIER.sub(" x ", text)
    return any(_is_card_number(digits) for run in _GROUPS.findall(plain) for digits in _windows(run))


def texts_in(tree: Any) -> Iterator[str]:
    """Every string, key and number of a decoded body, however deep."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, str):
            yield node
        elif isinstance(node, dict):
            waiting.extend(node)
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)
        elif isinstance(node, int | float) and 10 ** (DIGITS_MIN - 1) <= node < 10**DIGITS_MAX:
            yield str(int(node))


def any_holds_card_number(texts: Iterable[str]) -> bool:
    """Whether one of the texts holds a card number."""
    return any(holds_card_number(text) for text in texts)


def _windows(run: str) -> Iterator[str]:
    """Runs of whole neighboring groups that have a card number's length."""
    groups = re.findall(r"\d+", run)
    for first in range(len(groups)):
        digits = ""
        for group in groups[first:]:
            digits += group
            if len(digits) > DIGITS_MAX:
                break
            if len(digits) >= DIGITS_MIN:
                yield digits


def _is_card_number(digits: str) -> bool:
    western = "".join(str(unicodedata.decimal(digit)) for digit in digits)
    return _NETWORKS.match(western) is not None and bool(luhn.is_valid(western))
