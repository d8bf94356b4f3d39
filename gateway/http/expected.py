"""What a decoder's complaint means, in words: what was expected at a place, and nothing of what was sent."""

import re
from collections.abc import Iterable
from functools import cache
from typing import Any

from msgspec import inspect

from gateway.http.problems import REFERENCE

_KINDS = {
    "int": "a whole number",
    "float": "a fraction",
    "str": "text",
    "bool": "true or false",
    "object": "an object",
    "array": "a list",
    "null": "null",
    "datetime": "a time",
}
_UNITS = {
    "str": ("character", "characters"),
    "array": ("entry", "entries"),
    "object": ("member", "members"),
}
_WRONG_KIND = re.compile(r"Expected `([\w |]+)`, got `(\w+)`")
_BOUND = re.compile(r"Expected `(\w+)` (of length )?(>=|<=) (-?\d+)")
_TIME = "a time with its zone, such as 2026-01-05T10:00:00Z"


def at_member(param: str, message: str) -> str:
    """The message with the member that it is about: `amount: expected a whole number.`"""
    return f"{param}: {message[0].lower()}{message[1:]}" if param else message


def names_at(kind: Any, place: str) -> list[str]:
    """The documented names of the struct at `place`."""
    found = _at(kind, place)
    return [field.encode_name for field in found.fields] if isinstance(found, inspect.StructType) else []


def is_whole_number(kind: Any, path: Iterable[str | int]) -> bool:
    """Whether a whole number is documented at the path."""
    return isinstance(_at(kind, documented_place(kind, path)), inspect.IntType)


def members_expected(kind: Any, place: str) -> str:
    """The documented members of the struct at `place` (`.risk_context.items[0]`) of `kind`."""
    if not isinstance(_at(kind, place), inspect.StructType):
        return f"See {REFERENCE}."
    return f"Documented here: {', '.join(names_at(kind, place)) or 'none'} ({REFERENCE})."


def value_expected(kind: Any, place: str, complaint: str, *, is_text: bool = False) -> str:
    """The complaint about the value at `place`, in words; `is_text` where nothing but text can be sent."""
    found = _at(kind, place)
    if isinstance(found, inspect.LiteralType):
        return f"Expected one of: {', '.join(str(value) for value in found.values)}."
    if said := _WRONG_KIND.match(complaint):
        if is_text:
            return f"Expected {_kinds(said[1].removesuffix(' | null'))}."
        return f"Expected {_kinds(said[1])}, got {_kinds(said[2])}."
    if said := _BOUND.match(complaint):
        unit = f" {_UNITS[said[1]][said[4] != '1']}" if said[2] else ""
        side = "at least" if said[3] == ">=" else "at most"
        joint = " with" if said[2] else " of"
        return f"Expected {_kinds(said[1])}{joint} {side} {said[4]}{unit}."
    if isinstance(found, inspect.DateTimeType):
        return f"Expected {_TIME}."
    schema = found.extra_json_schema if isinstance(found, inspect.Metadata) else None
    return f"Expected {schema['description']}." if schema else "This value is not as documented."


def documented_place(kind: Any, path: Iterable[str | int]) -> str:
    """The path within `kind` as far as it is documented: `.metadata[...]`, where callers choose the names."""
    place = ""
    for part in path:
        outer = _at(kind, place)
        if isinstance(outer, inspect.DictType):
            step = "[...]"
        elif isinstance(part, int):
            step = f"[{part}]"
        else:
            step = f".{part}" if part.isidentifier() else ""
        if not step or _at(kind, place + step) is None:
            break
        place += step
    return place


def _kinds(names: str) -> str:
    return " or ".join(_KINDS.get(name, "another type") for name in names.split(" | "))


@cache
def _described(kind: Any) -> inspect.Type:
    return inspect.type_info(kind)


def _at(kind: Any, place: str) -> Any:
    """The documented type at a place, None where there is none."""
    found: Any = _plain(_described(kind))
    for member, index in re.findall(r"\.(\w+)|\[([^\]]*)\]", place):
        found = _plain(_within(found, member, index))
    return found


def _within(outer: Any, member: str, index: str) -> Any:
    if isinstance(outer, inspect.StructType):
        return next((field.type for field in outer.fields if field.encode_name == member), None)
    if isinstance(outer, inspect.ListType) and index:
        return outer.item_type
    return outer.value_type if isinstance(outer, inspect.DictType) and index else None


def _plain(found: Any) -> Any:
    """The one type of an optional member."""
    if isinstance(found, inspect.UnionType):
        return next(one for one in found.types if not isinstance(one, inspect.NoneType))
    return found
