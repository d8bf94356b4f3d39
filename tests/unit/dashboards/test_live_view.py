"""What the live page knows after events, and that it stays small and impersonal."""

import pytest

from dashboards import live_view
from dashboards.live_view import LiveView
from dashboards.tail import take_all
from events.codec import encode
from events.log.port import Record
from tests.unit.dashboards.flowing import (
    ADDRESS,
    DEVICE,
    EMAIL,
    SEALED,
    answer,
    authorized,
    label,
    published,
    question,
)


@pytest.fixture
def view() -> LiveView:
    return LiveView()


def test_a_decided_payment_becomes_a_row_in_words_with_its_latency(view: LiveView) -> None:
    view.take(question(1, amount_minor=1234), 10.0)
    view.take(answer(1, "block", probability=0.93, reason="9 payments in 10 minutes"), 10.025)

    row = view.rows[0]
    assert (row.payment, row.amount, row.outcome, row.risk_score) == ("pi_000001", "12.34 EUR", "block", 93)
    assert row.reasons == ("9 payments in 10 minutes",)
    assert row.latency_ms == pytest.approx(25)
    assert row.card == "visa ··4242"


def test_the_newest_decision_stands_first_and_old_rows_leave(view: LiveView) -> None:
    for number in range(live_view.ROWS_MAX + 5):
        view.take(question(number), 1.0)
        view.take(answer(number), 1.0)

    assert len(view.rows) == live_view.ROWS_MAX
    assert view.rows[0].payment == f"pi_{live_view.ROWS_MAX + 4:06}"
    assert view.decided == live_view.ROWS_MAX + 5


def test_a_decision_whose_question_was_not_seen_counts_without_a_row(view: LiveView) -> None:
    view.take(answer(1, "review"), 1.0)

    assert view.outcomes == {"review": 1}
    assert not view.rows


def test_no_surrogate_and_no_sealed_field_reaches_the_rows(view: LiveView) -> None:
    view.take(question(1), 1.0)
    view.take(answer(1), 1.0)

    shown = repr(list(view.rows))
    for hidden in (DEVICE, ADDRESS, EMAIL, SEALED.decode(), "surrogate-card", "400002"):
        assert hidden not in shown


def test_average_precision_is_that_of_payments_whose_label_is_known(view: LiveView) -> None:
    for number, probability in enumerate((0.9, 0.8, 0.7)):
        view.take(answer(number, probability=probability), 1.0)
    view.take(label(0, True), 2.0)
    view.take(label(1, False), 2.0)
    view.take(label(2, True), 2.0)
    view.take(label(2, None, "other_dispute"), 2.0)
    view.take(label(77, True), 2.0)

    view.refresh()

    assert view.learning.average_precision == pytest.approx((1 + 2 / 3) / 2)
    assert view.learning.reported.total() == 5


def test_a_later_label_of_the_same_payment_replaces_the_earlier(view: LiveView) -> None:
    view.take(answer(0, probability=0.9), 1.0)
    view.take(answer(1, probability=0.2), 1.0)
    view.take(label(0, False, "matured"), 2.0)
    view.take(label(1, True), 2.0)
    view.take(label(0, True), 3.0)

    view.refresh()

    assert view.learning.average_precision == pytest.approx(1.0)


def test_each_snapshot_of_the_champion_is_a_point_of_the_learning_curve(view: LiveView) -> None:
    view.take(answer(0, probability=0.9), 1.0)
    view.take(label(0, True), 2.0)
    view.take(published(1, 10), 3.0)
    view.take(published(1, 10, kind="batch"), 3.0)
    view.take(published(2, 25), 4.0)

    assert [(point.labels, point.average_precision) for point in view.learning.curve] == [
        (10, 1.0),
        (25, 1.0),
    ]
    assert view.learning.labels == 25


def test_authorizations_that_no_model_decided_are_counted_as_fallbacks(view: LiveView) -> None:
    view.take(authorized(1), 1.0)
    view.take(authorized(2, assessed=False), 1.0)

    assert view.payments == {"authorized": 2, "fallback": 1}


def test_memory_stays_bounded_when_nothing_is_ever_answered(view: LiveView) -> None:
    for number in range(live_view.WAITING_MAX + 10):
        view.take(question(number), 1.0)

    assert len(view._waiting) == live_view.WAITING_MAX


def test_records_that_cannot_be_read_are_passed_over(view: LiveView) -> None:
    poison = [b"\x00", b"{}", b'{"type": "decision.made"}', None]
    records = [Record("decisions", 0, offset, b"k", value) for offset, value in enumerate(poison)]

    take_all(view, [*records, Record("decisions", 0, 9, b"k", encode(answer(1)))], lambda: 1.0)

    assert view.decided == 1
