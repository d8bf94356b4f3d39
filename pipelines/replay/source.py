"""What a replay tells an engine: payments and labels in the order of time, cut at the learner's boundaries.

A payment at time t is scored by the snapshots of the last boundary at or before t; a label that arrives at a
boundary belongs to it. So a segment holds payments in [start, end) and labels in (start, end].

Verdicts are labels that depend on scores: the assessments of a segment must be given back (`take`) before the
next segment is asked for.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import msgspec
import polars as pl

from models.labels import HORIZON_DAYS
from models.observations import Assessment, Label, Observation
from models.windows import DAY_US
from pipelines.errors import ReplayError
from pipelines.replay.mapping import TEXTS

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
    """Columns of what was assessed, in the order of the payments."""

    def __init__(self) -> None:
        self.scores: list[float] = []
        self.risk_scores: list[int] = []
        self.outcomes: list[str] = []
        self.reasons: list[list[str]] = []

    def take(self, assessments: Iterable[Assessment]) -> None:
        """Take assessments in, in order."""
        for answer in assessments:
            self.scores.append(answer.probability)
            self.risk_scores.append(answer.risk_score)
            self.outcomes.append(answer.outcome)
            self.reasons.append([reason.text for reason in answer.reasons])


class ReplaySource:
    """Payments of `frame` (see `file.History`) and their labels as segments."""

    def __init__(self, frame: pl.DataFrame, settings: ReplaySettings) -> None:
        self._frame = frame
        self._settings = settings
        self._labels = _label_frame(frame, settings)
        self.outcomes = Outcomes()
        self.first_label_us = int(self._labels["arrived_us"][0]) if self._labels.height else None
        """When the first label came, None as long as none did; verdicts count from when they are given."""
        self._given = 0
        """Payments told so far: all of them must be assessed before the next segment."""

    @property
    def label_lag_us(self) -> int:
        """The longest time between a payment and its label: what engine and store must remember."""
        if not self._labels.height:
            return 0
        return int(self._labels.select((pl.col("arrived_us") - pl.col("at_us")).max()).item())

    def segments(self) -> Iterator[Segment]:
        """Segments in order, without empty ones; raises `ReplayError` where answers are missing."""
        cut_us = self._settings.cut_us
        payments, labels = _Ahead(_observations(self._frame)), _Ahead(_labels(self._labels))
        night = _Nights(self._frame, self._settings)
        while payments.time_us is not None or labels.time_us is not None:
            start_us = _segment_start(payments.time_us, labels.time_us, cut_us)
            while (judged := night.judged_before(start_us, self.outcomes.scores)) is not None:
                self._note_verdicts(judged.start_us + cut_us)
                yield judged
            facts = list(_merged(payments, labels, start_us + cut_us))
            self._given += sum(isinstance(fact, Observation) for fact in facts)
            yield Segment(start_us, facts)
            if len(self.outcomes.scores) != self._given:
                raise ReplayError("a segment was asked for before the one before was assessed")

    def _note_verdicts(self, at_us: int) -> None:
        self.first_label_us = at_us if self.first_label_us is None else min(self.first_label_us, at_us)

    def take(self, assessments: Sequence[Assessment]) -> None:
        """The assessments of the last segment, in order."""
        self.outcomes.take(assessments)


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


class _Ahead:
    """An iterator of facts that shows the time of its next one, None at its end."""

    def __init__(self, facts: Iterator[tuple[int, Observation | Label]]) -> None:
        self._facts = facts
        self.time_us: int | None = None
        self._next: Observation | Label | None = None
        self.advance()

    def advance(self) -> Observation | Label | None:
        """The next fact, and one step forward."""
        given = self._next
        self.time_us, self._next = next(self._facts, (None, None))
        return given


def _segment_start(payment_us: int | None, label_us: int | None, cut_us: int) -> int:
    starts = []
    if payment_us is not None:
        starts.append(payment_us // cut_us * cut_us)
    if label_us is not None:
        starts.append(-(-label_us // cut_us) * cut_us - cut_us)
    return min(starts)


def _merged(payments: _Ahead, labels: _Ahead, end_us: int) -> Iterator[Observation | Label]:
    """Payments before `end_us` and labels up to it, by time; of the same time, labels first."""
    while True:
        payment_us, label_us = payments.time_us, labels.time_us
        if label_us is not None and label_us <= end_us and (payment_us is None or label_us <= payment_us):
            fact = labels.advance()
        elif payment_us is not None and payment_us < end_us:
            fact = payments.advance()
        else:
            return
        if fact is not None:
            yield fact


def _observations(frame: pl.DataFrame) -> Iterator[tuple[int, Observation]]:
    names = [name for name in ("item_count", *TEXTS) if frame[name].null_count() < frame.height]
    for part in frame.iter_slices(SLICE_ROWS):
        for payment_id, at_us, amount_minor, *values in part.select(
            "id", "at_us", "amount_minor", *names
        ).iter_rows():
            given = dict(zip(names, values, strict=True))
            yield (
                at_us,
                Observation(payment_id=payment_id, occurred_at_us=at_us, amount_minor=amount_minor, **given),
            )


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


def _labels(labels: pl.DataFrame) -> Iterator[tuple[int, Label]]:
    for part in labels.iter_slices(SLICE_ROWS):
        for payment_id, fraud, arrived_us, kind in part.select(
            "id", "label", "arrived_us", "kind"
        ).iter_rows():
            label = Label(
                payment_id=payment_id, arrived_at_us=arrived_us, kind=kind, source="file", fraud=fraud
            )
            yield arrived_us, label
