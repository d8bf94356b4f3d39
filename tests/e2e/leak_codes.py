"""Searching for a lone security code: three or four digits, which stand everywhere by chance.

So the digits count where what is around them says what they are: a field's name before them, a field of
ISO 8583, a card number in BCD, quotes, a form; or where a value that something holds is the code and nothing
else (`is_code`), as the cell of a database is.
"""

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

import msgspec

from tests.e2e.leak_patterns import Patterns

WINDOW_CHARACTERS = 48
"""As far around the digits as anything is looked for."""
NEEDLE_BYTES_MIN = 3
BCD_FIELDS_BYTES = 20
"""The rest of a card number in BCD, its expiry and its code lie within so much."""

_NAMES = (
    rb"(?:cv[cvn]2?|csc|(?:security|card|verification)[_ -]?code|verification[_ -]?value|"
    rb"card[_ -]?verification)"
)
_BETWEEN = rb"(?:%[0-9a-f]{2}|\\x[0-9a-f]{2}|\\u00[0-9a-f]{2}|bytearray\(b|[bu](?=['\"])|[^0-9a-z]){0,12}"
_NAMED = re.compile(_NAMES + _BETWEEN + rb"$", re.IGNORECASE)
_QUOTED = re.compile(rb"(?:[\"']|%2[27])$"), re.compile(rb"\\*(?:[\"']|%2[27])", re.IGNORECASE)
_FORM = re.compile(rb"(?:[a-z_\]]|%5D)=$", re.IGNORECASE), re.compile(rb"&")
_NAME = re.compile(_NAMES + rb"$", re.IGNORECASE)


class SecurityCode(NamedTuple):
    """A planted code, and the first digits (eleven or more) of the cards that it was planted with."""

    digits: str
    card_starts: tuple[str, ...] = ()


def found_codes(code: SecurityCode, content: bytes) -> set[str]:
    """By which form the code is in the bytes."""
    return {form for form, found in _forms(code, content) if found}


def is_code(code: SecurityCode, value: object) -> bool:
    """Whether a value is the code alone, or is MessagePack that holds it alone in some place.

    >>> is_code(SecurityCode("739"), b"739"), is_code(SecurityCode("739"), msgspec.msgpack.encode(["739"]))
    (True, True)
    >>> is_code(SecurityCode("739"), "7390"), is_code(SecurityCode("739"), 739)
    (False, False)
    """
    if isinstance(value, str):
        return value == code.digits
    if not isinstance(value, bytes):
        return False
    plain = code.digits.encode()
    if plain not in value:
        return False
    return value == plain or any(
        leaf == code.digits or leaf == plain
        for leaf in _leaves(_unpacked(value))
        if isinstance(leaf, str | bytes)
    )


def _forms(code: SecurityCode, content: bytes) -> Iterator[tuple[str, bool]]:
    needles, patterns = _needles(code)
    for name, at in patterns.places(content):
        kind, pattern = needles[name]
        after = at + len(pattern)
        if kind in _WIDTHS:
            yield from _text_forms(content, at, after, _WIDTHS[kind], kind)
        elif kind == "number":
            named = bool(_NAME.search(content[max(0, at - 24) : at]))
            yield "a named number in MessagePack", named
        elif kind == "card":
            soon = content[after : after + BCD_FIELDS_BYTES].hex()
            yield "BCD beside its card", any(half_bytes in soon for half_bytes in _padded(code.digits))
        else:
            yield kind, True


_WIDTHS = {"": 1, " in UTF-16": 2, " in UTF-32": 4}


@cache
def _needles(code: SecurityCode) -> tuple[dict[str, tuple[str, bytes]], Patterns]:
    """What to look for, each with what it then is: digits of a width, a field, a number, or a card beside."""
    found = [
        (kind, (b"\0" * (width - 1)).join(digit.encode() for digit in code.digits))
        for kind, width in _WIDTHS.items()
    ]
    found += [("field 48", field) for field in _iso_fields(code.digits)]
    found.append(("number", b"\xcd" + int(code.digits).to_bytes(2, "big")))
    for start in code.card_starts:
        found += [("card", bytes.fromhex(start[:10])), ("card", bytes.fromhex(start[1:11]))]
    numbered = {str(number): needle for number, needle in enumerate(found)}
    return numbered, Patterns([(name, pattern) for name, (_, pattern) in numbered.items()], NEEDLE_BYTES_MIN)


