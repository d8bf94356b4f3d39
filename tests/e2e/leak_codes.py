"""Searching for a lone security code: three or four digits, which stand everywhere by chance.

So the digits count where what is around them says what they are: a field's name before them, a field of
ISO 8583, a card number in BCD, quotes, a form; or where a value that something holds is the code and nothing
else (`is_code`), as the cell of a database is.
"""

import json
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

WINDOW_CHARACTERS = 48
"""As far around the digits as anything is looked for."""
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
    for width, name in ((1, ""), (2, " in UTF-16"), (4, " in UTF-32")):
        for before, after in _around(code.digits, content, width):
            yield f"named{name}", bool(_NAMED.search(before)) and not after[:1].isdigit()
            yield f"quoted{name}", bool(_QUOTED[0].search(before)) and bool(_QUOTED[1].match(after))
            yield f"a form's value{name}", bool(_FORM[0].search(before)) and bool(_FORM[1].match(after))
    for field in _iso_fields(code.digits):
        yield "field 48", field in content
    for at in _places(b"\xcd" + int(code.digits).to_bytes(2, "big"), content):
        yield "a named number in MessagePack", bool(_NAME.search(content[max(0, at - 24) : at]))
    for start in code.card_starts:
        yield "BCD beside its card", _bcd_beside(code.digits, start, content)


def _around(digits: str, content: bytes, width: int) -> Iterator[tuple[bytes, bytes]]:
    """What stands before and after each occurrence, in one byte a character."""
    pattern = (b"\0" * (width - 1)).join(digit.encode() for digit in digits)
    reach = WINDOW_CHARACTERS * width
    for at in _places(pattern, content):
        before = content[max(0, at - reach) : at]
        after = content[at + len(pattern) : at + len(pattern) + reach]
        yield (before, after) if width == 1 else (before.replace(b"\0", b""), after.replace(b"\0", b""))


def _places(pattern: bytes, content: bytes) -> Iterator[int]:
    at = content.find(pattern)
    while at >= 0:
        yield at
        at = content.find(pattern, at + 1)


def _iso_fields(digits: str) -> Iterator[bytes]:
    """Field 48 of an authorization with the code as its tag 92: in ASCII, EBCDIC, and with lengths in BCD."""
    inner = f"92{len(digits):02}{digits}"
    text = f"{len(inner):03}{inner}"
    yield text.encode()
    yield text.encode("cp500")
    yield bytes.fromhex(f"{len(inner):04}") + inner.encode()


def _bcd_beside(digits: str, start: str, content: bytes) -> bool:
    """Whether the code's half bytes, padded to whole bytes, follow soon after a card number in BCD."""
    padded = (digits,) if len(digits) % 2 == 0 else (f"0{digits}", f"{digits}f", f"f{digits}")
    return any(
        half_bytes in content[at + len(number) : at + len(number) + BCD_FIELDS_BYTES].hex()
        for number in (bytes.fromhex(start[:10]), bytes.fromhex(start[1:11]))
        for at in _places(number, content)
        for half_bytes in padded
    )


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
