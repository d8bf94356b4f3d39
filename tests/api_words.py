"""Request members as the API reference words them: name, type with bounds, and whether it must be there."""

from collections.abc import Callable
from typing import Any

import msgspec
from msgspec import inspect

Line = tuple[str, str, str]


def members(struct: type[msgspec.Struct]) -> list[Line]:
    """Each member of a request: its name, its type in words, and `required`, its default or nothing."""
    info = inspect.type_info(struct)
    assert isinstance(info, inspect.StructType)
    return [(f"`{field.encode_name}`", type_in_words(field.type), _needed(field)) for field in info.fields]


def type_in_words(kind: Any) -> str:
    """A documented type with its bounds; what may be null is worded as what it is else."""
    if isinstance(kind, inspect.UnionType):
        return " or ".join(type_in_words(one) for one in kind.types if not isinstance(one, inspect.NoneType))
    if isinstance(kind, inspect.Metadata):
        described = str((kind.extra_json_schema or {})["description"])
        return "identifier" if described.startswith("an identifier") else described
    return _WORDS[type(kind)](kind)


def _needed(field: inspect.Field) -> str:
    if field.required:
        return "required"
    plain = isinstance(field.default, str | int) and not isinstance(field.default, bool)
    return f"default `{field.default}`" if plain else ""


def _bounded(kind: Any) -> str:
    least, most = kind.min_length, kind.max_length
    if most is None:
        return ""
    return f" of {least} to {most}" if least else f" of at most {most}"


def _number(kind: inspect.IntType) -> str:
    least = kind.ge if kind.ge is not None else None if kind.gt is None else kind.gt + 1
    return "whole number" if least is None else f"whole number, {least} to {kind.le}"


def _dictionary(kind: inspect.DictType) -> str:
    names, values = type_in_words(kind.key_type), type_in_words(kind.value_type)
    return f"object{_bounded(kind)} members: names {names}, values {values}"


_WORDS: dict[type, Callable[[Any], str]] = {
    inspect.StrType: lambda kind: f"text{_bounded(kind)}" + (" characters" if kind.max_length else ""),
    inspect.IntType: _number,
    inspect.BoolType: lambda _: "true or false",
    inspect.DateTimeType: lambda _: "a time with its zone (RFC 3339)",
    inspect.LiteralType: lambda kind: " or ".join(f"`{value}`" if value else '`""`' for value in kind.values),
    inspect.ListType: lambda kind: f"list{_bounded(kind)}: {type_in_words(kind.item_type)}",
    inspect.DictType: _dictionary,
    inspect.StructType: lambda kind: f"object, see {kind.cls.__name__.removesuffix('Input')}",
}
