"""What the live page knows after events, and that it stays small and impersonal."""

from datetime import timedelta

import msgspec
import pytest

from dashboards import learning, live_view
from dashboards.latest import ROWS_MAX
from dashboards.live_view import LiveView
from dashboards.tail import take_all
from events.codec import encode
from events.log.port import Record
from events.vocabulary import Ruling
from models.learning import Schedule
from tests.unit.dashboards.flowing import (
    ADDRESS,
    DEVICE,
    EMAIL,
    SEALED,
    START,
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

    row = view.rows.newest()[0]
    assert (row.payment, row.amount, row.outcome, row.risk_score) == ("pi_000001", "12.34 EUR", "block", 93)
    assert row.reasons == ("9 payments in 10 minutes.",)
    assert row.latency_ms == pytest.approx(25)
    assert row.card == "visa ··4242"


def test_the_newest_decision_stands_first_and_old_rows_leave(view: LiveView) -> None:
    for number in range(ROWS_MAX + 5):
        view.take(question(number), 1.0)
        view.take(answer(number), 1.0)

    assert len(view.rows.newest()) == ROWS_MAX
    assert view.rows.newest()[0].payment == f"pi_{ROWS_MAX + 4:06}"
    assert view.decided == ROWS_MAX + 5


def test_a_decision_whose_question_was_not_seen_counts_without_a_row(view: LiveView) -> None:
    view.take(answer(1, "review"), 1.0)

    assert view.outcomes == {"review": 1}
    assert not view.rows.newest()


def test_no_surrogate_and_no_sealed_field_reaches_the_rows(view: LiveView) -> None:
    view.take(question(1), 1.0)
    view.take(answer(1), 1.0)

    shown = repr(view.rows.newest())
    for hidden in (DEVICE, ADDRESS, EMAIL, SEALED.decode(), "surrogate-card", "400002"):
        assert hidden not in shown


def know(view: LiveView, frauds: int, genuine: int) -> None:
    """Decide and label payments, all frauds above all genuine ones."""
    for number in range(frauds + genuine):
        view.take(answer(number, probability=0.9 if number < frauds else 0.1), 1.0)
        view.take(label(number, number < frauds), 2.0)


def test_average_precision_is_that_of_payments_whose_label_is_known(view: LiveView) -> None:
    know(view, frauds=learning.LABELS_OF_EACH_KIND_MIN - 1, genuine=learning.LABELS_OF_EACH_KIND_MIN)
    view.take(answer(100, probability=0.01), 1.0)
    view.take(label(100, True), 2.0)
    view.take(label(100, None, "other_dispute"), 2.0)
    view.take(label(777, True), 2.0)

    view.refresh()

    least = learning.LABELS_OF_EACH_KIND_MIN
    assert view.learning.average_precision == pytest.approx((least - 1 + least / (2 * least)) / least)


@pytest.mark.parametrize("few", [{"frauds": 1, "genuine": 50}, {"frauds": 50, "genuine": 1}])
def test_from_too_few_labels_no_average_precision_is_told(view: LiveView, few: dict[str, int]) -> None:
    know(view, **few)

    view.refresh()

    assert view.learning.average_precision is None
    assert (view.learning.known_frauds, view.learning.known_genuine) == (few["frauds"], few["genuine"])


def test_a_later_label_of_the_same_payment_replaces_the_earlier(view: LiveView) -> None:
    view.take(answer(0, probability=0.9), 1.0)
    view.take(label(0, False, "matured"), 2.0)
    view.take(label(0, True), 3.0)

    view.refresh()

    assert (view.learning.known_frauds, view.learning.known_genuine) == (1, 0)


def test_each_snapshot_of_the_champion_is_a_point_of_the_learning_curve(view: LiveView) -> None:
    view.take(published(1, 10), 3.0)
    view.take(published(1, 10, kind="batch"), 3.0)
    know(view, frauds=10, genuine=10)
    view.take(published(2, 25), 4.0)

    assert [(point.labels, point.average_precision) for point in view.learning.curve] == [
        (10, None),
        (25, 1.0),
    ]
    assert view.learning.labels == 25


def test_matured_labels_are_not_counted_as_reported(view: LiveView) -> None:
    view.take(label(1, False, "matured"), 1.0)
    view.take(label(2, True), 1.0)
    view.take(label(3, True), 1.0)
    view.take(published(1, 2), 2.0)

    assert view.learning.reported == 2
    assert view.learning.reported_learned == 1


def test_the_next_lesson_comes_at_the_full_hour_after_the_latest_label(view: LiveView) -> None:
    assert view.learning.next_lesson is None

    view.take(label(2, True), 1.0)

    assert view.learning.next_lesson == START + timedelta(days=3, hours=1)
    assert timedelta(microseconds=Schedule().cut_us) == learning.LESSON


def test_authorizations_that_no_model_decided_are_counted_as_fallbacks(view: LiveView) -> None:
    view.take(authorized(1), 1.0)
    view.take(authorized(2, assessed=False), 1.0)

    assert view.payments == {"authorized": 2, "fallback": 1}


def test_the_chart_shows_an_attempt_by_the_outcome_that_is_in_force_as_the_tiles_do(view: LiveView) -> None:
    ruled = Ruling(by="test_card", outcome="review", risk_score=60, text="a test card")
    view.take(question(1), 1.0)
    view.take(answer(1, "allow"), 1.1)
    view.take(msgspec.structs.replace(authorized(1), ruling=ruled), 2.0)

    series = view.seconds.series(2.5)
    charted = {outcome: sum(series[outcome]) for outcome in ("allow", "review", "block")}

    assert view.outcomes["review"] == 1
    assert charted == {"allow": 0, "review": 1, "block": 0}


def test_memory_stays_bounded_when_nothing_is_ever_answered(view: LiveView) -> None:
    for number in range(live_view.WAITING_MAX + 10):
        view.take(question(number), 1.0)

    assert len(view._waiting) == live_view.WAITING_MAX


def test_records_that_cannot_be_read_are_passed_over(view: LiveView) -> None:
    poison = [b"\x00", b"{}", b'{"type": "decision.made"}', None]
    records = [Record("decisions", 0, offset, b"k", value) for offset, value in enumerate(poison)]

    take_all(view, [*records, Record("decisions", 0, 9, b"k", encode(answer(1)))], lambda: 1.0, {})

    assert view.decided == 1
