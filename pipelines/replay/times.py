"""Times in a file of history: which forms are read, and what to say of those that are not."""

import re
from datetime import UTC, datetime

import polars as pl

from pipelines.errors import MappingError

ISO_FORMATS = ("%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M", "%Y-%m-%d")
"""Times without a zone are UTC; with one, ISO 8601 (`2026-01-31T10:00:00+05:30`)."""
COUNTS_US = {"seconds": 1e6, "milliseconds": 1e3, "microseconds": 1.0}
"""What a number may count since 1970, and the microseconds of one."""
FORMS = (
    "2026-01-31, 2026-01-31 10:00 or 10:00:00.5 (a T for the space, and a zone such as Z or +05:30, if you "
    "like), and seconds since 1970"
)
"""What is read without a `--time-format`, in words."""
_ZONES = ("%z", "%:z", "%#z", "%+", "%s")
_PROBE = datetime(2026, 1, 31, 10, 0, tzinfo=UTC)
_TURNED_DATE = re.compile(
    r"(\d{1,2})([/.-])(\d{1,2})[/.-]\d{4}(?:(,? )\d{1,2}:\d\d(:\d\d)?( ?)([AaPp][Mm])?)?", re.ASCII
)


def at_us(text: pl.Expr, time_format: str | None) -> pl.Expr:
    """Microseconds since 1970 UTC of a text, null where it is no time of the forms that are read."""
    zoned = text.str.to_datetime("%+", strict=False, time_unit="us", time_zone="UTC").dt.epoch("us")
    forms = [_parsed(text, form) for form in ISO_FORMATS] + [zoned]
    if time_format is None or time_format in COUNTS_US:
        return pl.coalesce([*forms, counted_us(text, time_format)])
    # No number counts seconds here: a wrong 20260 for %Y%m%d would pass as a day in 1970.
    return pl.coalesce([_parsed(text, time_format), *forms])


def counted_us(value: pl.Expr, time_format: str | None) -> pl.Expr:
    """Microseconds of a number since 1970: of seconds, if `time_format` does not say otherwise."""
    scale = COUNTS_US.get(time_format or "seconds", COUNTS_US["seconds"])
    return (value.cast(pl.Float64, strict=False) * scale).round().cast(pl.Int64, strict=False)


def lacks_zone(text: pl.Expr, time_format: str | None) -> pl.Expr:
    """Whether a text is a time that says no zone."""
    own = [] if time_format is None or time_format in COUNTS_US else [time_format]
    forms = [*ISO_FORMATS, *(form for form in own if not any(sign in form for sign in _ZONES))]
    return pl.coalesce([_parsed(text, form) for form in forms]).is_not_null()


def check_format(time_format: str) -> None:
    """Raise `MappingError` where a form of times does not tell a day."""
    if time_format in COUNTS_US:
        return
    try:
        written = pl.Series([_PROBE]).dt.strftime(time_format)
        read = pl.select(_parsed(pl.lit(written), time_format)).to_series()
    except pl.exceptions.PolarsError:
        read = pl.Series([None])
    if read.item() is None or read.item() // 86_400_000_000 != _PROBE.timestamp() // 86_400:
        raise MappingError(
            f"{time_format!r} is no form of times: write year, month and day as in %d/%m/%Y %H:%M, or "
            f"{', '.join(COUNTS_US)}"
        )


def hint(value: str) -> str:
    """How a time that could not be read would be, if that can be told; else nothing.

    >>> hint("31/01/2026")
    "--time-format '%d/%m/%Y'"
    """
    if re.fullmatch(r"\d{12,18}(\.\d*)?", value):
        count = "milliseconds" if float(value) < 1e14 else "microseconds"
        return f"they look like {count} since 1970: --time-format {count}"
    match = _TURNED_DATE.fullmatch(value)
    if match is None:
        return ""
    first, mark, second, gap, seconds, noon_gap, noon = match.groups()
    clock = ("%I:%M" if noon else "%H:%M") + (":%S" if seconds else "")
    time = (f"{gap}{clock}" if gap else "") + (f"{noon_gap}%p" if noon else "")
    day_first, month_first = f"%d{mark}%m{mark}%Y{time}", f"%m{mark}%d{mark}%Y{time}"
    if int(first) > 12:
        return f"--time-format '{day_first}'"
    if int(second) > 12:
        return f"--time-format '{month_first}'"
    return f"--time-format '{day_first}' if the day comes first, '{month_first}' if the month does"


def _parsed(text: pl.Expr, form: str) -> pl.Expr:
    return text.str.to_datetime(form, strict=False, time_unit="us").dt.epoch("us")
