"""ISO 8583:1987 as this acquirer network speaks it: ASCII fields, binary bitmaps, two bytes of length before.

A message is a `dict` of field number (and `t`, its type) to text.
"""

from collections.abc import Mapping

import iso8583
from iso8583.specs import default_ascii

from gateway.processor.errors import UnreadableMessageError, UnwritableMessageError

Fields = dict[str, str]

LENGTH_BYTES = 2
MESSAGE_BYTES_MAX = 2048

_FIXED = {"3": 6, "4": 12, "7": 10, "11": 6, "12": 6, "13": 4, "14": 4, "18": 4, "22": 3, "25": 2, "37": 12}
_FIXED |= {"38": 6, "39": 2, "41": 8, "42": 15, "43": 40, "49": 3, "70": 3, "90": 42}
_VARIABLE = {"2": 19, "32": 11}
_LONG = {"48": 999}


def _specification() -> dict[str, dict[str, object]]:
    specification = {name: dict(field) for name, field in default_ascii.items()}
    specification["p"] |= {"data_enc": "b", "max_len": 8}
    specification["1"] |= {"data_enc": "b", "max_len": 8}
    for length_digits, fields in ((0, _FIXED), (2, _VARIABLE), (3, _LONG)):
        for name, length in fields.items():
            specification[name] |= {"len_type": length_digits, "max_len": length, "data_enc": "ascii"}
    return specification


SPECIFICATION = _specification()


def encode(fields: Fields) -> bytes:
    """Raises `UnwritableMessageError` where a field is longer than the format takes, or of another kind."""
    try:
        return bytes(iso8583.encode(dict(fields), SPECIFICATION)[0])
    except iso8583.EncodeError as error:
        # The library's text quotes the field's value, which may be a card number.
        raise UnwritableMessageError(error.field) from None


def decode(message: bytes) -> Fields:
    """Raises `UnreadableMessageError`, which quotes nothing of the message but its header."""
    try:
        fields: Fields = iso8583.decode(message, SPECIFICATION)[0]
    except iso8583.DecodeError as error:
        raise UnreadableMessageError(f"field {error.field} cannot be read", error.doc_dec) from None
    except ValueError:
        raise UnreadableMessageError("the message cannot be read") from None
    return fields


def private_elements(elements: Mapping[str, str]) -> Fields:
    """Field 48: each element is two digits of tag, two of length, and its value; no field without elements.

    >>> private_elements({"92": "737"}), private_elements({})
    ({'48': '9203737'}, {})
    """
    content = "".join(f"{tag}{len(value):02}{value}" for tag, value in sorted(elements.items()))
    return {"48": content} if content else {}


def framed(message: bytes) -> bytes:
    """The message with its length (big-endian, the length itself not counted) before it."""
    return len(message).to_bytes(LENGTH_BYTES, "big") + message
