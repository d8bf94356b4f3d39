"""`weir explain` shows what became known of a payment: every label once, and what the payment counts as."""

import json
from datetime import timedelta

import pytest

from events.codec import encode
from events.log.port import Outgoing
from events.types import LabelReported
from events.vocabulary import LabelKind
from pipelines.explain import explain_as_json, explain_payment
from pipelines.observe import derived_id
from tests.unit.pipelines.standin import START
from tests.unit.pipelines.test_payment_end import PAYMENT, Life


@pytest.fixture
def life() -> Life:
    life = Life()
    life.confirmed()
    return life


def report(life: Life, day: int, kind: LabelKind, source: str, fraud: bool | None) -> None:
    label = LabelReported(
        id=derived_id(kind, source, START),
        occurred_at=START + timedelta(days=day),
        payment_id=PAYMENT,
        kind=kind,
        source=source,
        fraud=fraud,
        mode="test",
    )
    life.log.append([Outgoing("labels", PAYMENT.encode(), encode(label), 0)] * 2)


def test_each_label_is_shown_once_with_kind_source_time_and_what_it_says(life: Life) -> None:
    report(life, 1, "other_dispute", "acme", None)
    report(life, 2, "fraud_dispute", "network", True)

    text = explain_payment(life.log, PAYMENT)

    head = "What became known of it, by labels:\n"
    known = text.partition(head)[2].partition("\n\n")[0].splitlines()
    first, second = (f"{START + timedelta(days=day):%Y-%m-%d %H:%M:%S} UTC" for day in (1, 2))
    assert known == [
        f"  {first}: other_dispute from acme says nothing about fraud",
        f"  {second}: fraud_dispute from network says fraud",
        "  the payment counts as fraud",
    ]
    assert text.index(head) < text.index("What the engine thought:")


def test_the_label_in_force_says_what_the_payment_counts_as(life: Life) -> None:
    report(life, 1, "fraud_dispute", "network", True)
    report(life, 2, "confirmed_genuine", "acme", False)
    assert "the payment counts as fraud" in explain_payment(life.log, PAYMENT)

    report(life, 3, "analyst_verdict", "desk", False)
    assert "the payment counts as genuine" in explain_payment(life.log, PAYMENT)


def test_a_payment_that_nobody_labeled_says_so_and_counts_as_nothing(life: Life) -> None:
    assert "nothing yet: no label has come" in explain_payment(life.log, PAYMENT)
    told = json.loads(explain_as_json(life.log, PAYMENT))
    assert (told["labels"], told["counts_as_fraud"]) == ([], None)


def test_labels_stand_in_the_json_too(life: Life) -> None:
    report(life, 1, "fraud_dispute", "network", True)

    told = json.loads(explain_as_json(life.log, PAYMENT))

    at = f"{START + timedelta(days=1):%Y-%m-%dT%H:%M:%S.%fZ}"
    assert told["labels"] == [
        {"kind": "fraud_dispute", "source": "network", "reported_at": at, "fraud": True}
    ]
    assert told["counts_as_fraud"] is True
