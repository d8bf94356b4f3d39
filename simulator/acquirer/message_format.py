"""The network's own book of ISO 8583:1987: ASCII fields, binary bitmaps, two bytes of length before.

A message is a `dict` of field number (and `t`, its type) to text. Members keep their own copy of the book;
a contract test holds the copies to each other.
"""

import iso8583
from iso8583.specs import default_ascii

from simulator.acquirer.errors import MessageError

Fields = dict[str, str]

LENGTH_BYTES = 2
MESSAGE_BYTES_MAX = 2048

FIELD_LENGTHS: dict[str, tuple[int, int]] = {
    "2": (2, 19),
    "3": (0, 6),
    "4": (0, 12),
    "7": (0, 10),
    "11": (0, 6),
    "12": (0, 6),
    "13": (0, 4),
    "14": (0, 4),
    "18": (0, 4),
    "22": (0, 3),
    "25": (0, 2),
    "32": (2, 11),
    "37": (0, 12),
    "38": (0, 6),
    "39": (0, 2),
    "41": (0, 8),
    "42": (0, 15),
    "43": (0, 40),
    "48": (3, 999),
    "49": (0, 3),
    "70": (0, 3),
    "90": (0, 42),
}
"""Field → digits of its length (0: fixed), and its longest content in characters."""


def _specification() -> dict[str, dict[str, object]]:
    specification = {name: dict(field) for name, field in default_ascii.items()}
    for bitmap in ("p", "1"):
        specification[bitmap] |= {"data_enc": "b", "max_len": 8}
    for name, (length_digits, length) in FIELD_LENGTHS.items():
        specification[name] |= {"len_type": length_digits, "max_len": length, "data_enc": "ascii"}
    return specification


SPECIFICATION = _specification()


def encode(fields: Fields) -> bytes:
    """The bytes of a message, as the other side expects them."""
    return bytes(iso8583.encode(dict(fields), SPECIFICATION)[0])


def decode(message: bytes) -> Fields:
    """Raises `MessageError`."""
    try:
        fields: Fields = iso8583.decode(message, SPECIFICATION)[0]
    except iso8583.DecodeError as error:
        raise MessageError("the bytes are no message of this network", error.doc_dec) from None
    except ValueError:
        raise MessageError("the bytes are no message of this network") from None
    unknown = fields.keys() - FIELD_LENGTHS.keys() - {"h", "t", "p", "1"}
    if unknown:
        raise MessageError(f"field {min(unknown)} is not in the network's book", fields)
    return fields


def private_elements(fields: Fields) -> dict[str, str]:
    """The elements of field 48 by their tags: two digits of tag, two of length, and the value.

    Raises `MessageError` where the field is cut off or holds anything else.

    >>> private_elements({"48": "710119203737"})
    {'71': '1', '92': '737'}
    """
    content, elements = fields.get("48", ""), {}
    while content:
        tag, length, rest = content[:2], content[2:4], content[4:]
        if not (tag + length).isdecimal() or len(length) != 2 or int(length) > len(rest):
            raise MessageError("field 48 cannot be read", fields)
        elements[tag], content = rest[: int(length)], rest[int(length) :]
    return elements
