"""`weir explain` says first what was done with a payment and on whose word, whatever the engine thought."""

from typing import Any

import pytest

from events.codec import encode
from events.log.port import Outgoing
from events.types import (
    PaymentActionRequired,
    PaymentAuthenticated,
    PaymentAuthorized,
    PaymentBlocked,
    PaymentCanceled,
    PaymentCaptured,
    PaymentCaptureFailed,
    PaymentConfirmationRequired,
    PaymentConfirmed,
    PaymentDecidedLate,
    PaymentDeclined,
    PaymentEvent,
    PaymentIncrementDeclined,
    PaymentIncremented,
    PaymentRefunded,
    PaymentRefundFailed,
    PaymentReleased,
)
from events.vocabulary import LateEffect, Ruling
from models.controls import Controls
from models.engine import Engine
from pipelines.delivery import delivered
from pipelines.errors import NotInLogError
from pipelines.explain import explain_payment
from pipelines.observe import derived_id
from pipelines.risk_step import RiskStep
from tests.memory_log import MemoryLog
from tests.unit.pipelines.standin import START, asked, assessment

PAYMENT = "pi_1"
TEST_CARD = Ruling(
    by="test_card", outcome="block", risk_score=100, text="A test card that is always blocked."
)
FALLBACK = Ruling(by="fallback", outcome="allow", risk_score=None, text="The risk decision came too late.")
LATE_BLOCK = Ruling(by="engine", outcome="block", risk_score=90, text="A stolen device.")


class Life:
    """A log with one payment's life on it."""

    def __init__(self) -> None:
        self.log = MemoryLog()
        self.events = 0

    def told(self, kind: type[PaymentEvent], /, **members: Any) -> None:
        self.events += 1
        event = kind(
            id=derived_id(PAYMENT, str(self.events), START),
            occurred_at=START,
            payment_id=PAYMENT,
            sequence=self.events,
            mode="test",
            merchant_id="m_1",
            amount_minor=1250,
            currency="EUR",
            **members,
        )
        self.log.append([Outgoing("payments", PAYMENT.encode(), encode(event), 0)] * 2)

    def confirmed(self, attempt: int = 1, *, decided: bool = True, challenged: bool = False) -> None:
        event = assessment(1, payment_id=PAYMENT, attempt=attempt)
        if decided:
            outgoing = asked(event)
            place = self.log.append([outgoing])[0]
            record = self.log.on(place.topic, place.partition)[place.offset]
            for key, decision in (
                RiskStep(Engine(_controls(challenged))).handle([delivered(record)], START).decisions
            ):
                self.log.append([Outgoing("decisions", key, encode(decision), place.partition)])
        self.told(PaymentConfirmed, attempt=attempt, card=event.card)

    def explained(self, attempt: int | None = None) -> str:
        return explain_payment(self.log, PAYMENT, attempt)


ALLOWED = Ruling(by="test_card", outcome="allow", risk_score=10, text="A test card.")


def _controls(challenged: bool) -> Controls:
    costs = {"challenge_minor": 0, "challenge_abandon_rate": 0.0} if challenged else {}
    return Controls.builtin().changed("costs", "costs", 1, costs)


@pytest.fixture
def life() -> Life:
    return Life()


def test_a_blocked_test_card_is_said_to_be_blocked_before_what_the_engine_thought(life: Life) -> None:
    life.confirmed()
    life.told(PaymentBlocked, attempt=1, reason="highest_risk_level", ruling=TEST_CARD)

    done, _, rest = life.explained().partition("What became known of it, by labels:")
    thought = rest.partition("What the engine thought:")[2]

    assert done.splitlines() == [
        "What was done with payment pi_1, attempt 1:",
        "  blocked",
        "  block, by its test card or address, whatever the engine decides (risk score 100): "
        "A test card that is always blocked.",
        "",
    ]
    assert "payment pi_1: allow" in thought


