"""Amounts in a file of history: with a decimal point or a decimal comma, in minor or in major units."""

import polars as pl

from events.money import AMOUNT_MINOR_MAX

_GROUPED = r"\d{1,3}(?:[.\s']\d{3})+"
_COMMA = rf"^[-+]?(?:\d+|{_GROUPED})(?:,\d+)?$"
"""A number as it is written with a decimal comma: 12,50, 1.234,50, 1 234,50."""
_SURELY_COMMA = rf"^[-+]?(?:\d+,(?:\d{{1,2}}|\d{{4,}})|{_GROUPED},\d+)$"
_SURELY_POINT = r"^[-+]?(?:\d+|\d{1,3}(?:,\d{3})+)\.(?:\d{1,2}|\d{4,})$"
"""Three digits behind a sign may be thousands: those say nothing of either."""


def has_decimal_comma(values: pl.Series) -> bool:
    """Whether more values are surely written with a decimal comma than with a decimal point."""
    if values.dtype != pl.String:
        return False
    text = values.str.strip_chars()
    return int(text.str.contains(_SURELY_COMMA).sum()) > int(text.str.contains(_SURELY_POINT).sum())


def number(text: pl.Expr, *, decimal_comma: bool) -> pl.Expr:
    """The number that a column says, null where it is none."""
    if not decimal_comma:
        return text.cast(pl.Float64, strict=False)
    plain = text.str.replace_all(r"[.\s']", "").str.replace(",", ".", literal=True)
    return pl.when(text.str.contains(_COMMA)).then(plain).cast(pl.Float64, strict=False)


def whole(value: pl.Expr) -> pl.Expr:
    """Minor units of a number that says them, null where it has decimals."""
    return _bounded(pl.when(value == value.floor()).then(value))


def scaled(value: pl.Expr, digits: pl.Expr) -> pl.Expr:
    """Minor units of a number in major units, rounded half to even."""
    minor = (value * pl.lit(10.0).pow(digits)).round(mode="half_to_even")
    return _bounded(pl.when(value.is_finite()).then(minor))


def _bounded(minor: pl.Expr) -> pl.Expr:
    """What no payment has stays out of bounds, but fits into an integer: too large is not missing."""
    return minor.clip(-1.0, AMOUNT_MINOR_MAX + 1.0).cast(pl.Int64, strict=False)
