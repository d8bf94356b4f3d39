"""Bytes to events and back: decoded by type and version, old versions carried forward by upcasters.

The encoding is JSON (a person can read the log). A record that this build cannot read raises
`UnreadableEventError`, whose text never quotes the record.
"""

from collections.abc import Callable
from datetime import datetime
from functools import cache
from typing import Any, Union

import msgspec

from events.errors import UnreadableEventError
from events.moments import END, EPOCH
from events.types import EVENT_TYPES, Count, Event

Upcaster = Callable[[dict[str, Any]], dict[str, Any]]

UPCASTERS: dict[tuple[str, int], Upcaster] = {}
"""(type, version) → a function that carries the raw members of that version to the next one."""


class _Header(msgspec.Struct):
    type: str
    schema_version: Count = 1


def _type_name(event_type: type[Event]) -> str:
    return str(event_type.__struct_config__.tag)


BY_NAME: dict[str, type[Event]] = {_type_name(event_type): event_type for event_type in EVENT_TYPES}

_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for bytes that are no such event: the last for what is nested too deeply."""

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[Event] = msgspec.json.Decoder(Union[EVENT_TYPES])  # noqa: UP007  # a union of a tuple that is known when it runs
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
        event = _decoder.decode(value)
    except _UNREADABLE:
        return _decoded_in_steps(value)
    if event.schema_version != event.VERSION:
        return _decoded_in_steps(value)
    _check_times(event)
    return event


def _decoded_in_steps(value: bytes) -> Event:
    """Type and version first, so that an old version is carried forward and an error says what is wrong."""
    try:
        header = _header_decoder.decode(value)
    except _UNREADABLE:
        raise UnreadableEventError("the record is not a JSON object with a type and a version") from None
    event_type = BY_NAME.get(header.type)
    if event_type is None:
        raise UnreadableEventError("the event type is unknown to this build")
    if header.schema_version == event_type.VERSION:
        return _checked(lambda: _decoders[header.type].decode(value))
    return _upcast(value, header, event_type)


def _upcast(value: bytes, header: _Header, event_type: type[Event]) -> Event:
    try:
        members = msgspec.json.decode(value)
    except _UNREADABLE:
        raise UnreadableEventError("a member has the wrong shape, at $") from None
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
    except _UNREADABLE as error:
        # A validation error names members and types, after `$`; it never quotes values.
        place = str(error).rpartition("- at `")[2].rstrip("`") or "$"
        raise UnreadableEventError(f"a member has the wrong shape, at {place[:120]}") from None
    _check_times(event)
    return event


def _check_times(event: Event) -> None:
    for name in _times(type(event)):
        at = getattr(event, name)
        if at.tzinfo is None:
            raise UnreadableEventError(f"{name} has no time zone")
        if not EPOCH <= at < END:
            raise UnreadableEventError(f"{name} lies outside the years 1970 to 2199")


@cache
def _times(event_type: type[Event]) -> tuple[str, ...]:
    return tuple(field.name for field in msgspec.structs.fields(event_type) if field.type is datetime)
