"""Moments as stores and models keep them: integer microseconds since 1970 UTC.

An event's moments lie from `EPOCH` to before `END` (the years 1970 to 2199): beyond is a mistake of whoever
wrote it, and leaves no room for what follows from an event, such as an identifier or a label's horizon.
"""

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
END = datetime(2200, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def microseconds(moment: datetime) -> int:
    """Microseconds since 1970 UTC, exact where `timestamp()` would round.

    >>> microseconds(datetime(1970, 1, 1, 0, 0, 1, 5, tzinfo=UTC))
    1000005
    """
    return (moment - EPOCH) // _MICROSECOND


def moment(at_us: int) -> datetime:
    """The aware time of microseconds since 1970 UTC.

    >>> moment(1000005)
    datetime.datetime(1970, 1, 1, 0, 0, 1, 5, tzinfo=datetime.timezone.utc)
    """
    return EPOCH + timedelta(microseconds=at_us)
