"""The risk flow's step, without log and without Bytewax."""

from datetime import UTC, datetime

import pytest

from events.codec import encode
from events.log.port import Record
from events.topics import RECORD_BYTES_MAX
from events.types import Event, ModelPublished
from events.vocabulary import ModelKind
from models.engine import Engine
from models.online import BinnedLogisticRegression
from pipelines.delivery import Delivered, delivered
from pipelines.observe import derived_id
from pipelines.risk_step import ASSESSMENT_BYTES_MAX, REMEMBERED_ASSESSMENTS, RiskStep
from tests.unit.pipelines.standin import START, CountingEngine, assessment, label


def arrived(event: Event, offset: int, topic: str = "assessments") -> Delivered:
    return delivered(Record(topic, 0, offset, b"key", encode(event)))


def test_decisions_say_which_request_they_answer() -> None:
    step = RiskStep(CountingEngine())

    answers = step.handle([arrived(assessment(7), 41)], START)

    ((key, made),) = answers.decisions
    assert (key, made.request_partition, made.request_offset) == (b"key", 0, 41)
    assert (made.payment_id, made.assessment_id) == ("pi_7", assessment(7).id)
    assert (made.occurred_at, made.assessed_at) == (assessment(7).occurred_at, START)


def test_the_same_request_gives_the_same_decision_id_again() -> None:
    first, second = (
        RiskStep(CountingEngine()).handle([arrived(assessment(7), 41)], START).decisions for _ in range(2)
    )

    assert first == second


def test_a_fact_counts_for_the_payments_after_it_and_for_none_before() -> None:
    batch = [arrived(assessment(1), 0), arrived(label(1), 0, "labels"), arrived(assessment(2), 1)]

    (_, before), (_, after) = RiskStep(CountingEngine()).handle(batch, START).decisions

    assert before.features[2] == 0.0
    assert after.features[2] == 1.0


def test_a_state_of_rows_is_the_state() -> None:
    whole, first = RiskStep(CountingEngine()), RiskStep(CountingEngine())
    early = [arrived(assessment(number), number) for number in range(20)]
    late = [arrived(assessment(number), number) for number in range(15, 40)]
    whole.handle(early, START)
    first.handle(early, START)
    rows = [(key, value) for key, value in first.changed_rows().items() if value is not None]
    second = RiskStep(CountingEngine())
    second.load(rows)

    assert second.handle(late, START) == whole.handle(late, START)
    assert len(second.handle(late, START).decisions) == 0


def test_the_memory_for_duplicates_is_bounded() -> None:
    step = RiskStep(CountingEngine())
    count = REMEMBERED_ASSESSMENTS + 1
    record = Record("assessments", 0, 0, b"key", b"")
    for number in range(count):
        event = assessment(1, id=f"{number:036}")
        step.handle([Delivered(record, event)], START)
    rows = step.changed_rows()

    assert sum(key.startswith("seen/") and value is not None for key, value in rows.items()) == count - 1
    assert rows["seen/" + "0" * 36] is None


def test_a_broken_model_snapshot_is_refused_and_the_old_model_stays() -> None:
    step = RiskStep(Engine())
    broken = ModelPublished(
        id=derived_id("model", "x", START), occurred_at=START, name="champion", kind="online", version=1,
        learned_to={}, labels=1, state=b"broken",
    )  # fmt: skip

    answers = step.handle([arrived(broken, 5, "models"), arrived(assessment(1), 0)], START)

    assert [refused.record.offset for refused in answers.refused] == [5]
    assert answers.decisions[0][1].versions.online == 0


@pytest.mark.parametrize(
    ("name", "kind"), [("not a name", "online"), ("boosting", "online"), ("champion", "batch")]
)
def test_a_model_under_the_name_of_another_kind_is_refused(name: str, kind: ModelKind) -> None:
    published = ModelPublished(
        id="e1", occurred_at=START, name=name, kind=kind, version=1,
        learned_to={}, labels=1, state=BinnedLogisticRegression().encode(),
    )  # fmt: skip

    answers = RiskStep(Engine()).handle([arrived(published, 5, "models")], START)

    assert [refused.reason for refused in answers.refused] == ["the model snapshot cannot be read"]


def test_a_request_of_before_1970_is_refused_and_its_neighbors_are_answered() -> None:
    early = assessment(1, occurred_at=datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC))

    answers = RiskStep(Engine()).handle([arrived(early, 0), arrived(assessment(2), 1)], START)

    assert [refused.reason for refused in answers.refused] == [
        "occurred_at lies outside the years 1970 to 2199"
    ]
    assert [made.payment_id for _, made in answers.decisions] == ["pi_2"]


def test_of_the_largest_request_the_decision_fits_into_the_log_and_a_larger_one_is_refused() -> None:
    step = RiskStep(Engine())
    bare = len(encode(assessment(1, merchant_category="")))
    largest = assessment(1, merchant_category="x" * (ASSESSMENT_BYTES_MAX - bare))
    larger = assessment(2, merchant_category="x" * (ASSESSMENT_BYTES_MAX - bare + 1))

    answers = step.handle([arrived(largest, 0), arrived(larger, 1), arrived(assessment(3), 2)], START)

    assert [made.payment_id for _, made in answers.decisions] == ["pi_1", "pi_3"]
    assert len(encode(answers.decisions[0][1])) < RECORD_BYTES_MAX
    assert [refused.reason for refused in answers.refused] == ["the request is too large"]


def test_a_currency_that_does_not_exist_is_refused_and_its_neighbors_are_answered() -> None:
    batch = [arrived(assessment(1, currency="ZZZ"), 0), arrived(assessment(2), 1)]

    answers = RiskStep(Engine()).handle(batch, START)

    assert [refused.reason for refused in answers.refused] == ["the currency is unknown"]
    assert [made.payment_id for _, made in answers.decisions] == ["pi_2"]
