"""Finding card numbers where none may be: in bodies, paths, queries and headers.

A card number is 13 to 19 digits of any script that begin, and are as many, as a brand's numbers are, and
pass Luhn's check, with at most two signs or spaces (three of the usual ones) between any two of them. One in
ten of other numbers passes that check too, so what is plainly something else is passed over: UUIDs and long
hexadecimal words, IP addresses, times, and lists of phone numbers. Nothing that is found is kept, logged or
quoted.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from ipaddress import IPv6Address
from itertools import accumulate
from typing import Any

from stdnum import iban

from gateway.cards import brand_of, has_card_shape

DIGITS_MIN, DIGITS_MAX = 13, 19

_USUAL = r"[\s()\[\]{}<>:#\-.·/\\_+*,;|‐‑‒–—―−\u00ad\u200b-\u200d\u2060\ufeff]"
_BETWEEN = rf"(?:{_USUAL}{{3}}|[\W_]{{1,2}}|[xX])"
_RUNS = re.compile(rf"\d+(?:{_BETWEEN}\d+)*")
_WORTH_A_LOOK = re.compile(rf"\d(?:{_BETWEEN}?\d){{{DIGITS_MIN - 1}}}")
_NETWORKS = re.compile(
    r"4|5[0-8]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720|30[0-5]|3095|3[46-9]|352[89]|35[3-8]|6|8[12]"
)
_USUAL_LENGTHS = (15, 16)
_BEYOND_A_CARD = re.compile(r"\d{17,}", re.ASCII)
_LIST_SIGN = re.compile(r"[,;|/\n]")
PHONE_DIGITS_MIN, PHONE_DIGITS_MAX = 7, 15
"""A phone number is no longer (E.164), and hardly shorter."""

_IDENTIFIER = re.compile(
    r"(?<![0-9A-Za-z])"
    r"(?:[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}|(?=\d*[a-fA-F])[0-9a-fA-F]{24,})"
    r"(?![0-9A-Za-z])"
)
_TIME = re.compile(
    r"(?<!\d)(?:19|20)\d\d([-/]?)(?:0[1-9]|1[0-2])\1(?:0[1-9]|[12]\d|3[01])"
    r"[T ]?(?:[01]\d|2[0-3])(:?)[0-5]\d\2[0-5]\d(?:[.,]\d{1,9})?(?!\d)"
)
_OCTET = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_IPV4 = rf"{_OCTET}(?:\.{_OCTET}){{3}}(?::\d{{1,5}})?"
# Not beside other digits: four small groups and a dot between them may be a part of a card number too.
_IPV4_LIST = re.compile(
    r"(?<!\d)(?<!\d[\W_])(?<!\d[\W_][\W_])"
    rf"{_IPV4}(?:[\s,;|/]{{1,3}}{_IPV4})*(?!(?:{_BETWEEN})?\d)"
)
# What is handed out begins with 2, as hardly any card number does.
_LIKE_IPV6 = re.compile(r"(?<![\w:.])2[0-9a-fA-F]{3}:[0-9a-fA-F:]+(?![\w:.])")

_PASSED_OVER = " and "
"""What stands in the place of something else, or between two texts: no sign that may be within a number.

Letters, so that digits before and after it do not meet.
"""


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
    for other in (_IDENTIFIER, _TIME, _IPV4_LIST):
        text = other.sub(_PASSED_OVER, text)
    text = _LIKE_IPV6.sub(_unless_ipv6, text)
    return any(_run_holds_one(run) for run in _RUNS.findall(text))


def account_holds_card_number(account: str) -> bool:
    """Whether an account's digits, too many for a card, hold a card number with more before or after it.

    Only 15 or 16 digits of a known brand, and not of an IBAN. Still one in fourteen numbers of 17 digits
    looks like that; but what banks give out is shorter, or begins with zeros.

    >>> account_holds_card_number("14242424242424242"), account_holds_card_number("00000030123456789")
    (True, False)
    """
    if iban.is_valid(account):
        return False
    windows = (
        digits[start : start + length]
        for digits in _BEYOND_A_CARD.findall(account)
        for length in _USUAL_LENGTHS
        for start in range(len(digits) - length + 1)
    )
    return any(brand_of(window) != "unknown" and _is_card_number(window) for window in windows)


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
    """Whether one of the texts holds a card number; they are looked through as one."""
    return holds_card_number(_PASSED_OVER.join(texts))


def _run_holds_one(run: str) -> bool:
    """Whether some neighboring groups of digits, each of them whole, are a card number."""
    groups, gaps = re.findall(r"\d+", run), re.split(r"\d+", run)[1:-1]
    western = "".join(str(unicodedata.decimal(digit)) for group in groups for digit in group)
    ends = [0, *accumulate(map(len, groups))]
    phones = _is_list_of_phones(run)
    return any(
        _is_card_number(western[ends[first] : ends[last]])
        and _is_one_number(groups[first:last], gaps[first : last - 1], phones=phones)
        for first, last in _windows(western, ends)
    )


def _windows(digits: str, ends: list[int]) -> Iterator[tuple[int, int]]:
    """First and last (exclusive) of neighboring groups that begin as a card number does, and are as long."""
    for first, start in enumerate(ends[:-1]):
        if _NETWORKS.match(digits, start):
            for last in range(first + 1, len(ends)):
                if ends[last] - start > DIGITS_MAX:
                    break
                if ends[last] - start >= DIGITS_MIN:
                    yield first, last


def _is_list_of_phones(run: str) -> bool:
    """Whether there are signs of a list, and each part between them is as long as a phone number."""
    lengths = [sum(map(str.isdecimal, part)) for part in _LIST_SIGN.split(run)]
    return len(lengths) > 1 and all(
        PHONE_DIGITS_MIN <= length <= PHONE_DIGITS_MAX for length in lengths if length
    )


def _is_one_number(groups: list[str], gaps: list[str], *, phones: bool) -> bool:
    """Whether groups may be meant as one number: in fours they are always, as cards are printed."""
    in_fours = all(len(group) == 4 for group in groups[:-1])
    if any(gap in ("x", "X") for gap in gaps):
        return in_fours  # else it is the size of something
    return in_fours or not (phones and any(map(_LIST_SIGN.search, gaps)))


def _unless_ipv6(match: re.Match[str]) -> str:
    try:
        IPv6Address(match[0])
    except ValueError:
        return match[0]
    return _PASSED_OVER


def _is_card_number(digits: str) -> bool:
    return _passes_luhn(digits.encode()) and has_card_shape(digits)


def _passes_luhn(digits: bytes) -> bool:
    """As `gateway.cards` has it, twenty times as fast: one body may hold a hundred thousand candidates."""
    return (sum(digits[-1::-2].translate(_ONCE)) + sum(digits[-2::-2].translate(_TWICE))) % 10 == 0


_DIGITS = b"0123456789"
_ONCE = bytes.maketrans(_DIGITS, bytes(range(10)))
_TWICE = bytes.maketrans(_DIGITS, bytes([0, 2, 4, 6, 8, 1, 3, 5, 7, 9]))