def test_what_was_authorized_on_top_is_told_and_what_was_not(life: Life) -> None:
    life.confirmed()
    life.told(PaymentAuthorized, attempt=1, authorization_id="pi_1_1")
    of = {"attempt": 1, "authorization_id": "pi_1_1", "more_minor": 500}
    life.told(PaymentIncremented, **of)
    life.told(PaymentIncrementDeclined, **of, reason="insufficient_funds")

    lines = life.explained().splitlines()

    assert lines[2:4] == ["  5.00 EUR more authorized", "  5.00 EUR more declined: insufficient_funds"]


@pytest.mark.parametrize(
    ("effect", "words"),
    [
        ("held", "held the capture"),
        ("voided", "voided the authorization"),
        ("refunded", "has the money given back"),
        ("marked", "no money moved"),
    ],
)
def test_a_fallback_and_what_the_late_decision_did_are_told(
    life: Life, effect: LateEffect, words: str
) -> None:
    life.confirmed()
    life.told(PaymentAuthorized, attempt=1, authorization_id="a", assessed=False, ruling=FALLBACK)
    life.told(PaymentDecidedLate, attempt=1, ruling=LATE_BLOCK, effect=effect)

    text = life.explained()

    assert "  allow, by the fallback, since the engine's decision was late (no risk score in time)" in text
    assert "  later the engine decided block, which" in text
    assert words in text


UNASKED = "nobody asked the payer to be authenticated, as the engine wanted"


def test_a_challenge_that_came_too_late_is_told_as_one_that_nobody_was_asked_for(life: Life) -> None:
    life.confirmed(challenged=True)
    life.told(PaymentAuthorized, attempt=1, authorization_id="a", assessed=False, ruling=FALLBACK)
    assert UNASKED in life.explained()
    late = Ruling(by="engine", outcome="review", risk_score=60, text="Too late", unchallenged=True)
    life.told(PaymentDecidedLate, attempt=1, ruling=late, effect="held")

    assert (
        "  later the engine wanted the payer challenged, whom nobody could ask any more, "
        "which held the capture for a review"
    ) in life.explained()


def test_a_challenge_in_time_is_told_as_what_came_of_it(life: Life) -> None:
    life.confirmed(challenged=True)
    passed = {"result": "authenticated", "flow": "challenge", "eci": "05", "liability_shifted": True}
    life.told(PaymentAuthenticated, attempt=1, **passed)
    life.told(PaymentAuthorized, attempt=1, authorization_id="a", ruling=LATE_BLOCK)

    assert UNASKED not in life.explained()
    assert "payment pi_1: allow, once the payer was authenticated" in life.explained()


def test_a_payment_whose_decision_never_came_is_still_told_of(life: Life) -> None:
    life.confirmed(decided=False)
    life.told(PaymentAuthorized, attempt=1, authorization_id="a", assessed=False, ruling=FALLBACK)

    text = life.explained()

    assert "by the fallback" in text
    assert text.endswith("What the engine thought:\n  nothing that is in the log (yet)")


def test_a_capture_that_the_network_refused_is_told(life: Life) -> None:
    life.confirmed()
    life.told(PaymentAuthorized, attempt=1, authorization_id="a")
    life.told(PaymentCaptureFailed, attempt=1, authorization_id="a")

    assert "  the network refused the capture of 12.50 EUR; what was not captured" in life.explained()


def test_the_release_of_a_rest_is_told_with_its_reason(life: Life) -> None:
    life.confirmed()
    life.told(PaymentAuthorized, attempt=1, authorization_id="a")
    life.told(PaymentCaptured, authorization_id="a")
    life.told(PaymentReleased, attempt=1, authorization_id="a", reason="expired")

    assert "  the rest given back: 12.50 EUR, expired" in life.explained()


@pytest.mark.parametrize(
    ("end", "words"),
    [(PaymentRefunded, "refunded: 12.50 EUR"), (PaymentRefundFailed, "the network refused the refund")],
)
def test_what_became_of_a_refund_is_told(life: Life, end: type[PaymentEvent], words: str) -> None:
    life.confirmed()
    life.told(PaymentAuthorized, attempt=1, authorization_id="a")
    life.told(end, attempt=1, authorization_id="a", refund_id="re_1", reason="late_block")

    assert f"  {words}" in life.explained()


