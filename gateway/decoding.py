"""Decoding bodies, JSON or form-encoded, into strict structs, as every listener does it.

Nothing that the caller sent is quoted in an error: only names of documented members, types and bounds.
"""

import re
from typing import Any, NamedTuple, TypeVar

import msgspec

from gateway.errors import InvalidRequestError, UnsupportedMediaError
from gateway.expected import documented_place, members_expected, value_expected
from gateway.forms import parse_form
from gateway.json_members import member_standing_twice

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"

T = TypeVar("T")

_PLACE = re.compile(r" - at (?:`key` in )?`\$(.*)`$")
_FIELD = re.compile(r"missing required field `(\w+)`")


class Decoded(NamedTuple):
    """A body as a tree; the leaves of a form are all text."""

    tree: Any
    from_form: bool = False


def decode_body(body: bytes, content_type: str | None, kind: Any) -> Decoded:
    """The tree of a body, JSON where no type is given; an empty body is an empty object.

    It is not checked against `kind`, whose members alone may be named in an error. Raises
    `InvalidRequestError`, `UnsupportedMediaError`.
    """
    media = (content_type or JSON).partition(";")[0].strip().lower()
    if media == FORM:
        return Decoded(parse_form(body), from_form=True)
    if not body:
        return Decoded({})
    if media != JSON:
        raise UnsupportedMediaError()
    try:
        tree = msgspec.json.decode(body)
        _refuse_twice(body, kind)
    except (ValueError, RecursionError):
        raise _no_json() from None
    return Decoded(tree)


def decode_json(body: bytes, kind: type[T]) -> T:
    """JSON as a value of `kind`; raises `InvalidRequestError`."""
    try:
        value = msgspec.json.decode(body, type=kind)
        _refuse_twice(body, kind)
    except msgspec.ValidationError as error:
        raise _explained(str(error), kind) from None
    except (ValueError, RecursionError):
        raise _no_json() from None
    return value


def convert(tree: Any, struct: type[T], *, strict: bool = True) -> T:
    """The tree as a struct; raises `InvalidRequestError`. Where not `strict`, text may be a number."""
    try:
        return msgspec.convert(tree, struct, strict=strict)
    except msgspec.ValidationError as error:
        raise _explained(str(error), struct) from None
    except (ValueError, RecursionError):
        raise InvalidRequestError("A value is not as documented.", code="parameter_invalid") from None


def _refuse_twice(body: bytes, kind: Any) -> None:
    path = member_standing_twice(body)
    if path is not None:
        param = _bracketed(documented_place(kind, path))
        raise InvalidRequestError(
            "A member stands twice in its object.", code="parameter_duplicate", param=param or None
        )


def _no_json() -> InvalidRequestError:
    return InvalidRequestError("The body is not valid JSON in UTF-8.", code="json_malformed")


def _explained(text: str, kind: Any) -> InvalidRequestError:
    """A decoder's complaint as an error that names the member and quotes nothing of the request."""
    found = _PLACE.search(text)
    place = found[1] if found else ""
    param = _bracketed(place)
    if missing := _FIELD.search(text):
        param = f"{param}[{missing[1]}]" if param else missing[1]
        return InvalidRequestError("A required member is missing.", code="parameter_missing", param=param)
    if "unknown field" in text:
        message = f"There is a member that is not documented. {members_expected(kind, place)}"
        return InvalidRequestError(message, code="parameter_unknown", param=param or None)
    message = value_expected(kind, place, text)
    return InvalidRequestError(message, code="parameter_invalid", param=param or None)


def _bracketed(place: str) -> str:
    """`.items[0].amount` → `items[0][amount]`; `[...]` stands for a name that the caller chose."""
    names = re.findall(r"\.(\w+)|\[([^\]]*)\]", place)
    parts = [member or index for member, index in names]
    return parts[0] + "".join(f"[{part}]" for part in parts[1:]) if parts else ""