def _text_forms(content: bytes, at: int, end: int, width: int, kind: str) -> Iterator[tuple[str, bool]]:
    """What the digits are by what stands before and after them, read in one byte a character."""
    reach = WINDOW_CHARACTERS * width
    before, after = content[max(0, at - reach) : at], content[end : end + reach]
    if width > 1:
        before, after = before.replace(b"\0", b""), after.replace(b"\0", b"")
    yield f"named{kind}", bool(_NAMED.search(before)) and not after[:1].isdigit()
    yield f"quoted{kind}", bool(_QUOTED[0].search(before)) and bool(_QUOTED[1].match(after))
    yield f"a form's value{kind}", bool(_FORM[0].search(before)) and bool(_FORM[1].match(after))


def _iso_fields(digits: str) -> Iterator[bytes]:
    """Field 48 of an authorization with the code as its tag 92: in ASCII, EBCDIC, and with lengths in BCD."""
    inner = f"92{len(digits):02}{digits}"
    text = f"{len(inner):03}{inner}"
    yield text.encode()
    yield text.encode("cp500")
    yield bytes.fromhex(f"{len(inner):04}") + inner.encode()


def _padded(digits: str) -> tuple[str, ...]:
    """The code's half bytes, padded to whole bytes."""
    return (digits,) if len(digits) % 2 == 0 else (f"0{digits}", f"{digits}f", f"f{digits}")


def _unpacked(value: bytes) -> Any:
    try:
        return msgspec.msgpack.decode(value)
    except (msgspec.DecodeError, RecursionError):
        return None


def _leaves(tree: Any) -> Iterator[Any]:
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            waiting.extend([*node, *node.values()])
        elif isinstance(node, list | tuple):
            waiting.extend(node)
        else:
            yield node


def code_canaries(code: SecurityCode) -> dict[str, bytes]:
    """The code in each form that `found_codes` must find, each between other bytes."""
    digits, start = code.digits, code.card_starts[0]
    card = {"number": "tok_1", "cvc": digits}
    even = digits if len(digits) % 2 == 0 else f"0{digits}"
    inner = f"92{len(digits):02}{digits}"
    texts = {
        "JSON": json.dumps(card),
        "JSON in JSON": json.dumps(json.dumps({"security_code": digits})),
        "a JSON number": f'{{"cvv": {digits}}}',
        "JSON without a name": json.dumps(["4242", digits]),
        "Python's repr": repr(card),
        "Python's repr of bytes": repr({"cvc": digits.encode()}),
        "Python's repr of a bytearray": repr([bytearray(digits.encode())]),
        "a struct's repr": f"CardInput(number='…', exp_month=12, cvc='{digits}')",
        "a log line": f"CVV2: {digits} refused",
        "a form": f"card[cvc]={digits}",
        "a form, encoded": f"card%5Bcvc%5D={digits}",
        "a form's value": f"a=1&code={digits}&b=2",
        "a URL, encoded": f"%7B%22securityCode%22%3A%22{digits}%22%7D",
        "field 48": f"1200{len(inner):03}{inner}978",
    }
    found = {name: text.encode() for name, text in texts.items()}
    found |= {
        f"{name} in UTF-16": texts[name].encode("utf-16") for name in ("JSON", "Python's repr", "a form")
    }
    found["JSON in UTF-16, big"] = texts["JSON"].encode("utf-16-be")
    found["JSON in UTF-32"] = texts["JSON"].encode("utf-32-le")
    found["field 48 in EBCDIC"] = texts["field 48"].encode("cp500")
    found["field 48, its length in BCD"] = bytes.fromhex(f"{len(inner):04}") + inner.encode()
    found["MessagePack"] = msgspec.msgpack.encode(card)
    found["bytes in MessagePack"] = msgspec.msgpack.encode({"cvc": digits.encode()})
    found["a number in MessagePack"] = msgspec.msgpack.encode({"cvc": int(digits)})
    found["BCD beside its card"] = bytes.fromhex(f"{start[:10]}1735091234{even}")
    found["BCD beside its card, shifted"] = bytes.fromhex(f"f{start[:11]}7350{even}")
    return {name: b"<<" + content + b">>" for name, content in found.items()}
