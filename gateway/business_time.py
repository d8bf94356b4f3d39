"""The time of its own that a request may carry in test mode, as both processes read it."""

from datetime import UTC, datetime

import msgspec

from gateway.errors import InvalidRequestError

TEST_TIME_HEADER = "weir-test-time"
_YEARS = range(1990, 2101)


def parse_test_time(text: str) -> datetime:
    """RFC 3339 with a zone; raises `InvalidRequestError`."""
    try:
        at = msgspec.convert(text, datetime)
    except msgspec.ValidationError:
        at = None
    if at is None or at.tzinfo is None or at.year not in _YEARS:
        raise InvalidRequestError(
            "Give a time such as 2026-01-05T10:00:00.000000Z.",
            code="parameter_invalid",
            param=TEST_TIME_HEADER,
        )
    return at.astimezone(UTC)
