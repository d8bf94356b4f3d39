"""The table of the live page: newest payments first, in one form of words, in whatever order seen."""

from datetime import UTC, datetime, timedelta

import pytest

from dashboards.latest import ROWS_KEPT, ROWS_MAX, Latest, Shown
from dashboards.live_view import LiveView
from dashboards.rows import asked, date_in_words
from dashboards.tail import take_all
from events.codec import encode
from events.log.port import Record, TopicPartition
from tests.unit.dashboards.flowing import START, answer, question


def shown(latest: Latest, only: Shown | None = None) -> list[str]:
    return [row.payment for row in latest.newest(only)]


@pytest.mark.parametrize("order", [(1, 2, 3), (3, 1, 2), (2, 3, 1)])
def test_the_newest_payment_stands_first_in_whatever_order_they_are_seen(order: tuple[int, ...]) -> None:
    latest = Latest()
    for number in order:
        latest.add(asked(question(number)))

    assert shown(latest) == ["pi_000003", "pi_000002", "pi_000001"]


def test_an_old_payment_that_is_seen_late_drives_no_newer_one_out() -> None:
    latest = Latest()
    for number in range(1, ROWS_KEPT + 1):
        latest.add(asked(question(number)))
    latest.add(asked(question(0)))

    assert len(shown(latest)) == ROWS_MAX
    assert shown(latest)[0] == f"pi_{ROWS_KEPT:06}"
    assert ("pi_000000", 1) not in latest
    assert ("pi_000001", 1) in latest


def test_a_table_of_one_outcome_reaches_further_back() -> None:
    view = LiveView()
    for number in range(ROWS_MAX * 2):
        view.take(question(number), 1.0)
        view.take(answer(number, "allow" if number else "block"), 1.0)

    assert shown(view.rows, "block") == ["pi_000000"]
    assert "pi_000000" not in shown(view.rows)


def test_what_was_on_the_log_before_has_rows_and_counts_but_neither_latency_nor_rate() -> None:
    view = LiveView()
    events = (question(1), answer(1), question(2), answer(2))
    records = [Record("t", 0, offset, b"k", encode(event)) for offset, event in enumerate(events)]
    seconds = iter(range(len(records)))

    take_all(view, records, lambda: float(next(seconds)), {TopicPartition("t", 0): 2})

    assert [row.latency_ms for row in view.rows.newest()] == [1000.0, None]
    assert view.seconds.latency_ms(0.5) == 1000.0
    assert view.decided == 2
    assert view.seconds.per_second(4.0) == pytest.approx(0.1)


def test_a_reason_stands_as_a_sentence_whoever_worded_it() -> None:
    view = LiveView()
    for number, words in enumerate(("a device seen for the first time", "Not paid before.", "why?")):
        view.take(question(number), 1.0)
        view.take(answer(number, reason=words), 1.0)

    assert [row.reasons for row in reversed(view.rows.newest())] == [
        ("A device seen for the first time.",),
        ("Not paid before.",),
        ("Why?",),
    ]


@pytest.mark.parametrize(
    ("moment", "words"),
    [
        (START, "05 Jan"),
        (START + timedelta(days=3650), "03 Jan 2036"),
        (datetime(2025, 12, 31, tzinfo=UTC), "31 Dec 2025"),
    ],
)
def test_a_date_has_its_year_where_that_is_not_the_present_one(moment: datetime, words: str) -> None:
    assert date_in_words(moment, START.year) == words
