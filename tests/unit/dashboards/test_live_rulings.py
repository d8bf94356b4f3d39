"""The live page shows what was done with a payment, also where that is not what the engine said in time."""

from typing import TypeVar

import msgspec
import pytest

from dashboards.latest import ROWS_KEPT
from dashboards.live_view import LiveView
from events.types import (
    PaymentActionRequired,
    PaymentAuthorized,
    PaymentBlocked,
    PaymentCanceled,
    PaymentDecidedLate,
    PaymentDeclined,
    PaymentEvent,
)
from events.vocabulary import Ruling
from tests.unit.dashboards.flowing import answer, authorized, question, refunded

TEST_CARD = Ruling(by="test_card", outcome="block", risk_score=100, text="A test card.")
FALLBACK = Ruling(by="fallback", outcome="allow", risk_score=None, text="Too late.")
ENGINE = Ruling(by="engine", outcome="block", risk_score=90, text="A stolen device.")


@pytest.fixture
def view() -> LiveView:
    return LiveView()


K = TypeVar("K", bound=PaymentEvent)


def life(event: type[K], ruling: Ruling | None, **members: str | bool) -> K:
    """A later event of the payment that `authorized` is of."""
    base = msgspec.structs.asdict(authorized(1))
    shared = {name: base[name] for name in event.__struct_fields__ if name in base}
    ruled = {"ruling": ruling} if ruling else {}
    return event(**{**shared, "id": f"later-{event.__name__}", **ruled, **members})


ALLOWED_TEST_CARD = Ruling(by="test_card", outcome="allow", risk_score=10, text="A test card.")


def sent_off() -> PaymentActionRequired:
    return life(PaymentActionRequired, ALLOWED_TEST_CARD, kind="three_d_secure")


@pytest.mark.parametrize("decided_first", [True, False])
def test_what_waits_for_its_payer_is_shown_as_waiting_with_what_was_decided_whatever_comes_first(
    view: LiveView, decided_first: bool
) -> None:
    view.take(question(1), 1.0)
    for event in (answer(1, "block"), sent_off()) if decided_first else (sent_off(), answer(1, "block")):
        view.take(event, 1.0)

    [row] = view.rows.newest("waiting")
    assert (row.outcome, row.risk_score, row.waits) == ("allow", 10, True)
    assert (counts(view), view.awaiting_payer) == ({"allow": 1}, 1)


@pytest.mark.parametrize("end", ["authorized", "declined", "blocked", "canceled"])
def test_nothing_waits_for_its_payer_any_more_that_has_its_end(view: LiveView, end: str) -> None:
    ends = {
        "authorized": authorized(1),
        "declined": life(PaymentDeclined, ALLOWED_TEST_CARD, reason="payment_declined"),
        "blocked": life(PaymentBlocked, ENGINE, reason="rule"),
        "canceled": life(PaymentCanceled, None, reason="abandoned"),
    }
    for event in (question(1), answer(1), sent_off(), ends[end]):
        view.take(event, 1.0)

    assert (view.awaiting_payer, view.rows.newest("waiting")) == (0, [])
    assert not view.rows.newest()[0].waits


@pytest.mark.parametrize(("lapsed", "counted"), [(True, "lapsed"), (False, "declined")])
def test_what_a_payer_let_lapse_is_not_counted_as_declined_by_the_bank(
    view: LiveView, lapsed: bool, counted: str
) -> None:
    declined = life(PaymentDeclined, ALLOWED_TEST_CARD, reason="authentication_failed", lapsed=lapsed)
    for event in (question(1), answer(1), sent_off(), declined):
        view.take(event, 1.0)

    assert view.payments == {counted: 1}


def fell_back() -> PaymentAuthorized:
    return msgspec.structs.replace(authorized(1, assessed=False), ruling=FALLBACK)


@pytest.mark.parametrize("decided_first", [True, False])
def test_a_test_cards_outcome_stands_in_its_row_and_is_counted_whatever_comes_first(
    view: LiveView, decided_first: bool
) -> None:
    blocked = life(PaymentBlocked, TEST_CARD, reason="highest_risk_level")
    view.take(question(1), 1.0)
    for event in (answer(1), blocked) if decided_first else (blocked, answer(1)):
        view.take(event, 1.0)

    [row] = view.rows.newest()
    assert (row.outcome, row.risk_score, row.reasons) == ("block", 100, ("A test card.",))
    assert counts(view) == {"block": 1}
    assert view.decided == 1


