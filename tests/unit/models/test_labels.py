"""Which label holds."""

import pytest

from models.labels import RANKS, Effect, Standing, resolve
from models.observations import Label


def told(kind: str, fraud: bool | None, at_us: int = 10) -> Label:
    return Label(payment_id="pi_1", arrived_at_us=at_us, kind=kind, source="test", fraud=fraud)


def test_a_first_label_teaches() -> None:
    effect, standing = resolve(None, told("fraud_dispute", True))

    assert effect is Effect.TAUGHT
    assert standing == Standing(True, RANKS["fraud_dispute"], 10)


def test_a_label_that_comes_twice_changes_nothing() -> None:
    _, first = resolve(None, told("fraud_dispute", True))
    effect, second = resolve(first, told("fraud_dispute", True, at_us=99))

    assert effect is Effect.CONFIRMED
    assert second == first


def test_a_matured_label_is_revoked_by_a_later_report() -> None:
    _, matured = resolve(None, told("matured", False))
    effect, standing = resolve(matured, told("early_fraud_warning", True, at_us=20))

    assert effect is Effect.REVOKED
    assert standing is not None
    assert standing.fraud


def test_a_report_is_not_revoked_by_maturing() -> None:
    _, reported = resolve(None, told("fraud_dispute", True))

    assert resolve(reported, told("matured", False)) == (Effect.SET_ASIDE, reported)


def test_the_later_of_two_contradicting_verdicts_holds() -> None:
    _, first = resolve(None, told("analyst_verdict", True))
    effect, second = resolve(first, told("analyst_verdict", False, at_us=20))

    assert effect is Effect.REVOKED
    assert second == Standing(False, RANKS["analyst_verdict"], 20)


def test_an_earlier_verdict_that_comes_in_later_is_set_aside() -> None:
    _, latest = resolve(None, told("analyst_verdict", False, at_us=20))

    assert resolve(latest, told("analyst_verdict", True, at_us=10)) == (Effect.SET_ASIDE, latest)


@pytest.mark.parametrize("kind", ["early_fraud_warning", "fraud_dispute"])
def test_a_merchant_cannot_talk_a_report_of_fraud_away(kind: str) -> None:
    _, reported = resolve(None, told(kind, True))

    assert resolve(reported, told("confirmed_genuine", False, at_us=20)) == (Effect.SET_ASIDE, reported)


@pytest.mark.parametrize("kind", ["early_fraud_warning", "fraud_dispute"])
def test_a_payment_that_its_merchant_called_genuine_is_fraud_once_it_is_reported(kind: str) -> None:
    _, confirmed = resolve(None, told("confirmed_genuine", False))
    effect, standing = resolve(confirmed, told(kind, True, at_us=20))

    assert effect is Effect.REVOKED
    assert standing == Standing(True, RANKS[kind], 20)


@pytest.mark.parametrize("kind", ["early_fraud_warning", "fraud_dispute", "confirmed_genuine", "matured"])
def test_an_analysts_verdict_outranks_everything(kind: str) -> None:
    fraud = kind in ("early_fraud_warning", "fraud_dispute")
    _, verdict = resolve(None, told("analyst_verdict", not fraud))

    assert resolve(verdict, told(kind, fraud)) == (Effect.SET_ASIDE, verdict)


def test_a_dispute_for_goods_not_received_says_nothing_about_fraud() -> None:
    assert resolve(None, told("other_dispute", None)) == (Effect.SILENT, None)


def test_a_label_of_a_kind_that_nobody_knows_is_silent() -> None:
    assert resolve(None, told("rumor", True)) == (Effect.SILENT, None)
