"""What a replay tells an engine: payments and labels in the order of time, cut at the learner's boundaries.

A payment at time t is scored by the snapshots of the last boundary at or before t; a label that arrives at a
boundary belongs to it. So a segment holds payments in [start, end) and labels in (start, end].

Verdicts are labels that depend on scores: the assessments of a segment must be given back (`take`) before the
next segment is asked for.
"""

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import msgspec
import numpy as np
import numpy.typing as npt
import polars as pl

from models.labels import HORIZON_DAYS
from models.observations import Assessment, Label, Observation
from models.windows import DAY_US
from pipelines.errors import ReplayError
from pipelines.replay.decisions import DecisionFile
from pipelines.replay.mapping import TEXTS

Times = npt.NDArray[np.int64]
SLICE_ROWS = 20_000
VERDICTS_FROM_DAY = 30
"""Investigators begin on the 30th day of the file."""


class ReplaySettings(msgspec.Struct, frozen=True, kw_only=True):
    """`label_delay_us`: when labels arrive where the file does not say; `horizon_us`: after it, a payment
    that nobody reported counts as genuine until someone does; `verdicts`: cards looked at each night.
    """

    cut_us: int
    label_delay_us: int = 7 * DAY_US
    horizon_us: int = HORIZON_DAYS * DAY_US
    verdicts: int = 0


@dataclass(frozen=True)
class Segment:
    """Facts in order, from the boundary `start_us` up to the next."""

    start_us: int
    facts: list[Observation | Label]


class Outcomes:
    """Columns of what was assessed, in the order of the payments: what a report asks for."""

    def __init__(self) -> None:
        self.scores = array("d")
        self.outcomes: list[str] = []

    def take(self, assessments: Sequence[Assessment]) -> None:
        """Take assessments in, in order."""
        self.scores.extend([answer.probability for answer in assessments])
        self.outcomes += [answer.outcome for answer in assessments]


class ReplaySource:
    """Payments of `frame` (see `file.History`) and their labels as segments."""

    def __init__(
        self, frame: pl.DataFrame, settings: ReplaySettings, decisions: DecisionFile | None = None
    ) -> None:
        """`decisions`: where every decision is written, None: nowhere."""
        self._frame = frame
        self._settings = settings
        self._decisions = decisions
        self._labels = _label_frame(frame, settings)
        self.outcomes = Outcomes()
        self.first_label_us = int(self._labels["arrived_us"][0]) if self._labels.height else None
        """When the first label came, None as long as none did; verdicts count from when they are given."""

    @property
    def label_lag_us(self) -> int:
        """The longest time between a payment and its label: what engine and store must remember."""
        if not self._labels.height:
            return 0
        return int(self._labels.select((pl.col("arrived_us") - pl.col("at_us")).max()).item())

    def segments(self) -> Iterator[Segment]:
        """Segments in order, without empty ones; raises `ReplayError` where answers are missing."""
        cut_us = self._settings.cut_us
        payments = _Facts(self._frame["at_us"], _observations(self._frame))
        labels = _Facts(self._labels["arrived_us"], _labels(self._labels))
        night = _Nights(self._frame, self._settings)
        while payments.time_us is not None or labels.time_us is not None:
            start_us = _segment_start(payments.time_us, labels.time_us, cut_us)
            while (judged := night.judged_before(start_us, self.outcomes.scores)) is not None:
                self._note_verdicts(judged.start_us + cut_us)
                yield judged
            given = len(self.outcomes.scores) + payments.count_to(start_us + cut_us - 1)
            yield Segment(start_us, _merged(payments, labels, start_us + cut_us))
            if len(self.outcomes.scores) != given:
                raise ReplayError("a segment was asked for before the one before was assessed")

    def _note_verdicts(self, at_us: int) -> None:
        self.first_label_us = at_us if self.first_label_us is None else min(self.first_label_us, at_us)

    def take(self, assessments: Sequence[Assessment]) -> None:
        """The assessments of the last segment, in order."""
        self.outcomes.take(assessments)
        if self._decisions is not None:
            self._decisions.take(assessments)

    def finish(self) -> None:
        """All are assessed: what is written of them is whole. Raises `ReplayError`."""
        if self._decisions is not None:
            self._decisions.finish()


