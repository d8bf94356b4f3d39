"""Bytes to events and back: decoded by type and version, old versions carried forward by upcasters.

The encoding is JSON (a person can read the log). A record that this build cannot read raises
`UnreadableEventError`, whose text never quotes the record.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from events.errors import UnreadableEventError
from events.types import EVENT_TYPES, Event

Upcaster = Callable[[dict[str, Any]], dict[str, Any]]

UPCASTERS: dict[tuple[str, int], Upcaster] = {}
"""(type, version) → a function that carries the raw members of that version to the next one."""


class _Header(msgspec.Struct):
    type: str
    schema_version: int = 1


def _type_name(event_type: type[Event]) -> str:
    return str(event_type.__struct_config__.tag)


BY_NAME: dict[str, type[Event]] = {_type_name(event_type): event_type for event_type in EVENT_TYPES}

_encoder = msgspec.json.Encoder()
_decoders = {name: msgspec.json.Decoder(event_type) for name, event_type in BY_NAME.items()}
_header_decoder = msgspec.json.Decoder(_Header)


def encode(event: Event) -> bytes:
    """One event as UTF-8 JSON with its `type` and `schema_version`."""
    return _encoder.encode(event)


def decode(value: bytes | None) -> Event:
    """The event of one record; raises `UnreadableEventError`."""
    if value is None:
        raise UnreadableEventError("the record has no value")
    try:
        header = _header_decoder.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise UnreadableEventError("the record is not a JSON object with a type and a version") from None
    event_type = BY_NAME.get(header.type)
    if event_type is None:
        raise UnreadableEventError("the event type is unknown to this build")
    if header.schema_version == event_type.VERSION:
        return _checked(lambda: _decoders[header.type].decode(value))
    return _upcast(value, header, event_type)


def _upcast(value: bytes, header: _Header, event_type: type[Event]) -> Event:
    members = msgspec.json.decode(value)
    for version in range(header.schema_version, event_type.VERSION):
        upcaster = UPCASTERS.get((header.type, version))
        if upcaster is None:
            raise UnreadableEventError(f"no upcaster from version {version} of {header.type}")
        members = upcaster(members)
    if header.schema_version > event_type.VERSION:
        raise UnreadableEventError(f"{header.type} has a version newer than this build reads")
    members["schema_version"] = event_type.VERSION
    return _checked(lambda: msgspec.convert(members, event_type))


def _checked(read: Callable[[], Event]) -> Event:
    try:
        event = read()
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        # A validation error names members and types, after `$`; it never quotes values.
        place = str(error).rpartition("- at `")[2].rstrip("`") or "$"
        raise UnreadableEventError(f"a member has the wrong shape, at {place[:120]}") from None
    if event.occurred_at.tzinfo is None:
        raise UnreadableEventError("occurred_at has no time zone")
    return event
