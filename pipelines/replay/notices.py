"""What a replay says of the file itself: how it was read, what was taken for granted, what was left out."""

from collections.abc import Iterator, Sequence

import polars as pl
from stdnum import luhn

from models.windows import DAY_US
from pipelines.errors import ReplayError
from pipelines.replay.file import Example, History
from pipelines.replay.mapping import DEFAULT_CURRENCY, Mapping
from pipelines.replay.rows import NO, OUTSIDE_TIME, UNREADABLE_LABEL, UNREADABLE_TIME, YES
from pipelines.replay.source import VERDICTS_FROM_DAY
from pipelines.replay.text import SEPARATORS
from pipelines.replay.times import FORMS, hint

VALUE_CHARACTERS_MAX = 40
LEFT_OUT_SHARE_MAX = 0.05
"""A file of which more is left out is not what its figures are of. Round, not tuned."""
LOST_SHARE_MAX = 0.5
"""Where more is left out, the command has failed: its figures are of the smaller part."""


def reading(history: History, mapping: Mapping) -> Iterator[str]:
    """How the file was read where that had to be found out, and what it does not say."""
    found = [] if history.separator is None else [f"separated by {SEPARATORS[history.separator]}"]
    if history.decimal_comma:
        found.append("amounts with a decimal comma")
    if found:
        yield f"file       {', '.join(found)}"
    if history.lacks_zone:
        yield "times      without a zone are taken as UTC"
    if mapping.currency_is_assumed:
        yield f"currency   no column and no --currency: amounts are taken as {DEFAULT_CURRENCY}"
    if history.rounded:
        what = "1 has" if history.rounded == 1 else f"{history.rounded:,} have"
        yield f"amounts    {what} more decimals than the currency: rounded to its minor unit, half to even"
    if zero := history.frame.filter(pl.col("amount_minor") == 0).height:
        yield f"amounts    {_rows(zero)} of 0: scored as they are, though the API takes no payment of 0"


def broken(history: History, time_format: str | None) -> Iterator[str]:
    """The rows that were left out, by reason, each with its first one."""
    if history.rejected_path is None:
        return
    yield (
        f"broken     {_rows(sum(history.broken.values()))} left out, written to {history.rejected_path} "
        "(row 1 is the first below the header):"
    )
    for reason, count in history.broken.items():
        yield f"           {count:,} × {reason}; {_first(history.examples[reason])}"
        if reason in (UNREADABLE_TIME, OUTSIDE_TIME):
            told = _help_with_time(history.examples[reason], reason)
            # Where that would propose the form that was given, the time itself is none, such as 31/02/2026.
            if f"'{time_format}'" not in told and f"--time-format {time_format}" not in told:
                yield f"             {told}"
        if reason == UNREADABLE_LABEL:
            yield f"             yes is {_any_of(YES)}; no is {_any_of(NO)}; empty means not labeled"


def left_out(history: History) -> str | None:
    """A warning where so much was left out that the figures are of another file."""
    count, share = sum(history.broken.values()), _left_out_share(history)
    if share <= LEFT_OUT_SHARE_MAX:
        return None
    return (
        f"warning    {share:.1%} of the file, {_rows(count)}, was left out (see broken, above): "
        "the figures are of the rest"
    )


def check_most_is_left(history: History) -> None:
    """Raise `ReplayError` where more of the file was left out than is in the figures."""
    if _left_out_share(history) > LOST_SHARE_MAX:
        raise ReplayError(
            "most of the file was left out (see broken, above): the rest was scored, but this has failed"
        )


def verdicts(frame: pl.DataFrame, count: int) -> str | None:
    """Why no card will be looked at although `--verdicts` asks for it."""
    if not count:
        return None
    days = int(frame["at_us"][-1]) // DAY_US - int(frame["at_us"][0]) // DAY_US + 1
    if days <= VERDICTS_FROM_DAY:
        return f"verdicts   none: they begin after {VERDICTS_FROM_DAY} days, and the file has {_days(days)}"
    missing = [name for name in ("card", "label") if frame[name].null_count() == frame.height]
    return f"verdicts   none: the file has no {' and no '.join(missing)}" if missing else None


def _first(example: Example) -> str:
    place = f"first in row {example.row}"
    return place if example.value is None else f"{place}: {_quoted(example.value)}"


def _quoted(value: str) -> str:
    """The value, cut where it is long; a column that is mapped wrongly may hold card numbers: never those."""
    digits = "".join(sign for sign in value if sign.isdecimal())
    if 14 <= len(digits) <= 19 and luhn.is_valid(digits):
        return "a value that may be a card number, not shown"
    cut = value if len(value) <= VALUE_CHARACTERS_MAX else value[:VALUE_CHARACTERS_MAX] + "…"
    return repr(cut)


def _help_with_time(example: Example, reason: str) -> str:
    told = hint((example.value or "").strip())
    if told or reason == OUTSIDE_TIME:
        return told or "numbers are taken as seconds since 1970 (--time-format milliseconds)"
    return f"read are {FORMS}; other forms with --time-format, such as '%d/%m/%Y %H:%M'"


def _left_out_share(history: History) -> float:
    count = sum(history.broken.values())
    return count / (count + history.frame.height)


def _any_of(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count:,} rows"


def _days(count: int) -> str:
    return "1 day" if count == 1 else f"{count} days"