class _Nights:
    """Verdicts of investigators: each midnight, on yesterday's payments of the cards that scored highest."""

    def __init__(self, frame: pl.DataFrame, settings: ReplaySettings) -> None:
        self._count = settings.verdicts
        self._cut_us = settings.cut_us
        self._days = frame["at_us"].to_numpy() // DAY_US
        self._columns = frame.select("id", "card", "label")
        self._day = int(self._days[0]) if len(self._days) else 0
        self._first_night = self._day + VERDICTS_FROM_DAY

    def judged_before(self, start_us: int, scores: Sequence[float]) -> Segment | None:
        """The verdicts of the next night that lies at or before `start_us`, None where there is none left."""
        if not self._count:
            return None
        while self._day < start_us // DAY_US:
            day, self._day = self._day, self._day + 1
            labels = self._verdicts(day, scores) if day + 1 >= self._first_night else []
            if labels:
                return Segment((day + 1) * DAY_US - self._cut_us, labels)
        return None

    def _verdicts(self, day: int, scores: Sequence[float]) -> list[Observation | Label]:
        first, end = (int(place) for place in self._days.searchsorted([day, day + 1]))
        today = self._columns[first:end].with_columns(score=pl.Series(scores[first:end], dtype=pl.Float64))
        cards = today.drop_nulls("card").group_by("card").agg(pl.col("score").max())
        chosen = cards.sort(["score", "card"], descending=[True, False]).head(self._count)["card"]
        looked_at = today.filter(pl.col("card").is_in(chosen.implode()) & pl.col("label").is_not_null())
        return [
            Label(
                payment_id=payment_id,
                arrived_at_us=(day + 1) * DAY_US,
                kind="analyst_verdict",
                source="replay",
                fraud=fraud,
            )
            for payment_id, fraud in looked_at.select("id", "label").iter_rows()
        ]


class _Facts:
    """Facts in the order of time, taken up to one moment after the other."""

    def __init__(self, times_us: pl.Series, facts: Iterator[Observation | Label]) -> None:
        self._times_us = times_us.to_numpy()
        self._facts = facts
        self._taken = 0

    @property
    def time_us(self) -> int | None:
        """The time of the next one, None at the end."""
        return int(self._times_us[self._taken]) if self._taken < len(self._times_us) else None

    def count_to(self, until_us: int) -> int:
        """How many there are from the next one up to and at that moment."""
        return int(self._times_us.searchsorted(until_us, side="right")) - self._taken

    def taken_to(self, until_us: int) -> tuple[Times, list[Observation | Label]]:
        """Those facts, with their times."""
        first, count = self._taken, self.count_to(until_us)
        self._taken += count
        return self._times_us[first : self._taken], list(islice(self._facts, count))


def _segment_start(payment_us: int | None, label_us: int | None, cut_us: int) -> int:
    starts = []
    if payment_us is not None:
        starts.append(payment_us // cut_us * cut_us)
    if label_us is not None:
        starts.append(-(-label_us // cut_us) * cut_us - cut_us)
    return min(starts)


def _merged(payments: _Facts, labels: _Facts, end_us: int) -> list[Observation | Label]:
    """Payments before `end_us` and labels up to it, by time; of the same time, labels first."""
    label_times, told = labels.taken_to(end_us)
    payment_times, asked = payments.taken_to(end_us - 1)
    if not told:
        return asked
    facts = told + asked
    return [facts[place] for place in np.concatenate((label_times, payment_times)).argsort(kind="stable")]


def _observations(frame: pl.DataFrame) -> Iterator[Observation]:
    names = [name for name in ("item_count", *TEXTS) if frame[name].null_count() < frame.height]
    told = frame.select(
        pl.col("id").alias("payment_id"), pl.col("at_us").alias("occurred_at_us"), "amount_minor", *names
    )
    for part in told.iter_slices(SLICE_ROWS):
        for fields in part.iter_rows(named=True):
            yield Observation(**fields)


def _label_frame(frame: pl.DataFrame, settings: ReplaySettings) -> pl.DataFrame:
    """Labels by arrival: those that the file reports, and genuine ones for what nobody reported in time.

    A file that has times of labels at all says by a missing one that the payment was never reported.
    """
    if frame["label"].null_count() == frame.height:
        return frame.select("id", "at_us", "label", pl.lit(0).alias("arrived_us"), kind=pl.lit("")).clear()
    if frame["label_at_us"].null_count() < frame.height:
        arrival = pl.max_horizontal("label_at_us", "at_us")
        arrival = pl.when(pl.col("label_at_us").is_not_null() & pl.col("label").is_not_null()).then(arrival)
    else:
        arrival = pl.when(pl.col("label").is_not_null()).then(pl.col("at_us") + settings.label_delay_us)
    told = frame.select("id", "at_us", "label", arrived_us=arrival)
    ripe = pl.col("at_us") + settings.horizon_us
    kind = pl.when("label").then(pl.lit("fraud_dispute")).otherwise(pl.lit("confirmed_genuine"))
    reported = told.filter(pl.col("arrived_us").is_not_null()).with_columns(kind=kind)
    matured = told.filter(pl.col("arrived_us").is_null() | (pl.col("arrived_us") > ripe)).with_columns(
        arrived_us=ripe, label=pl.lit(False), kind=pl.lit("matured")
    )
    last_us = int(frame["at_us"][-1])
    # What arrives after the last payment teaches nobody who is asked.
    return (
        pl.concat([matured, reported])
        .filter(pl.col("arrived_us") <= last_us)
        .sort("arrived_us", maintain_order=True)
    )


def _labels(labels: pl.DataFrame) -> Iterator[Label]:
    for part in labels.iter_slices(SLICE_ROWS):
        for payment_id, fraud, arrived_us, kind in part.select(
            "id", "label", "arrived_us", "kind"
        ).iter_rows():
            yield Label(
                payment_id=payment_id, arrived_at_us=arrived_us, kind=kind, source="file", fraud=fraud
            )
