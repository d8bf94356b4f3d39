"""Members that several request bodies have, with their bounds."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

Text = Annotated[str, Meta(min_length=1, max_length=255)]
# `\Z`, as `$` would let a last newline through.
Identifier = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9_]{1,64}\Z",
        description="an identifier as it was given to you: 1 to 64 letters, digits and underscores",
    ),
]
Currency = Annotated[
    str, Meta(pattern=r"^[A-Za-z]{3}\Z", description="a currency in three letters (ISO 4217)")
]
ReturnUrl = Annotated[
    str,
    Meta(
        max_length=2048,
        pattern=r"^https?://[A-Za-z0-9.:\[\]-]+([/?#][!-~]*)?\Z",
        description="an address (https:// or http://) of at most 2048 characters",
    ),
]
Email = Annotated[str, Meta(max_length=254, pattern=r"^[^@\s]+@[^@\s]+\Z", description="an email address")]
# Nothing takes away what was given before.
EmailOrNothing = Annotated[
    str,
    Meta(max_length=254, pattern=r"^([^@\s]+@[^@\s]+)?\Z", description="an email address, or nothing"),
]
IpAddress = Annotated[str, Meta(max_length=45, description="an IPv4 or IPv6 address")]
Moment = Annotated[datetime, Meta(tz=True)]
MetadataKey = Annotated[str, Meta(min_length=1, max_length=40)]
MetadataValue = Annotated[str, Meta(max_length=500)]
METADATA_MAX = 50
Metadata = Annotated[dict[MetadataKey, MetadataValue], Meta(max_length=METADATA_MAX)]


class Body(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every request body obeys."""


UnixSeconds = Annotated[int, Meta(ge=0, le=253_402_300_799)]


class CreatedRange(Body, frozen=True, kw_only=True):
    """When something was created, in Unix seconds: after, from, before, up to."""

    gt: UnixSeconds | None = None
    gte: UnixSeconds | None = None
    lt: UnixSeconds | None = None
    lte: UnixSeconds | None = None


class Paging(Body, frozen=True, kw_only=True):
    """What every list takes."""

    limit: Annotated[int, Meta(ge=1, le=100)] = 10
    starting_after: Identifier | None = None
    ending_before: Identifier | None = None
    created: CreatedRange | None = None
