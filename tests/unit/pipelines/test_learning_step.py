"""The learner's step: however many payments mature at one look, all of them become labels."""

from datetime import timedelta
from pathlib import Path

from events.codec import decode
from events.log.port import Record
from events.moments import microseconds
from events.types import LabelReported, PaymentCaptured
from models.features import CATALOGUE
from models.learning import Learner, Schedule
from models.scored import Captured, Scored
from pipelines.delivery import Batch, Delivered
from pipelines.learning_step import LearningStep
from pipelines.learning_store import LearningStore
from tests.unit.pipelines.standin import START

MANY = 10_500
"""More than are asked for at once."""


def test_more_payments_than_one_query_gives_mature_together(tmp_path: Path) -> None:
    store = LearningStore(tmp_path / "learning.sqlite")
    row = [None] * len(CATALOGUE)
    at_us = microseconds(START)
    store.remember([Scored(f"pi_{number}", at_us + number, row) for number in range(MANY)])
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