def test_a_fallback_has_its_row_before_the_engine_says_anything_and_one_row_after(view: LiveView) -> None:
    view.take(question(1), 1.0)
    view.take(fell_back(), 1.2)
    [before] = view.rows.newest()
    view.take(answer(1, "review"), 2.0)

    assert (before.outcome, before.risk_score, before.reasons) == ("allow", None, ("Too late.",))
    assert view.rows.newest() == [before]


def test_a_late_decision_that_acted_replaces_the_fallback(view: LiveView) -> None:
    view.take(question(1), 1.0)
    view.take(fell_back(), 1.2)
    view.take(answer(1, "block"), 2.0)
    view.take(life(PaymentDecidedLate, ENGINE, effect="voided"), 2.0)

    [row] = view.rows.newest()
    assert (row.outcome, row.risk_score, row.reasons) == ("block", 90, ("A stolen device.",))


def test_the_engines_own_reasons_stay_where_it_ruled(view: LiveView) -> None:
    view.take(question(1), 1.0)
    view.take(answer(1, "block", reason="9 payments in 10 minutes"), 1.0)
    view.take(life(PaymentBlocked, ENGINE, reason="rule"), 1.0)

    assert view.rows.newest()[0].reasons == ("9 payments in 10 minutes.",)


def test_an_answer_that_is_seen_before_its_question_has_its_row_when_the_question_is_seen(
    view: LiveView,
) -> None:
    view.take(answer(1, "review"), 1.0)
    view.take(question(1), 1.1)

    [row] = view.rows.newest()
    assert (row.outcome, row.latency_ms) == ("review", None)


def counts(view: LiveView) -> dict[str, int]:
    return {outcome: count for outcome, count in view.outcomes.items() if count}


def test_a_fallback_is_counted_until_a_late_decision_acts(view: LiveView) -> None:
    view.take(question(1), 1.0)
    view.take(fell_back(), 1.2)
    before = counts(view)
    view.take(answer(1, "block"), 2.0)
    unacted = counts(view)
    view.take(life(PaymentDecidedLate, ENGINE, effect="voided"), 2.0)

    assert (before, unacted, counts(view)) == ({"allow": 1}, {"allow": 1}, {"block": 1})
    assert view.seconds.latency_ms(0.5) == 1000


def test_a_block_after_the_capture_is_counted_apart_since_the_money_has_moved(view: LiveView) -> None:
    view.take(question(1), 1.0)
    view.take(fell_back(), 1.2)
    view.take(life(PaymentDecidedLate, ENGINE, effect="marked"), 2.0)

    assert counts(view) == {"allow": 1}
    assert view.payments["marked"] == 1
    [row] = view.rows.newest()
    assert (row.outcome, row.marked) == ("allow", True)
    assert view.rows.newest("marked") == [row]


def test_a_block_after_the_capture_is_in_force_and_its_refund_counted(view: LiveView) -> None:
    view.take(question(1), 1.0)
    view.take(fell_back(), 1.2)
    view.take(life(PaymentDecidedLate, ENGINE, effect="refunded"), 2.0)
    view.take(refunded(1), 3.0)

    assert counts(view) == {"block": 1}
    assert (view.payments["refunded"], view.payments["marked"]) == (1, 0)
    [row] = view.rows.newest()
    assert (row.outcome, row.marked) == ("block", False)


@pytest.mark.parametrize("marked_at", ["first", "last", "after its row is gone"])
def test_a_payment_to_refund_is_found_in_whatever_order_it_is_seen_and_stays_beyond_the_others(
    view: LiveView, marked_at: str
) -> None:
    own = [question(1), fell_back()]
    late = life(PaymentDecidedLate, ENGINE, effect="marked")
    others = [each for number in range(2, ROWS_KEPT + 2) for each in (question(number), answer(number))]
    orders = {
        "first": [late, *own, *others],
        "last": [*own, late, *others],
        "after its row is gone": [*own, *others, late],
    }
    for event in orders[marked_at]:
        view.take(event, 1.0)

    [row] = view.rows.newest("marked")
    assert (row.payment, row.attempt, row.outcome, row.marked) == ("pi_000001", 1, "allow", True)
    assert row.amount == "49.99 EUR"


def test_an_event_that_is_seen_twice_is_counted_once(view: LiveView) -> None:
    view.take(question(1), 1.0)
    for _ in range(2):
        view.take(answer(1, "review"), 1.0)

    assert counts(view) == {"review": 1}
