"""The learner's step: what it takes in, what it refuses, and what it publishes."""

from datetime import timedelta
from pathlib import Path
from typing import Literal

import msgspec
import pytest

from events.codec import decode
from events.log.port import Position, Record
from events.moments import microseconds
from events.types import (
    LabelReported,
    PaymentCaptured,
    PaymentDecidedLate,
    PaymentRefunded,
    PaymentRefundFailed,
    PaymentReviewed,
)
from events.vocabulary import Outcome, Ruling
from models.engine import Engine
from models.features import FEATURES_VERSION
from models.learning import Learner, Schedule
from models.scored import Captured, Kept
from models.windows import HOUR_US
from pipelines import observe
from pipelines.delivery import Batch, Delivered, delivered
from pipelines.errors import StateFormatError
from pipelines.learning_step import LearningStep
from pipelines.learning_store import LearningStore
from tests.unit.pipelines.standin import START, assessment, label

MANY = 10_500
"""More than are asked for at once."""


def test_more_payments_than_one_query_gives_mature_together(tmp_path: Path) -> None:
    store = LearningStore(tmp_path / "learning.sqlite")
    at_us = microseconds(START)
    store.remember([Kept(f"pi_{number}", at_us + number, b"as scored") for number in range(MANY)])
    store.note_captured([Captured(f"pi_{number}", at_us + number, "live") for number in range(MANY)])
    step = LearningStep(Learner(store, Schedule(horizon_days=30)), store)
    later = START + timedelta(days=31)
    event = PaymentCaptured(
        id="e1", occurred_at=later, payment_id="pi_later", sequence=3, mode="test", merchant_id="m1",
        amount_minor=1000, currency="EUR", authorization_id="a",
    )  # fmt: skip

    step.handle(Batch([Delivered(Record("payments", 0, 0, b"pi_later", b""), event)]), later)

    told = [decode(unsent.outgoing.value or b"") for unsent in store.unsent()]
    store.close()
    assert all(isinstance(one, LabelReported) and one.kind == "matured" for one in told)
    assert {one.mode for one in told if isinstance(one, LabelReported)} == {"live"}
    assert len({one.payment_id for one in told if isinstance(one, LabelReported)}) == MANY


@pytest.mark.parametrize(("outcome", "matured"), [("block", []), ("review", ["pi_0"])])
def test_a_payment_that_was_captured_and_then_blocked_does_not_mature_as_genuine(
    tmp_path: Path, outcome: Outcome, matured: list[str]
) -> None:
    step, _, store = fresh(tmp_path)
    store.remember([Kept("pi_0", microseconds(START), b"as scored")])
    header = {"payment_id": "pi_0", "mode": "test", "merchant_id": "m1", "amount_minor": 1, "currency": "EUR"}
    said = Ruling(by="engine", outcome=outcome, risk_score=90, text="often")
    blocked = PaymentDecidedLate(
        id="e1", occurred_at=START, sequence=4, attempt=1, ruling=said, effect="refunded", **header
    )
    captured = PaymentCaptured(id="e2", occurred_at=START, sequence=5, authorization_id="a", **header)
    later = msgspec.structs.replace(
        captured, id="e3", occurred_at=START + timedelta(days=31), payment_id="pi_9"
    )

    place = Record("payments", 0, 0, b"pi_0", b"")
    step.handle(Batch([Delivered(place, event) for event in (blocked, captured, later)]), START)

    told = [decode(unsent.outgoing.value or b"") for unsent in store.unsent()]
    store.close()
    assert [one.payment_id for one in told if isinstance(one, LabelReported)] == matured


@pytest.mark.parametrize(("verdict", "matured"), [("rejected", []), ("approved", ["pi_0"])])
def test_a_payment_that_was_captured_in_part_and_then_rejected_does_not_mature_as_genuine(
    tmp_path: Path, verdict: Literal["approved", "rejected"], matured: list[str]
) -> None:
    step, _, store = fresh(tmp_path)
    store.remember([Kept("pi_0", microseconds(START), b"as scored")])
    header = {"payment_id": "pi_0", "mode": "test", "merchant_id": "m1", "amount_minor": 1, "currency": "EUR"}
    part = PaymentCaptured(id="e1", occurred_at=START, sequence=4, authorization_id="a", **header)
    closed = PaymentReviewed(id="e2", occurred_at=START, sequence=5, verdict=verdict, actor="key_1", **header)
    later = msgspec.structs.replace(part, id="e3", occurred_at=START + timedelta(days=31), payment_id="pi_9")

    place = Record("payments", 0, 0, b"pi_0", b"")
    step.handle(Batch([Delivered(place, event) for event in (part, closed, later)]), START)

    told = [decode(unsent.outgoing.value or b"") for unsent in store.unsent()]
    store.close()
    assert [one.payment_id for one in told if isinstance(one, LabelReported)] == matured


