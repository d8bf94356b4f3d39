"""Payments and labels in the order of time, cut at boundaries."""

from typing import Any

import polars as pl
import pytest

from models.observations import Assessment, Label, Observation
from models.windows import DAY_US, HOUR_US, MINUTE_US
from pipelines.errors import ReplayError
from pipelines.replay.mapping import TEXTS
from pipelines.replay.source import ReplaySettings, ReplaySource, Segment

START_US = 17_600 * DAY_US
TYPES = {"original_id": pl.String, "at_us": pl.Int64, "label": pl.Boolean, "label_at_us": pl.Int64}


def frame(*payments: dict[str, Any]) -> pl.DataFrame:
    """Payments as `read_history` gives them; `at` is in minutes after the start."""
    rows = []
    for number, given in enumerate(payments):
        told = dict(given)
        row: dict[str, Any] = dict.fromkeys(TEXTS) | {"currency": "EUR", "card": "c", "item_count": None}
        row |= {"id": f"t{number}", "original_id": f"t{number}", "amount_minor": 100, "label": None}
        row["at_us"] = START_US + told.pop("at") * MINUTE_US
        label_at = told.pop("label_at", None)
        row["label_at_us"] = None if label_at is None else START_US + label_at * MINUTE_US
        rows.append(row | told)
    return pl.DataFrame(rows, schema_overrides=TYPES | dict.fromkeys(TEXTS, pl.String))


def answered(source: ReplaySource, scores: dict[str, float] | None = None) -> list[Segment]:
    """All segments; every payment gets its score, 0.5 where none is given."""
    told = scores or {}
    seen = []
    for segment in source.segments():
        seen.append(segment)
        asked = [fact for fact in segment.facts if isinstance(fact, Observation)]
        source.take([answer(fact, told.get(fact.payment_id, 0.5)) for fact in asked])
    return seen


def answer(seen: Observation, score: float) -> Assessment:
    return Assessment(
        payment_id=seen.payment_id,
        occurred_at_us=seen.occurred_at_us,
        probability=score,
        risk_score=1,
        outcome="allow",
        reasons=[],
        rules=[],
        costs_minor={},
        features=[],
        challengers={},
        anomaly=None,
        features_version=1,
        online_version=0,
        batch_version=0,
        controls_versions={},
        sequence=1,
        shard=0,
    )


def told(segments: list[Segment]) -> list[tuple[int, list[str]]]:
    """(minutes after the start, facts in short) of each segment."""
    return [
        (
            (segment.start_us - START_US) // MINUTE_US,
            [
                f"{fact.kind}:{fact.payment_id}:{fact.fraud}" if isinstance(fact, Label) else fact.payment_id
                for fact in segment.facts
            ],
        )
        for segment in segments
    ]


def settings(**given: int) -> ReplaySettings:
    return ReplaySettings(cut_us=HOUR_US, **given)


def test_payments_fall_into_the_segment_that_begins_at_or_before_them() -> None:
    source = ReplaySource(frame({"at": 0}, {"at": 59}, {"at": 60}, {"at": 200}), settings())

    assert told(answered(source)) == [(0, ["t0", "t1"]), (60, ["t2"]), (180, ["t3"])]


def test_a_label_on_a_boundary_belongs_to_the_segment_before() -> None:
    given = frame({"at": 0, "label": True}, {"at": 60, "label": False}, {"at": 119})
    source = ReplaySource(given, settings(label_delay_us=HOUR_US))

    assert told(answered(source)) == [(0, ["t0", "fraud_dispute:t0:True"]), (60, ["t1", "t2"])]


def test_labels_stand_between_payments_by_time_and_before_those_of_the_same_time() -> None:
    given = frame({"at": 0, "label": False}, {"at": 5}, {"at": 9}, {"at": 50, "label": True})
    source = ReplaySource(given, settings(label_delay_us=5 * MINUTE_US))

    assert told(answered(source)) == [(0, ["t0", "confirmed_genuine:t0:False", "t1", "t2", "t3"])]


def test_a_column_of_label_times_says_when_each_arrived() -> None:
    given = frame({"at": 0, "label": True, "label_at": 65}, {"at": 1, "label": False}, {"at": 300})
    source = ReplaySource(given, settings())

    assert told(answered(source)) == [(0, ["t0", "t1"]), (60, ["fraud_dispute:t0:True"]), (300, ["t2"])]


def test_what_nobody_reported_matures_and_a_later_report_follows() -> None:
    late = {"at": 0, "label": True, "label_at": 200}
    given = frame(late, {"at": 1, "label": False}, {"at": 300})
    source = ReplaySource(given, settings(horizon_us=2 * HOUR_US))

    assert told(answered(source)) == [
        (0, ["t0", "t1"]),
        (60, ["matured:t0:False"]),
        (120, ["matured:t1:False"]),
        (180, ["fraud_dispute:t0:True"]),
        (300, ["t2"]),
    ]


def test_a_file_without_labels_has_none() -> None:
    source = ReplaySource(frame({"at": 0}, {"at": 60 * 24 * 90}), settings())

    assert [facts for _, facts in told(answered(source))] == [["t0"], ["t1"]]
    assert source.label_lag_us == 0


def test_the_next_segment_waits_for_the_answers_of_the_last() -> None:
    source = ReplaySource(frame({"at": 0}, {"at": 90}), settings())
    segments = source.segments()
    next(segments)

    with pytest.raises(ReplayError):
        next(segments)


def test_verdicts_come_at_midnight_on_all_payments_of_the_cards_that_scored_highest() -> None:
    day = 24 * 60
    first = {"at": 0, "card": "x", "label": False}
    judged = [
        {"at": 29 * day + 10, "card": "a", "label": True},
        {"at": 29 * day + 20, "card": "b", "label": True},
        {"at": 29 * day + 30, "card": "a", "label": False},
    ]
    given = frame(first, *judged, {"at": 30 * day, "card": "b", "label": False})
    source = ReplaySource(given, settings(verdicts=1))
    segments = told(answered(source, {"t1": 0.1, "t2": 0.8, "t3": 0.9}))

    at_night = [(start, facts) for start, facts in segments if any("verdict" in fact for fact in facts)]
    assert at_night == [(30 * day - 60, ["analyst_verdict:t1:True", "analyst_verdict:t3:False"])]
    assert segments[-1] == (30 * day, ["t4"])


def test_investigators_begin_on_the_thirtieth_day() -> None:
    given = frame({"at": 0, "label": True}, {"at": 24 * 60, "label": False})
    source = ReplaySource(given, settings(verdicts=5))

    assert not any("verdict" in fact for _, facts in told(answered(source)) for fact in facts)
