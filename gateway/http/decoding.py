"""Decoding bodies, JSON or form-encoded, into strict structs, as every listener does it.

Nothing that the caller sent is quoted in an error: only names of documented members, types and bounds, and
the place at which an unknown member stands.
"""

import re
from typing import Any, NamedTuple, TypeVar

import msgspec

from gateway.errors import InvalidRequestError, UnsupportedMediaError
from gateway.http.expected import at_member, documented_place, members_expected, names_at, value_expected
from gateway.http.forms import parse_form
from gateway.http.json_members import Path, member_standing_twice

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"

T = TypeVar("T")

_PLACE = re.compile(r" - at (?:`key` in )?`\$(.*)`$")
_BYTE = re.compile(r" \(byte [0-9]+\)")
_STEP = re.compile(r"\.(\w+)|\[([^\]]*)\]")
_NUL_ESCAPED = b"\\u0000"
"""The one spelling in JSON: as a byte it may not stand there."""
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
    except (ValueError, RecursionError) as error:
        raise _no_json(error) from None
    return Decoded(tree)


def decode_json(body: bytes, kind: type[T]) -> T:
    """JSON as a value of `kind`; raises `InvalidRequestError`."""
    try:
        value = msgspec.json.decode(body, type=kind)
        _refuse_twice(body, kind)
        if _NUL_ESCAPED in body:
            _refuse_nul(msgspec.json.decode(body), kind)
    except msgspec.ValidationError as error:
        raise _explained(str(error), kind) from None
    except (ValueError, RecursionError) as error:
        raise _no_json(error) from None
    return value


def convert(tree: Any, struct: type[T], *, strict: bool = True) -> T:
    """The tree as a struct; raises `InvalidRequestError`. Where not `strict`, all leaves are text."""
    try:
        _refuse_nul(tree, struct)
        return msgspec.convert(tree, struct, strict=strict)
    except msgspec.ValidationError as error:
        raise _explained(str(error), struct, tree, is_text=not strict) from None
    except (ValueError, RecursionError):
        raise InvalidRequestError("A value is not as documented.", code="parameter_invalid") from None


def _refuse_twice(body: bytes, kind: Any) -> None:
    path = member_standing_twice(body)
    if path is not None:
        param = bracketed(documented_place(kind, path))
        raise InvalidRequestError(
            "A member stands twice in its object.", code="parameter_duplicate", param=param or None
        )


def _refuse_nul(tree: Any, kind: Any) -> None:
    """Raises `InvalidRequestError` for the one character that databases do not keep in text."""
    way = _way_to_nul(tree)
    if way is not None:
        param = bracketed(documented_place(kind, way))
        message = at_member(param, "Text cannot hold the character NUL (U+0000).")
        raise InvalidRequestError(message, code="parameter_invalid", param=param or None)


def _way_to_nul(branch: Any) -> Path | None:
    if isinstance(branch, str):
        return () if "\0" in branch else None
    if not isinstance(branch, dict | list):
        return None
    for name, inner in branch.items() if isinstance(branch, dict) else enumerate(branch):
        way = () if isinstance(name, str) and "\0" in name else _way_to_nul(inner)
        if way is not None:
            return (name, *way)
    return None


def _no_json(error: Exception) -> InvalidRequestError:
    place = _BYTE.search(str(error))
    message = f"The body is not valid JSON in UTF-8{place[0] if place else ''}."
    return InvalidRequestError(message, code="json_malformed")


def _explained(text: str, kind: Any, tree: Any = None, *, is_text: bool = False) -> InvalidRequestError:
    """A decoder's complaint as an error that names the member and quotes nothing of the request."""
    found = _PLACE.search(text)
    place = found[1] if found else ""
    param = bracketed(place)
    if missing := _FIELD.search(text):
        param = f"{param}[{missing[1]}]" if param else missing[1]
        message = f"The required member {param} is missing."
        return InvalidRequestError(message, code="parameter_missing", param=param)
    if "unknown field" in text:
        message = f"{_unknown(kind, place, tree)} is not documented. {members_expected(kind, place)}"
        return InvalidRequestError(at_member(param, message), code="parameter_unknown", param=param or None)
    message = value_expected(kind, place, text, is_text=is_text)
    if " - at `key` in " in text:
        message = message.replace("Expected text", "Expected names")
    return InvalidRequestError(at_member(param, message), code="parameter_invalid", param=param or None)


def _unknown(kind: Any, place: str, tree: Any) -> str:
    """Which member of the object at `place` is not documented: by number, as its name is the caller's."""
    for member, index in _STEP.findall(place):
        tree = tree[int(index) if index else member] if tree else None
    known = names_at(kind, place)
    numbers = [number for number, name in enumerate(tree or (), 1) if name not in known]
    return f"Member {numbers[0]}" if numbers else "A member"


def bracketed(place: str) -> str:
    """`.items[0].amount` → `items[0][amount]`; `[...]` stands for a name that the caller chose."""
    names = _STEP.findall(place)
    parts = [member or index for member, index in names]
    return parts[0] + "".join(f"[{part}]" for part in parts[1:]) if parts else ""