def test_a_part_that_was_authorized_is_told_with_the_whole(life: Life) -> None:
    life.confirmed()
    life.told(PaymentAuthorized, attempt=1, authorization_id="a", asked_minor=2000)
    assert life.explained().splitlines()[1] == "  12.50 EUR of 20.00 EUR authorized"


def test_the_way_to_the_end_is_told_once_and_in_order(life: Life) -> None:
    life.confirmed()
    life.told(PaymentAuthorized, attempt=1, authorization_id="a", held=True)
    life.told(PaymentCaptured, authorization_id="a")
    life.told(PaymentCanceled, reason="duplicate")

    assert life.explained().splitlines()[1:4] == [
        "  authorized, with the capture held for a review",
        "  captured: 12.50 EUR",
        "  canceled: duplicate",
    ]


def test_a_late_decision_is_told_after_the_capture_that_it_came_after(life: Life) -> None:
    life.confirmed()
    life.told(PaymentAuthorized, attempt=1, authorization_id="a", assessed=False, ruling=FALLBACK)
    life.told(PaymentCaptured, authorization_id="a")
    life.told(PaymentDecidedLate, attempt=1, ruling=LATE_BLOCK, effect="marked")

    captured, late = life.explained().splitlines()[3:5]

    assert captured == "  captured: 12.50 EUR"
    assert late.startswith("  later the engine decided block, which came after the capture")


def test_each_attempt_is_told_by_its_own_end(life: Life) -> None:
    life.confirmed(1)
    life.told(PaymentDeclined, attempt=1, reason="insufficient_funds", card_surrogate="c")
    life.confirmed(2, decided=False)

    assert "insufficient_funds" in life.explained(1)
    assert "attempt 2:\n  confirmed, and not at its end yet" in life.explained()


def test_what_lapsed_is_not_told_as_declined(life: Life) -> None:
    life.confirmed(1)
    life.told(PaymentDeclined, attempt=1, reason="payment_timed_out", lapsed=True)

    told = life.explained(1)

    assert "not finished in time: payment_timed_out" in told
    assert "declined" not in told


def test_an_attempt_that_never_was_is_told_so(life: Life) -> None:
    life.confirmed()

    with pytest.raises(NotInLogError, match="has no attempt 7: it has one attempt"):
        life.explained(7)


def test_a_payment_that_waits_for_its_payer_says_so_with_what_was_decided_until_its_end(life: Life) -> None:
    life.confirmed()
    life.told(PaymentActionRequired, attempt=1, kind="three_d_secure", ruling=ALLOWED)
    waiting = life.explained().split("\n\n")[0]
    life.told(PaymentAuthorized, attempt=1, authorization_id="pi_1_1", ruling=ALLOWED)

    assert waiting.splitlines()[1:] == [
        "  the payer was asked to do something first",
        "  waits for its payer still",
        "  allow, by its test card or address, whatever the engine decides (risk score 10): A test card.",
    ]
    assert "waits" not in life.explained()


def test_a_payment_that_its_payer_approved_and_its_merchant_has_yet_to_confirm_says_so(life: Life) -> None:
    life.confirmed()
    life.told(PaymentActionRequired, attempt=1, kind="three_d_secure", ruling=ALLOWED)
    life.told(PaymentConfirmationRequired, attempt=1)
    waiting = life.explained()
    life.told(PaymentAuthorized, attempt=1, authorization_id="pi_1_1", ruling=ALLOWED)

    assert "  waits for its merchant's second confirm" in waiting.splitlines()
    assert "waits" not in life.explained()


def test_a_payment_that_was_canceled_while_its_payer_was_awaited_says_so(life: Life) -> None:
    life.confirmed()
    life.told(PaymentActionRequired, attempt=1, kind="upi_collect", ruling=ALLOWED)
    life.told(PaymentCanceled, reason="abandoned")

    done = life.explained().split("\n\n")[0]

    assert "canceled: abandoned" in done
    assert "waits" not in done
