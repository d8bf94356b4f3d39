"""What every event has, and the numbers that may stand in one."""

from datetime import datetime
from typing import Annotated, ClassVar

import msgspec

Whole = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]
"""A whole number that every store can hold: beyond 64 bits SQLite and MessagePack fail."""
Count = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
"""What counts, or numbers what is counted: attempts, sequences, positions, versions."""


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    """What every event has. `VERSION` is the version that this build writes."""

    VERSION: ClassVar[int] = 1
    id: str
    occurred_at: datetime
    schema_version: Count = 1
