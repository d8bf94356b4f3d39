"""Durations as people write them: 90s, 15m, 12h, 7d, 2w."""

import re

from models.windows import DAY_US, HOUR_US, MINUTE_US, SECOND_US
from pipelines.errors import ReplayError

UNITS_US = {"s": SECOND_US, "m": MINUTE_US, "h": HOUR_US, "d": DAY_US, "w": 7 * DAY_US}


def duration_us(text: str) -> int:
    """Microseconds of a duration; raises `ReplayError`.

    >>> duration_us("7d") == 7 * 24 * duration_us("1h")
    True
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhdw])", text.strip())
    if match is None:
        raise ReplayError(f"{text!r} is not a duration such as 12h or 7d")
    return int(float(match[1]) * UNITS_US[match[2]])