@pytest.mark.parametrize("kind", [PaymentRefunded, PaymentRefundFailed])
def test_a_payment_whose_money_is_owed_back_does_not_mature_as_genuine(
    tmp_path: Path, kind: type[PaymentRefunded | PaymentRefundFailed]
) -> None:
    step, _, store = fresh(tmp_path)
    store.remember([Kept("pi_0", microseconds(START), b"as scored")])
    header = {"payment_id": "pi_0", "mode": "test", "merchant_id": "m1", "amount_minor": 1, "currency": "EUR"}
    part = PaymentCaptured(id="e1", occurred_at=START, sequence=4, authorization_id="a", **header)
    about = {"attempt": 1, "authorization_id": "a", "refund_id": "re_1", "reason": "unapproved_review"}
    refund = kind(id="e2", occurred_at=START, sequence=5, **about, **header)
    later = msgspec.structs.replace(part, id="e3", occurred_at=START + timedelta(days=31), payment_id="pi_9")

    place = Record("payments", 0, 0, b"pi_0", b"")
    step.handle(Batch([Delivered(place, event) for event in (part, refund, later)]), START)

    told = [decode(unsent.outgoing.value or b"") for unsent in store.unsent()]
    store.close()
    assert [one for one in told if isinstance(one, LabelReported)] == []


def fresh(folder: Path) -> tuple[LearningStep, Learner, LearningStore]:
    store = LearningStore(folder / "learning.sqlite")
    learner = Learner(store)
    return LearningStep(learner, store), learner, store


def poison(topic: str) -> Batch:
    return Batch([delivered(Record(topic, 0, 7, b"key", b"no event"))])


def test_an_unreadable_decision_goes_to_the_dead_letters_and_is_passed_by(tmp_path: Path) -> None:
    step, _, store = fresh(tmp_path)

    step.handle(poison("decisions"), START)
    step.commit()

    assert [unsent.outgoing.topic for unsent in store.unsent()] == ["dead-letters"]
    assert store.positions() == {"decisions/0": 8}
    store.close()


def test_an_unreadable_label_is_left_to_the_risk_flow_to_refuse(tmp_path: Path) -> None:
    step, _, store = fresh(tmp_path)

    step.handle(poison("labels"), START)
    step.commit()

    assert store.unsent() == []
    assert store.positions() == {"labels/0": 8}
    store.close()


@pytest.mark.parametrize(("features_version", "learned"), [(FEATURES_VERSION, 1), (FEATURES_VERSION + 1, 0)])
def test_a_vector_is_learned_only_under_the_catalogue_that_it_was_scored_with(
    tmp_path: Path, features_version: int, learned: int
) -> None:
    step, learner, store = fresh(tmp_path)
    request = assessment(1)
    answer = Engine().assess([observe.observation(request)])[0]
    made = observe.decision(
        request,
        msgspec.structs.replace(answer, features_version=features_version),
        Position("assessments", 0, 0),
        START,
    )
    told = Delivered(Record("labels", 0, 0, b"pi_1", b""), label(1))

    step.handle(Batch([Delivered(Record("decisions", 0, 0, b"pi_1", b""), made), told]), START)

    learner.cut(microseconds(label(1).occurred_at) + HOUR_US)
    assert learner.counts["taught"] == learned
    store.close()


def test_once_it_is_committed_nothing_waits_to_be_published(tmp_path: Path) -> None:
    step, _, store = fresh(tmp_path)

    step.handle(poison("decisions"), START)
    assert step.publishes

    step.commit()
    assert not step.publishes
    store.close()


@pytest.mark.parametrize("state", [b"\x01", b""])
def test_a_learner_that_this_build_cannot_read_is_refused_with_ways_out(tmp_path: Path, state: bytes) -> None:
    store = LearningStore(tmp_path / "learning.sqlite")
    store.commit(state, 0, {})

    with pytest.raises(StateFormatError, match="Run the build that wrote it") as refused:
        LearningStep(Learner(store), store)
    store.close()
    assert str(tmp_path / "learning.sqlite") in str(refused.value)
