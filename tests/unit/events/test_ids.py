"""Identifiers: UUIDs of version 7 from a time and randomness."""

from datetime import UTC, datetime
from uuid import RFC_4122, UUID

from hypothesis import given
from hypothesis import strategies as st

from events.ids import uuid7
from events.moments import END, EPOCH

MOMENTS = st.datetimes(
    EPOCH.replace(tzinfo=None), END.replace(tzinfo=None), timezones=st.just(UTC), allow_imaginary=False
)


@given(MOMENTS, st.binary(min_size=10, max_size=16))
def test_an_identifier_holds_its_time_and_randomness_beside_version_and_variant(
    at: datetime, entropy: bytes
) -> None:
    made = UUID(uuid7(at, entropy))

    milliseconds, random = int(at.timestamp() * 1000), int.from_bytes(entropy[:10], "big")
    assert (made.version, made.variant) == (7, RFC_4122)
    assert made.int >> 80 == milliseconds
    # All but the four bits of the version and the two of the variant.
    free = (1 << 80) - 1 - (0xF << 76) - (0b11 << 62)
    assert made.int & free == random & free
    assert str(made) == uuid7(at, entropy)
