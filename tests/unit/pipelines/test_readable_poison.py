"""Records that can be read and not be used: refused with a reason, and whatever else comes goes on."""

from contextlib import closing
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from events import codec
from events.log.port import Record
from events.types import Event
from models.engine import Engine
from models.learning import Learner
from pipelines.delivery import Batch, Delivered, delivered
from pipelines.learning_step import LearningStep
from pipelines.learning_store import LearningStore
from pipelines.risk_step import RiskStep
from tests.unit.pipelines.poison import poisoned
from tests.unit.pipelines.standin import START, assessment, label


def told(event: Event, topic: str = "assessments") -> Delivered:
    return delivered(Record(topic, 0, 1, b"key", codec.encode(event)))


@settings(max_examples=300)
@given(st.lists(poisoned(), min_size=1, max_size=4))
def test_the_risk_step_refuses_or_answers_whatever_can_be_read(poison: list[Record]) -> None:
    step = RiskStep(Engine())
    batch = [delivered(record) for record in poison]

    answers = step.handle([*batch, told(assessment(9)), told(assessment(10, currency="USD"))], START)

    assert all(refused.reason for refused in answers.refused)
    assert [made.payment_id for _, made in answers.decisions][-2:] == ["pi_9", "pi_10"]
    for _, made in answers.decisions:
        assert codec.decode(codec.encode(made)) == made
    again = RiskStep(Engine())
    again.load((key, value) for key, value in step.changed_rows().items() if value is not None)


@settings(max_examples=150)
@given(st.lists(poisoned("decisions", "payments", "labels"), min_size=1, max_size=4))
def test_the_learning_step_refuses_or_learns_whatever_can_be_read(poison: list[Record]) -> None:
    with TemporaryDirectory() as folder, closing(LearningStore(Path(folder) / "learning.sqlite")) as store:
        learner = Learner(store)
        step = LearningStep(learner, store)
        step.handle(Batch([delivered(record) for record in poison]), START)
        step.handle(Batch([told(label(1), "labels")]), START)
        later = label(2, occurred_at=START + timedelta(days=40))
        step.handle(Batch([told(later, "labels")]), START)
        step.commit()

        for unsent in store.unsent():
            codec.decode(unsent.outgoing.value)
        LearningStep(Learner(store), store)
