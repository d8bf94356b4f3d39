"""What a merchant reads of a decision."""

from typing import get_args

import msgspec
import pytest

from gateway.payments.fallback import FallbackDecision
from gateway.payments.intents import PaymentOutcome
from gateway.payments.outcomes import (
    authorized_outcome,
    blocked_outcome,
    decided_by_engine,
    decided_by_fallback,
    declined_outcome,
)
from gateway.processor_port import ProcessorAnswer
from tests.unit.dashboards.flowing import answer


def test_of_a_payment_that_is_allowed_without_a_reason_no_more_is_said_than_is_known() -> None:
    allowed = msgspec.structs.replace(answer(1), reasons=[])

    assert decided_by_engine(allowed, None).message == "No reason to hold it."


def test_each_word_that_an_outcome_may_say_is_said_of_some_payment() -> None:
    scored = [
        decided_by_engine(msgspec.structs.replace(answer(1), risk_score=score, outcome=outcome), None)
        for score in range(101)
        for outcome in ("allow", "review", "block")
    ]
    decisions = [*scored, decided_by_fallback(FallbackDecision("allow", ()), None)]
    outcomes = [
        outcome
        for decision in decisions
        for outcome in (
            authorized_outcome(decision),
            blocked_outcome(decision),
            blocked_outcome(decision, after_approval=True),
            declined_outcome(decision, "do_not_honor", None),
        )
    ]

    for name in ("type", "network_status", "risk_level"):
        [field] = [one for one in msgspec.structs.fields(PaymentOutcome) if one.name == name]
        assert {getattr(outcome, name) for outcome in outcomes} == set(get_args(field.type))


@pytest.mark.parametrize(
    ("not_sent", "status", "words"),
    [
        (False, "declined_by_network", "The issuer declined: the cardholder must be authenticated."),
        (
            True,
            "not_sent_to_network",
            "The payer had to be authenticated, which was not possible; the issuer was not asked.",
        ),
    ],
)
def test_a_decline_for_want_of_a_proof_names_the_issuer_only_where_it_was_asked(
    not_sent: bool, status: str, words: str
) -> None:
    declined = ProcessorAnswer(
        attempt_id="pi_1_1",
        status="declined",
        decline_code="authentication_required",
        not_sent=not_sent,
        advice_code="try_again_later",
    )

    outcome = declined_outcome(decided_by_engine(answer(1), None), "authentication_required", declined)

    assert (outcome.type, outcome.network_status, outcome.seller_message) == (
        "issuer_declined",
        status,
        words,
    )
    assert outcome.advice_code == "try_again_later"
