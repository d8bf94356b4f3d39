"""What a replay decided, written while it goes: a row for each payment, in parts, and one file at the end.

Nothing is held in memory but the part under way: a replay of any length takes the same.
"""

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import polars as pl

from models.observations import Assessment
from pipelines.errors import ReplayError

PART_ROWS = 50_000
"""About ten megabytes."""

_TEXTS = pl.List(pl.String())
_VALUES: Mapping[str, tuple[pl.DataType, Callable[[Assessment], Any]]] = {
    "score": (pl.Float64(), attrgetter("probability")),
    "risk_score": (pl.Int32(), attrgetter("risk_score")),
    "outcome": (pl.String(), attrgetter("outcome")),
    "reasons": (_TEXTS, lambda answer: [reason.text for reason in answer.reasons]),
    "rules": (_TEXTS, attrgetter("rules")),
    "challenged_by": (_TEXTS, attrgetter("challenged_by")),
    "challenged_by_model": (pl.Boolean(), attrgetter("challenged_by_model")),
    "cost_allow_minor": (pl.Float64(), lambda answer: answer.costs_minor.get("allow")),
    "cost_review_minor": (pl.Float64(), lambda answer: answer.costs_minor.get("review")),
    "cost_block_minor": (pl.Float64(), lambda answer: answer.costs_minor.get("block")),
    "cost_challenge_minor": (pl.Float64(), lambda answer: answer.costs_minor.get("challenge")),
    "anomaly": (pl.Float64(), attrgetter("anomaly")),
    "features_version": (pl.Int32(), attrgetter("features_version")),
    "online_version": (pl.Int32(), attrgetter("online_version")),
    "batch_version": (pl.Int32(), attrgetter("batch_version")),
}
"""Column → its type, and where an assessment has it. Behind them stands one column for each challenger.

Not shard and sequence, which number the answers in a log, that a replay has not.
"""


class DecisionFile:
    """A Parquet or CSV file of decisions, by its suffix. CSV holds no lists: there they are texts, parted by
    semicolons.
    """

    def __init__(self, path: Path, transaction_ids: pl.Series, part_rows: int = PART_ROWS) -> None:
        """`transaction_ids` are the payments' own, in the order in which they are decided.

        About `part_rows` are held in memory. Raises `ReplayError` where nothing can be written beside `path`.
        """
        self._path = path
        self._ids = transaction_ids
        self._part_rows = part_rows
        try:
            self._folder = TemporaryDirectory(prefix=".weir-replay-", dir=path.resolve().parent)
        except OSError as error:
            raise _unwritable(path, error) from None
        self._columns: dict[str, list[Any]] = {name: [] for name in _VALUES}
        self._challengers: list[dict[str, float]] = []
        self._parts: list[Path] = []
        self._written = 0

    def take(self, assessments: Sequence[Assessment]) -> None:
        """The next decisions."""
        for name, (_, value_of) in _VALUES.items():
            self._columns[name] += [value_of(answer) for answer in assessments]
        self._challengers += [answer.challengers for answer in assessments]
        if len(self._challengers) >= self._part_rows:
            self._write_part()

    def finish(self) -> None:
        """Everything that was taken is in the file. Raises `ReplayError`."""
        self._write_part()
        rows = pl.concat([pl.scan_parquet(part) for part in self._parts], how="diagonal")
        try:
            if self._path.suffix.lower() == ".csv":
                joined = [
                    pl.col(name).list.join("; ") for name, (kind, _) in _VALUES.items() if kind == _TEXTS
                ]
                rows.with_columns(joined).sink_csv(self._path)
            else:
                rows.sink_parquet(self._path)
        except (OSError, pl.exceptions.PolarsError) as error:
            raise _unwritable(self._path, error) from None

    def close(self) -> None:
        """The parts are gone."""
        self._folder.cleanup()

    def _write_part(self) -> None:
        count = len(self._challengers)
        part = Path(self._folder.name) / f"{len(self._parts):06}.parquet"
        columns = [self._ids[self._written : self._written + count].alias("transaction_id")]
        columns += [_series(name, kind, self._columns[name]) for name, (kind, _) in _VALUES.items()]
        names = dict.fromkeys(name for scores in self._challengers for name in scores)
        columns += [
            pl.Series(f"challenger_{name}", [scores.get(name) for scores in self._challengers], pl.Float64())
            for name in names
        ]
        try:
            pl.DataFrame(columns).write_parquet(part, compression="lz4")
        except (OSError, pl.exceptions.PolarsError) as error:
            raise _unwritable(self._path, error) from None
        self._parts.append(part)
        self._written += count
        self._columns = {name: [] for name in _VALUES}
        self._challengers = []


def _series(name: str, kind: pl.DataType, values: list[Any]) -> pl.Series:
    if kind != _TEXTS:
        return pl.Series(name, values, kind)
    # Polars takes ten microseconds for a list, be it empty, as nearly all are: those are one.
    told: list[list[str]] = [[]]
    places = []
    for texts in values:
        places.append(len(told) if texts else 0)
        if texts:
            told.append(texts)
    return pl.Series(name, told, kind).gather(places)


def _unwritable(path: Path, error: Exception) -> ReplayError:
    return ReplayError(f"--out {path} cannot be written: {error}")
