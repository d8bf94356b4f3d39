"""Structs in the words of JSON Schema, as an OpenAPI document holds them.

What is checked by code and not by type stands here beside it (`_NARROWED`), so that a document promises no
more than is taken.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import iso4217
import msgspec

from gateway.countries import COUNTRIES

Narrowed = Mapping[str, Mapping[str, Any]]

_REF = "#/components/schemas/{name}"


def _any_of(codes: Iterable[str]) -> str:
    """A pattern of these codes, capitals or not: not a list of both, of which clients make one name."""
    return f"^({'|'.join(''.join(f'[{sign}{sign.lower()}]' for sign in code) for code in sorted(codes))})$"


_NARROWED: dict[str, dict[str, Any]] = {
    "a currency in three letters (ISO 4217)": {
        "type": "string",
        "pattern": _any_of(one.code for one in iso4217.Currency if one.exponent is not None),
    },
    "an IPv4 or IPv6 address": {"type": "string", "anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]},
    "a country in two letters (ISO 3166)": {"type": "string", "pattern": _any_of(COUNTRIES)},
    "an amount in major units, such as 12.50, as a number without exponent or as text": {
        "anyOf": [
            {"type": "number", "exclusiveMinimum": 0, "maximum": 10**12},
            {"type": "string", "pattern": r"^[0-9]{1,13}(\.[0-9]{1,4})?$"},
        ]
    },
}
"""Described types whose values the code looks up or reads: what it takes."""


def schemas_of(kinds: Iterable[Any], narrowed: Narrowed) -> tuple[dict[Any, Any], dict[str, Any]]:
    """The schema of each type, and the components that they refer to; `narrowed` are described types of
    which the listener says more."""
    ordered = sorted(kinds, key=str)
    schemas, components = msgspec.json.schema_components(ordered, ref_template=_REF)
    of = {kind: _plain(schema, narrowed) for kind, schema in zip(ordered, schemas, strict=True)}
    return of, {name: _plain(schema, narrowed) for name, schema in components.items()}


def parameters_of(
    query: type[msgspec.Struct], example: msgspec.Struct | None, narrowed: Narrowed
) -> list[dict[str, Any]]:
    """The parameters that a query may hold; those of the example that are not as they are anyway show it."""
    _, components = msgspec.json.schema_components([query], ref_template=_REF)
    schema = components[query.__name__]
    shown = {} if example is None else as_asked(example)
    return [
        {
            "name": "expand[]" if name == "expand" else name,
            "in": "query",
            "required": name in schema.get("required", ()),
            # Who sends a parameter gives it a value: there is no null in a query.
            "schema": _plain(_without_null(member), narrowed),
            # A range is sent as `created[gte]=…`.
            **({"style": "deepObject", "explode": True} if name == "created" else {}),
            **({"example": shown[name]} if name in shown else {}),
        }
        for name, member in schema["properties"].items()
    ]


def in_brackets(body: type[msgspec.Struct]) -> dict[str, Any]:
    """How a form writes members that are no plain values: `card[number]=…`, as deep as they go."""
    _, components = msgspec.json.schema_components([body], ref_template=_REF)
    members = components[body.__name__]["properties"].items()
    return {name: {"style": "deepObject", "explode": True} for name, member in members if _is_nested(member)}


def as_asked(example: msgspec.Struct) -> dict[str, Any]:
    """A request as a caller writes it: without what is left out."""
    written: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(example))
    fields = {field.encode_name: getattr(example, field.name) for field in msgspec.structs.fields(example)}
    defaults = {field.encode_name: field.default for field in msgspec.structs.fields(example)}
    return {
        name: as_asked(fields[name]) if isinstance(fields[name], msgspec.Struct) else value
        for name, value in written.items()
        if value != defaults[name] and value not in ({}, None)
    }


def _is_nested(schema: dict[str, Any]) -> bool:
    kinds = schema.get("anyOf", [schema])
    return any("$ref" in kind or kind.get("type") in ("object", "array") for kind in kinds)


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    kinds = [kind for kind in schema.get("anyOf", ()) if kind != {"type": "null"}]
    return kinds[0] if len(kinds) == 1 else {**schema, "anyOf": kinds} if kinds else schema


def _plain(schema: Any, narrowed: Narrowed) -> Any:
    """With JSON Schema's own patterns, no character NUL, and looked-up values as lists."""
    if isinstance(schema, list):
        return [_plain(part, narrowed) for part in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {name: _plain(part, narrowed) for name, part in schema.items()}
    if "propertyNames" in schema:
        schema["propertyNames"] = _plain({"type": "string", **schema["propertyNames"]}, narrowed)
    # Among properties there may be one of that name.
    meaning = schema.get("description")
    if isinstance(meaning, str) and (known := _NARROWED.get(meaning) or narrowed.get(meaning)):
        return {"description": meaning, **known}
    if schema.get("type") == "string" and "enum" not in schema:
        pattern = schema.get("pattern", r"^[^\u0000]*$")
        schema["pattern"] = pattern.replace(r"\Z", "$")
    return schema
